import { Button, Drawer } from '@mantine/core'
import { useTranslation } from '../i18n/translation'
import type { Block } from '../lib/result'
import { MarkdownView } from './text/markdown-view'

/** On a phone: the text of the box that was tapped, in a sheet at the lower edge. */
export function BlockSheet(props: { block: Block; onShow: () => void; onClose: () => void }) {
  const { t } = useTranslation()
  const { block } = props
  return (
    <Drawer
      opened
      onClose={props.onClose}
      position="bottom"
      size="auto"
      title={t.labels[block.label] ?? block.label}
      closeButtonProps={{ 'aria-label': t.close }}
      styles={{ content: { borderRadius: 'var(--radius-l) var(--radius-l) 0 0', maxHeight: '60dvh' } }}
    >
      <MarkdownView markdown={block.text} />
      <Button mt="md" fullWidth variant="default" onClick={props.onShow}>
        {t.viewer.showInText}
      </Button>
    </Drawer>
  )
}

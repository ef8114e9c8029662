import { Button, Group, Textarea } from '@mantine/core'
import { IconArrowBackUp, IconPencil } from '@tabler/icons-react'
import { memo, useState } from 'react'
import { useTranslation } from '../../i18n/translation'
import { colorOf, isFigure, isLowConfidence } from '../../lib/block-labels'
import { percent } from '../../lib/format'
import type { Size } from '../../lib/geometry'
import type { Block } from '../../lib/result'
import { IconButton } from '../../ui/icon-button'
import type { PageImage } from '../page/use-page-image'
import type { BlockSelection } from '../use-block-selection'
import styles from './block-view.module.css'
import { Figure } from './figure'
import { MarkdownView } from './markdown-view'

const SMALL_PRINT = ['header', 'footer', 'page_number', 'footnote']

/** The text of one block: highlights its box on hover, and can be corrected in place. */
export const BlockView = memo(function BlockView(props: {
  block: Block
  active: boolean
  found: boolean
  corrected: boolean
  editing: boolean
  image: PageImage
  page: Size
  hover: BlockSelection['hover']
  select: BlockSelection['select']
  onEdit: ((id: number | null) => void) | undefined
  onCorrect: (id: number, text: string | null) => void
}) {
  const { t, language } = useTranslation()
  const { block, onEdit } = props
  const lowConfidence = isLowConfidence(block.confidence)
  const tooltip = lowConfidence
    ? t.viewer.lowConfidence(percent(block.confidence ?? 0, language))
    : undefined
  return (
    <div
      className={styles.block}
      style={{ '--color': `var(--mantine-color-${colorOf(block.label)}-filled)` }}
      data-block={block.id}
      data-active={props.active || undefined}
      data-found={props.found || undefined}
      data-low-confidence={lowConfidence || undefined}
      data-small={SMALL_PRINT.includes(block.label) || undefined}
      title={tooltip}
      onMouseEnter={() => props.hover(block.id)}
      onMouseLeave={() => props.hover(null)}
      onClick={() => props.select(block.id, 'text')}
      onDoubleClick={() => onEdit?.(block.id)}
    >
      {props.editing ? (
        <Editor
          block={block}
          onDone={(text) => {
            if (text !== undefined && text !== block.text) props.onCorrect(block.id, text)
            onEdit?.(null)
          }}
        />
      ) : (
        <>
          {isFigure(block.label) && <Figure block={block} image={props.image} page={props.page} />}
          <MarkdownView markdown={block.text} />
          {props.corrected && <span className={styles.corrected}>{t.viewer.corrected}</span>}
          {onEdit && (
            <BlockTools
              onEdit={() => onEdit(block.id)}
              onUndo={props.corrected ? () => props.onCorrect(block.id, null) : undefined}
            />
          )}
        </>
      )}
    </div>
  )
})

function BlockTools({ onEdit, onUndo }: { onEdit: () => void; onUndo: (() => void) | undefined }) {
  const { t } = useTranslation()
  return (
    <div className={styles.tools}>
      <IconButton size="sm" label={t.viewer.edit} onClick={onEdit}>
        <IconPencil size={16} />
      </IconButton>
      {onUndo && (
        <IconButton size="sm" label={t.viewer.undoCorrection} onClick={onUndo}>
          <IconArrowBackUp size={16} />
        </IconButton>
      )}
    </div>
  )
}

/** Calls `onDone` with the new text, or without it when the edit is cancelled. */
function Editor({ block, onDone }: { block: Block; onDone: (text?: string) => void }) {
  const { t } = useTranslation()
  const [text, setText] = useState(block.text)
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        onDone(text)
      }}
    >
      <Textarea
        autosize
        minRows={1}
        maxRows={20}
        data-autofocus
        autoFocus
        dir="auto"
        aria-label={t.viewer.blockText(block.id + 1)}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          event.stopPropagation()
          if (event.key === 'Escape') onDone()
          if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) onDone(text)
        }}
      />
      <Group gap="xs" mt="xs">
        <Button size="xs" type="submit">
          {t.viewer.save}
        </Button>
        <Button size="xs" variant="default" onClick={() => onDone()}>
          {t.cancel}
        </Button>
      </Group>
    </form>
  )
}

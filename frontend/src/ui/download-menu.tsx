import { Button, Menu, Textarea } from '@mantine/core'
import { IconChevronDown, IconDownload } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { useTranslation } from '../i18n/translation'

/** A button that opens a menu of downloads, with a field for what is taken out of them. */
export function DownloadMenu(props: {
  label: string
  position: 'bottom-start' | 'bottom-end'
  disabled?: boolean
  /** A pattern a line. */
  redact: string
  onRedact: (patterns: string) => void
  children: ReactNode
}) {
  const { t } = useTranslation()
  return (
    <Menu position={props.position} width={260}>
      <Menu.Target>
        <Button
          size="xs"
          disabled={props.disabled}
          leftSection={<IconDownload size={15} />}
          rightSection={<IconChevronDown size={14} />}
        >
          {props.label}
        </Button>
      </Menu.Target>
      <Menu.Dropdown mah="70vh" style={{ overflowY: 'auto' }}>
        <Textarea
          size="xs"
          p={6}
          autosize
          maxRows={6}
          label={t.export.redact}
          placeholder={t.export.redactHint}
          value={props.redact}
          onChange={(event) => props.onRedact(event.currentTarget.value)}
          // The menu moves between its items with the arrow keys.
          onKeyDown={(event) => event.key !== 'Escape' && event.stopPropagation()}
        />
        {props.children}
      </Menu.Dropdown>
    </Menu>
  )
}

/** The patterns of the field. */
export function patternsOf(redact: string): string[] {
  return redact.split('\n').filter((line) => line.trim() !== '')
}

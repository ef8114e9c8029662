import { Button, Group, Menu, Paper, Text } from '@mantine/core'
import { IconTrash } from '@tabler/icons-react'
import { useState } from 'react'
import { exportJobs, type Modes } from '../../api/client'
import { useTranslation } from '../../i18n/translation'
import { DownloadMenu, patternsOf } from '../../ui/download-menu'
import { saveFile } from '../save-file'

/** The actions for the documents selected in the history: one zip of them all in any format, deletion. */
export function SelectionBar(props: {
  ids: string[]
  formats: Modes['formats']
  onDelete: () => void
  onClear: () => void
}) {
  const { t } = useTranslation()
  const { ids } = props
  const [redact, setRedact] = useState('')
  const download = (format: string) =>
    void saveFile(exportJobs(ids, format, patternsOf(redact)), 'documents.zip', t)
  return (
    <Paper withBorder p="xs">
      <Group gap="sm">
        <Text size="sm" role="status">
          {t.history.selected(ids.length)}
        </Text>
        <DownloadMenu
          label={t.export.download}
          position="bottom-start"
          redact={redact}
          onRedact={setRedact}
        >
          {props.formats.map(({ key, label }) => (
            <Menu.Item key={key} onClick={() => download(key)}>
              {t.export.formats[key] ?? label}
            </Menu.Item>
          ))}
        </DownloadMenu>
        <Button size="xs" variant="default" leftSection={<IconTrash size={15} />} onClick={props.onDelete}>
          {t.history.deleteConfirm}
        </Button>
        <Button size="xs" variant="subtle" onClick={props.onClear}>
          {t.history.clearSelection}
        </Button>
      </Group>
    </Paper>
  )
}

import { Button, Group, Menu, Paper, Text } from '@mantine/core'
import { exportJobs, type Modes } from '../../api/client'
import { useWords } from '../../i18n/translation'
import { DownloadMenu } from '../../ui/download-menu'
import { save } from '../save-file'

/** The documents chosen from the history: one zip of them all, in a format of one's own. */
export function Chosen(props: { ids: string[]; formats: Modes['formats']; onNone: () => void }) {
  const { words } = useWords()
  const { ids } = props
  return (
    <Paper withBorder p="xs">
      <Group gap="sm">
        <Text size="sm" role="status">
          {words.history.chosen(ids.length)}
        </Text>
        <DownloadMenu label={words.out.download} position="bottom-start">
          {props.formats.map(({ key, label }) => (
            <Menu.Item key={key} onClick={() => void save(exportJobs(ids, key), 'documents.zip', words)}>
              {words.out.formats[key] ?? label}
            </Menu.Item>
          ))}
        </DownloadMenu>
        <Button size="xs" variant="subtle" onClick={props.onNone}>
          {words.history.chooseNone}
        </Button>
      </Group>
    </Paper>
  )
}

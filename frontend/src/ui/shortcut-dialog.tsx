import { Group, Kbd, Modal, Table } from '@mantine/core'
import { useWords } from '../i18n/translation'

export function ShortcutSheet({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const { words } = useWords()
  const keys = words.keys
  const rows: [string, string[]][] = [
    [keys.help, ['?']],
    [keys.open, ['o']],
    [keys.paste, ['Ctrl', 'V']],
    [keys.history, ['g', 'h']],
    [keys.pages, ['←', '→']],
    [keys.blocks, ['j', 'k']],
    [keys.edit, ['e']],
    [keys.copy, ['c']],
    [keys.find, ['/']],
    [keys.zoom, ['+', '-', '0']],
    [keys.tabs, ['1', '2', '3', '4']],
    [keys.leave, ['Esc']],
  ]
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={keys.title}
      closeButtonProps={{ 'aria-label': words.close }}
      centered
    >
      <Table withRowBorders={false} verticalSpacing={6}>
        <Table.Tbody>
          {rows.map(([meaning, names]) => (
            <Table.Tr key={meaning}>
              <Table.Td>{meaning}</Table.Td>
              <Table.Td>
                <Group gap={4} justify="flex-end" wrap="nowrap">
                  {names.map((name) => (
                    <Kbd key={name}>{name}</Kbd>
                  ))}
                </Group>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Modal>
  )
}

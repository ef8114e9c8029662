import { Group, Kbd, Modal, Table } from '@mantine/core'
import { memo } from 'react'
import { useTranslation } from '../i18n/translation'

/** The list of keyboard shortcuts. */
export const ShortcutDialog = memo(function ShortcutDialog({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const { t } = useTranslation()
  const text = t.shortcuts
  const rows: [string, string[]][] = [
    [text.help, ['?']],
    [text.open, ['o']],
    [text.paste, ['Ctrl', 'V']],
    [text.history, ['g', 'h']],
    [text.pages, ['←', '→']],
    [text.blocks, ['j', 'k']],
    [text.edit, ['e']],
    [text.copy, ['c']],
    [t.reading.nextDoubtful, ['n']],
    [t.reading.accept, ['a']],
    [text.search, ['/']],
    [text.zoom, ['+', '-', '0']],
    [text.tabs, ['1', '2', '3', '4']],
    [text.leave, ['Esc']],
  ]
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={text.title}
      closeButtonProps={{ 'aria-label': t.close }}
      centered
    >
      <Table withRowBorders={false} verticalSpacing={6}>
        <Table.Tbody>
          {rows.map(([meaning, keys]) => (
            <Table.Tr key={meaning}>
              <Table.Td>{meaning}</Table.Td>
              <Table.Td>
                <Group gap={4} justify="flex-end" wrap="nowrap">
                  {keys.map((key) => (
                    <Kbd key={key}>{key}</Kbd>
                  ))}
                </Group>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Modal>
  )
})

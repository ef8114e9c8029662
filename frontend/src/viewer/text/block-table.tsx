import { Table } from '@mantine/core'
import { useTranslation } from '../../i18n/translation'
import { colorOf } from '../../lib/block-labels'
import { percent } from '../../lib/format'
import type { Block } from '../../lib/result'
import type { BlockSelection } from '../use-block-selection'
import styles from './text-pane.module.css'

/** The blocks of a page as a table: number, label, text, confidence. */
export function BlockTable({ blocks, selection }: { blocks: Block[]; selection: BlockSelection }) {
  const { t } = useTranslation()
  const columns = t.viewer.columns
  return (
    <Table.ScrollContainer minWidth={420}>
      <Table highlightOnHover verticalSpacing="xs" stickyHeader>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{columns.number}</Table.Th>
            <Table.Th>{columns.label}</Table.Th>
            <Table.Th>{columns.text}</Table.Th>
            <Table.Th style={{ whiteSpace: 'nowrap' }}>{columns.confidence}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {blocks.map((block) => (
            <BlockRow key={block.id} block={block} selection={selection} />
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  )
}

function BlockRow({ block, selection }: { block: Block; selection: BlockSelection }) {
  const { t, language } = useTranslation()
  return (
    <Table.Tr
      data-block={block.id}
      bg={selection.active === block.id ? 'var(--mantine-primary-color-light)' : undefined}
      onMouseEnter={() => selection.hover(block.id)}
      onMouseLeave={() => selection.hover(null)}
    >
      <Table.Td>
        <button
          type="button"
          className={styles.number}
          onClick={() => selection.select(block.id, 'text')}
        >
          {block.id + 1}
        </button>
      </Table.Td>
      <Table.Td style={{ whiteSpace: 'nowrap' }}>
        <span
          className={styles.dot}
          style={{ background: `var(--mantine-color-${colorOf(block.label)}-filled)` }}
        />
        {t.labels[block.label] ?? block.label}
      </Table.Td>
      <Table.Td className={styles.cell} dir="auto">
        {block.text}
      </Table.Td>
      <Table.Td>{block.confidence === null ? '–' : percent(block.confidence, language)}</Table.Td>
    </Table.Tr>
  )
}

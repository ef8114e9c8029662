import { Table, Text } from '@mantine/core'
import { useEffect, useMemo, useRef, useState, type ReactNode } from 'react'
import { useWords } from '../../i18n/translation'
import type { Tab } from '../../lib/route'
import { rangesIn } from '../../lib/text-search'
import { percent } from '../../lib/format'
import { colourOf } from '../../lib/block-labels'
import { correctedText, itemsOf, unfinishedText, type PageState } from '../../lib/result'
import { scrollIntoView } from '../../ui/scroll'
import { Block } from './block-view'
import { MarkdownView } from './markdown-view'
import styles from './text-pane.module.css'
import type { Pointing } from '../use-block-selection'
import type { Picture } from '../page/use-page-image'

/** What was read of a page, in one of four views. */
export function TextPane(props: {
  state: PageState
  tab: Tab
  words: string
  found: ReadonlySet<number>
  pointing: Pointing
  picture: Picture
  editing: number | null
  onEdit: (id: number | null) => void
  onCorrect: (id: number, text: string | null) => void
  notices: ReactNode
}) {
  const { words } = useWords()
  const { state, pointing, tab } = props
  const pane = useRef<HTMLDivElement>(null)
  const items = useMemo(() => itemsOf(state), [state])
  const markdown = useMemo(
    () => (state.status === 'done' ? correctedText(state.page, state.corrections) : ''),
    [state],
  )
  const page = state.status === 'reading' ? state : state.status === 'done' ? state.page.layout : SIZE
  useHighlight(pane, props.words, [items, tab, markdown])
  useEffect(() => {
    const picked = pointing.picked
    if (picked === null || picked.from === 'text') return
    scrollIntoView(pane.current?.querySelector(`[data-block="${picked.id}"]`))
  }, [pointing.picked])

  const raw = state.status === 'done' ? state.page.rawText : state.status === 'reading' ? state.raw : ''
  const tail = state.status === 'reading' ? unfinishedText(state.raw) : ''
  const lastShown = items.at(-1)?.text.trim() ?? ''
  return (
    <div
      ref={pane}
      className={styles.pane}
      tabIndex={0}
      role="region"
      aria-label={words.viewer.text}
      aria-busy={state.status === 'reading'}
    >
      {props.notices}
      {state.status === 'waiting' && <Text c="dimmed">{words.read.pageWaiting}</Text>}
      {tab === 'rendered' &&
        items.map((item) => (
          <Block
            key={item.id}
            item={item}
            active={pointing.active === item.id}
            found={props.found.has(item.id)}
            corrected={state.status === 'done' && item.id in state.corrections}
            editing={props.editing === item.id}
            picture={props.picture}
            page={page}
            hover={pointing.hover}
            pick={pointing.pick}
            onEdit={state.status === 'done' ? props.onEdit : undefined}
            onCorrect={props.onCorrect}
          />
        ))}
      {tab === 'rendered' && state.status === 'reading' && tail !== lastShown && (
        <p className={styles.tail} dir="auto">
          {tail}
          <span className={styles.caret} />
        </p>
      )}
      {tab === 'rendered' && items.length === 0 && state.status === 'done' && !state.page.error && (
        markdown ? <MarkdownView markdown={markdown} /> : <Text c="dimmed">{words.read.empty}</Text>
      )}
      {tab === 'source' && <pre className={styles.source}>{markdown || tail}</pre>}
      {tab === 'raw' && <pre className={styles.source}>{raw}</pre>}
      {tab === 'blocks' && <BlocksTable items={items} {...props} />}
    </div>
  )
}

const SIZE = { width: 0, height: 0 }

function BlocksTable(props: {
  items: ReturnType<typeof itemsOf>
  found: ReadonlySet<number>
  pointing: Pointing
}) {
  const { words, language } = useWords()
  const { pointing } = props
  const column = words.viewer.column
  return (
    <Table.ScrollContainer minWidth={420}>
      <Table highlightOnHover verticalSpacing="xs" stickyHeader>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{column.number}</Table.Th>
            <Table.Th>{column.label}</Table.Th>
            <Table.Th>{column.text}</Table.Th>
            <Table.Th>{column.confidence}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {props.items.map((item) => (
            <Table.Tr
              key={item.id}
              data-block={item.id}
              bg={pointing.active === item.id ? 'var(--mantine-primary-color-light)' : undefined}
              onMouseEnter={() => pointing.hover(item.id)}
              onMouseLeave={() => pointing.hover(null)}
            >
              <Table.Td>
                <button
                  type="button"
                  className={styles.number}
                  onClick={() => pointing.pick(item.id, 'text')}
                >
                  {item.id + 1}
                </button>
              </Table.Td>
              <Table.Td style={{ whiteSpace: 'nowrap' }}>
                <span
                  className={styles.dot}
                  style={{ background: `var(--mantine-color-${colourOf(item.label)}-filled)` }}
                />
                {words.labels[item.label] ?? item.label}
              </Table.Td>
              <Table.Td className={styles.cell} dir="auto">
                {item.text}
              </Table.Td>
              <Table.Td>
                {item.confidence === null ? '–' : percent(item.confidence, language)}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  )
}

const FOUND = 'dsocr-found'

/** Marks the words where the browser can do so without touching the elements. */
function useHighlight(
  pane: React.RefObject<HTMLDivElement | null>,
  words: string,
  shown: unknown[],
): void {
  const [drawn, setDrawn] = useState(0)
  useEffect(() => {
    const frame = requestAnimationFrame(() => setDrawn((count) => count + 1))
    return () => cancelAnimationFrame(frame)
  }, [words, ...shown])
  useEffect(() => {
    if (!('highlights' in CSS) || pane.current === null) return
    const ranges = rangesIn(pane.current, words)
    if (ranges.length > 0) CSS.highlights.set(FOUND, new Highlight(...ranges))
    return () => void CSS.highlights.delete(FOUND)
  }, [pane, words, drawn])
}

import { Button, Group, Skeleton, Text, VisuallyHidden } from '@mantine/core'
import { useDeferredValue, useEffect, useMemo, useRef, type ReactNode, type RefObject } from 'react'
import { useTranslation } from '../../i18n/translation'
import { blocksOf, correctedText, unfinishedText, type Block, type PageState } from '../../lib/result'
import type { Tab } from '../../lib/route'
import { scrollIntoView } from '../../ui/scroll'
import type { PageImage } from '../page/use-page-image'
import type { BlockSelection } from '../use-block-selection'
import { BlockTable } from './block-table'
import { BlockView, type BlockActions } from './block-view'
import { MarkdownView } from './markdown-view'
import styles from './text-pane.module.css'
import { useHighlight } from './use-highlight'

/** The text of a page in one of four views: rendered, Markdown source, blocks, raw model output. */
export function TextPane(props: {
  state: PageState
  tab: Tab
  query: string
  found: ReadonlySet<number>
  selection: BlockSelection
  image: PageImage
  editing: number | null
  /** Undefined where nothing can be corrected. */
  onEdit: ((id: number | null) => void) | undefined
  actions: BlockActions
  onCorrect: (id: number, text: string | null) => void
  draftOf: (id: number) => string | null | undefined
  onType: (id: number, text: string) => void
  onDiscard: (id: number) => void
  onReadPage: (() => void) | undefined
  onLoadAgain: (() => void) | undefined
  onNextPage: (() => void) | undefined
  /** Called while the user scrolls, with the block that is read. */
  onReadTo: (id: number) => void
  notices: ReactNode
}) {
  const { t } = useTranslation()
  const { selection, tab } = props
  // The picture of a page that is gone to comes before its text.
  const arrived = useDeferredValue(props.state, LOADING)
  const state = arrived.status === 'loading' ? arrived : props.state
  const pane = useRef<HTMLDivElement>(null)
  const blocks = useMemo(() => blocksOf(state), [state])
  const markdown = useMemo(
    () => (state.status === 'done' ? correctedText(state.page, state.corrections) : ''),
    [state],
  )
  useHighlight(pane, props.query, [blocks, tab, markdown])
  const scrolledTo = useRef<BlockSelection['selected']>(null)
  useEffect(() => {
    const selected = selection.selected
    if (selected === null || selected.from === 'text' || selected === scrolledTo.current) return
    const block = pane.current?.querySelector(`[data-block="${selected.id}"]`)
    if (block == null) return // it is rendered later
    scrolledTo.current = selected
    scrollIntoView(block)
  }, [selection.selected, blocks])

  useReading(pane, props.onReadTo)
  const unfinished = state.status === 'processing' ? unfinishedText(state.raw) : ''
  return (
    <div
      ref={pane}
      className={styles.pane}
      tabIndex={0}
      role="region"
      aria-label={t.viewer.text}
      aria-busy={state.status === 'processing' || (state.status === 'loading' && !props.onLoadAgain)}
    >
      {props.notices}
      {state.status === 'loading' && (props.onLoadAgain ? <NotLoaded onAgain={props.onLoadAgain} /> : <LinesToCome label={t.status.loadingPage} />)}
      {state.status === 'processing' && blocks.length === 0 && unfinished === '' && (
        <LinesToCome label={t.status.processing} />
      )}
      {state.status === 'waiting' && (
        <Group gap="sm">
          <Text c="dimmed">{t.status.pagePending}</Text>
          {props.onReadPage && (
            <Button size="xs" variant="default" onClick={props.onReadPage}>
              {t.status.readPage}
            </Button>
          )}
        </Group>
      )}
      {tab === 'rendered' && <RenderedBlocks {...props} state={state} blocks={blocks} />}
      {tab === 'rendered' &&
        state.status === 'processing' &&
        unfinished !== (blocks.at(-1)?.text.trim() ?? '') && (
          <p className={styles.unfinished} dir="auto">
            {unfinished}
            <span className={styles.caret} />
          </p>
        )}
      {tab === 'rendered' && blocks.length === 0 && state.status === 'done' && !state.page.error && (
        markdown ? <MarkdownView markdown={markdown} /> : <Text c="dimmed">{t.status.noText}</Text>
      )}
      {tab === 'source' && <pre className={styles.source}>{markdown || unfinished}</pre>}
      {tab === 'raw' && <pre className={styles.source}>{rawTextOf(state)}</pre>}
      {tab === 'blocks' && <BlockTable blocks={blocks} selection={selection} />}
      {props.onNextPage && state.status === 'done' && (
        <Button mt="lg" size="xs" variant="subtle" onClick={props.onNextPage}>
          {t.reading.nextPage}
        </Button>
      )}
    </div>
  )
}

/** In the place of text that is to come: before the page is known, and before its first words are read. */
function LinesToCome({ label }: { label: string }) {
  return (
    <div className={styles.toCome}>
      <VisuallyHidden>{label}</VisuallyHidden>
      {LINE_WIDTHS.map((width) => (
        <Skeleton key={width} h={12} w={width} animate={false} aria-hidden />
      ))}
    </div>
  )
}

function NotLoaded({ onAgain }: { onAgain: () => void }) {
  const { t } = useTranslation()
  return (
    <Group gap="sm" role="alert">
      <Text>{t.status.pageNotLoaded}</Text>
      <Button size="xs" variant="default" onClick={onAgain}>
        {t.tryAgain}
      </Button>
    </Group>
  )
}

function RenderedBlocks(props: Parameters<typeof TextPane>[0] & { blocks: ReturnType<typeof blocksOf> }) {
  const { state, selection } = props
  const page =
    state.status === 'processing' ? state : state.status === 'done' ? state.page.layout : NO_SIZE
  return props.blocks.map((block) => (
    <BlockView
      key={block.id}
      block={block}
      active={selection.active === block.id}
      found={props.found.has(block.id)}
      corrected={correctionOf(state, block)}
      pending={state.status === 'done' ? state.pending?.get(block.id) : undefined}
      editing={props.editing === block.id}
      image={props.image}
      page={page}
      hover={selection.hover}
      select={selection.select}
      actions={state.status === 'done' ? props.actions : undefined}
      onEdit={state.status === 'done' ? props.onEdit : undefined}
      onCorrect={props.onCorrect}
      draftOf={props.draftOf}
      onType={props.onType}
      onDiscard={props.onDiscard}
    />
  ))
}

/** Whether a person has changed the text of a block, or has compared it with the page. */
function correctionOf(state: PageState, block: Block): 'corrected' | 'checked' | undefined {
  if (state.status !== 'done' || !(block.id in state.corrections)) return undefined
  return state.page.layout.items[block.id]?.text === block.text ? 'checked' : 'corrected'
}

const READ_AT = 0.3 // of the pane's height

/** Calls `onReadTo` with the block near the top of the pane while the user scrolls it. */
function useReading(pane: RefObject<HTMLDivElement | null>, onReadTo: (id: number) => void): void {
  const latest = useRef(onReadTo)
  latest.current = onReadTo
  useEffect(() => {
    const element = pane.current
    let last: string | undefined
    function onWheel() {
      const box = element?.getBoundingClientRect()
      if (!element || !box) return
      const blocks = Array.from(element.querySelectorAll<HTMLElement>('[data-block]'))
      const read = blocks.findLast((each) => each.getBoundingClientRect().top <= box.top + box.height * READ_AT)
      if (read === undefined || read.dataset.block === last) return
      last = read.dataset.block
      latest.current(Number(last))
    }
    const names = ['wheel', 'touchmove', 'keyup'] as const
    const onScroll = () => requestAnimationFrame(onWheel)
    for (const name of names) element?.addEventListener(name, onScroll, { passive: true })
    return () => names.forEach((name) => element?.removeEventListener(name, onScroll))
  }, [pane])
}

const LINE_WIDTHS = ['38%', '92%', '86%', '89%', '54%']
const LOADING: PageState = { status: 'loading' }
const NO_SIZE = { width: 0, height: 0 }

function rawTextOf(state: PageState): string {
  if (state.status === 'waiting' || state.status === 'loading') return ''
  return state.status === 'done' ? state.page.rawText : state.raw
}

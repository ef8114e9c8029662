import { Group, SegmentedControl, Title } from '@mantine/core'
import { useMediaQuery } from '@mantine/hooks'
import { useCallback, useEffect, useMemo, useRef, useState, type ReactNode } from 'react'
import { useTranslation } from '../i18n/translation'
import { blockAt, blocksOf, type Block, type PageState } from '../lib/result'
import { TABS, type Tab } from '../lib/route'
import type { Line } from '../lib/text-lines'
import { matches } from '../lib/text-search'
import { InBar } from '../ui/bar'
import { scrollIntoView } from '../ui/scroll'
import { SplitPane } from '../ui/split-pane'
import { useShortcuts } from '../ui/use-shortcuts'
import { BlockSheet } from './block-sheet'
import { DoubtfulBar } from './doubtful-bar'
import { PageNotices } from './page-notices'
import { PageSwitch } from './page-switch'
import { BlockBoxes } from './page/block-boxes'
import { LabelFilter } from './page/label-filter'
import { PageCanvas } from './page/page-canvas'
import { PageList, type PageMark } from './page/page-list'
import { usePageImage, type PageLoaders } from './page/use-page-image'
import { RetryMenu, type RetryOption } from './retry-menu'
import type { BlockActions } from './text/block-view'
import { TextPane } from './text/text-pane'
import { ExportMenus, SearchField, ViewTabs, type CopyAction, type DownloadAction } from './toolbar'
import { useBlockSelection, type BlockSelection } from './use-block-selection'
import { useDoubtful } from './use-doubtful'
import { useFind, type FindPages } from './use-find'
import styles from './viewer.module.css'

/** The pages of a document beside their text. Sends no requests itself. */
export function Viewer(props: {
  name: string
  status: ReactNode
  marks: readonly PageMark[]
  pageIndex: number
  onPage: (index: number) => void
  state: PageState
  loaders: PageLoaders
  /** Degrees clockwise by which a page is turned. */
  rotationOf: (index: number) => number
  findPages: FindPages
  /** The block to select and the text to find at first. */
  target: { block?: number | undefined; find?: string | undefined }
  blockActions: BlockActions
  editable: boolean
  /** Pages with words to compare with the page. */
  doubtful: ReadonlySet<number>
  tab: Tab
  onTab: (tab: Tab) => void
  onCorrect: (id: number, text: string | null) => void
  /** The text of a block that was typed and not saved, if any. */
  draftOf: (id: number) => string | null | undefined
  onType: (id: number, text: string) => void
  onDiscard: (id: number) => void
  retryOptions: RetryOption[]
  onRetry: (option: RetryOption) => void
  /** Reads the shown page, if it was not read and nothing reads it. */
  onReadPage: (() => void) | undefined
  /** Fetches the shown page again, if that has failed. */
  onLoadAgain: (() => void) | undefined
  tools: ReactNode
  /** Made when they are needed. */
  copies: () => CopyAction[]
  downloads: DownloadAction[]
}) {
  const { t } = useTranslation()
  const { state, pageIndex, marks } = props
  const isDone = state.status === 'done'
  const narrow = useMediaQuery('(max-width: 48em)', false, { getInitialValueInEffect: false })
  const [side, setSide] = useState<'image' | 'text'>('image')
  const [search, setSearch] = useState(props.target.find ?? '')
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set())
  const [editing, setEditing] = useState<number | null>(null)
  const input = useRef<HTMLInputElement>(null)
  const selection = useBlockSelection(pageIndex)
  const image = usePageImage(props.loaders.image, { index: pageIndex, rotation: props.rotationOf(pageIndex) }, true)
  const blocks = useMemo(() => blocksOf(state), [state])
  const [closed, setClosed] = useState<BlockSelection['selected']>(null)
  const tapped =
    narrow && side === 'image' && selection.selected?.from === 'box' && selection.selected !== closed
      ? blocks.find(({ id }) => id === selection.selected?.id)
      : undefined
  const labels = useMemo(() => [...new Set(blocks.map((block) => block.label))], [blocks])
  const matching = useMemo(
    () => blocks.filter((block) => matches(block.text, search)).map((block) => block.id),
    [blocks, search],
  )
  const found = useMemo(() => new Set(matching), [matching])
  const find = useFind({
    text: search,
    found: matching,
    selected: selection.selected?.id ?? null,
    select: (id) => selection.select(id, 'key'),
    pageIndex,
    onPage: props.onPage,
    findPages: props.findPages,
  })
  const doubtful = useDoubtful({
    ...{ state, pageIndex, pages: props.doubtful },
    selected: selection.selected?.id ?? null,
    select: (id) => selection.select(id, 'key'),
    onPage: props.onPage,
    onCorrect: props.onCorrect,
  })
  useEffect(() => setEditing(null), [pageIndex])
  useTarget(props.target.block, blocks, (id) => selection.select(id, 'key'))

  const goTo = (index: number) => {
    if (index >= 0 && index < marks.length) props.onPage(index)
  }
  const moveSelection = (step: number) => {
    const index = blocks.findIndex((block) => block.id === selection.selected?.id)
    const next = blocks[Math.min(blocks.length - 1, Math.max(0, index + step))]
    if (next !== undefined) selection.select(next.id, 'key')
  }
  useShortcuts({
    ArrowRight: () => goTo(pageIndex + 1),
    ArrowLeft: () => goTo(pageIndex - 1),
    Home: () => goTo(0),
    End: () => goTo(marks.length - 1),
    j: () => moveSelection(1),
    k: () => moveSelection(-1),
    e: () => {
      if (selection.selected === null || state.status !== 'done' || !props.editable) return
      props.onTab('rendered')
      setSide('text')
      setEditing(selection.selected.id)
    },
    c: () => props.copies()[0]?.copy(),
    '/': () => input.current?.focus(),
    ...Object.fromEntries(TABS.map((tab, index) => [String(index + 1), () => props.onTab(tab)])),
  })

  const size =
    state.status === 'processing'
      ? state
      : state.status === 'done'
        ? state.page.layout
        : { width: 0, height: 0 }
  const shown = useMemo(() => blocks.filter((block) => !hidden.has(block.label)), [blocks, hidden])
  /** The text is in step with the picture: the block beside what is looked at is shown. */
  const shownAt = useRef<number>(undefined)
  const showTextAt = useCallback(
    (y: number) => {
      const id = blockAt(blocks, y)
      const block = document.querySelector(`[data-block="${id}"]`)
      if (id === undefined || id === shownAt.current || block === null) return
      shownAt.current = id
      scrollIntoView(block, 'center')
    },
    [blocks],
  )
  const canvas = (
    <PageCanvas
      key={narrow ? 'narrow' : 'wide'}
      total={marks.length}
      pageIndex={pageIndex}
      onPage={props.onPage}
      onScrolledTo={showTextAt}
      loaders={props.loaders}
      page={size}
      rotationOf={props.rotationOf}
      isProcessing={(index) => marks[index] === 'processing' || (index === pageIndex && state.status === 'processing')}
      initialZoom={narrow ? 'width' : 'page'}
      tools={<LabelFilter labels={labels} hidden={hidden} onHide={setHidden} />}
    >
      <BlockBoxes
        blocks={shown}
        lines={state.status === 'done' ? state.page.lines : NO_LINES}
        page={size}
        found={found}
        selection={selection}
        streaming={state.status === 'processing'}
      />
    </PageCanvas>
  )
  const text = (
    <section className={styles.side} aria-label={t.viewer.result}>
      <div className={styles.views}>
        <ViewTabs tab={props.tab} onTab={props.onTab} />
        <SearchField input={input} value={search} onChange={setSearch} place={find.place} total={find.total} onStep={find.step} />
        {props.editable && <DoubtfulBar doubtful={doubtful} />}
        {narrow && <Group gap={2}>{props.tools}</Group>}
      </div>
      <TextPane
        key={pageIndex}
        state={state}
        tab={props.tab}
        query={search}
        found={found}
        selection={selection}
        image={image}
        editing={editing}
        onEdit={props.editable ? setEditing : undefined}
        actions={props.blockActions}
        onCorrect={props.onCorrect}
        draftOf={props.draftOf}
        onType={props.onType}
        onDiscard={props.onDiscard}
        onReadPage={props.onReadPage}
        onLoadAgain={props.onLoadAgain}
        onReadTo={(id) => scrollIntoView(document.querySelector(`[data-box="${id}"]`))}
        onNextPage={pageIndex + 1 < marks.length ? () => goTo(pageIndex + 1) : undefined}
        notices={<PageNotices state={state} retryOptions={props.retryOptions} onRetry={props.onRetry} />}
      />
    </section>
  )
  return (
    <div className={styles.viewer}>
      <InBar>
      <div className={styles.bar}>
        <div className={styles.name}>
          <Title order={1} size="h5" lineClamp={1} title={props.name}>
            {props.name}
          </Title>
          {props.status}
        </div>
        {marks.length > 1 && <PageSwitch index={pageIndex} total={marks.length} onPage={goTo} />}
        {!narrow && props.tools}
        {props.editable && <RetryMenu options={props.retryOptions} onRetry={props.onRetry} disabled={!isDone} />}
        <ExportMenus copies={props.copies} downloads={props.downloads} pages={marks.length} disabled={!isDone} />
      </div>
      </InBar>
      {narrow && (
        <SegmentedControl
          radius={0}
          value={side}
          onChange={(value) => setSide(value === 'text' ? 'text' : 'image')}
          data={[
            { value: 'image', label: t.viewer.image },
            { value: 'text', label: t.viewer.text },
          ]}
        />
      )}
      <div className={styles.body}>
        {!narrow && marks.length > 1 && (
          <PageList marks={marks} current={pageIndex} onSelect={goTo} loadImage={props.loaders.thumbnail} rotationOf={props.rotationOf} />
        )}
        {narrow && (side === 'image' ? canvas : text)}
        {tapped && (
          <BlockSheet block={tapped} onShow={() => setSide('text')} onClose={() => setClosed(selection.selected)} />
        )}
        {!narrow && <SplitPane label={t.viewer.splitWidth} left={canvas} right={text} />}
      </div>
    </div>
  )
}

const NO_LINES: readonly Line[] = []

/** Selects the block that a link leads to, once its page is there. */
function useTarget(target: number | undefined, blocks: Block[], select: (id: number) => void): void {
  const latest = useRef(select)
  latest.current = select
  const isThere = blocks.some(({ id }) => id === target)
  useEffect(() => {
    if (target !== undefined && isThere) latest.current(target)
  }, [target, isThere])
}

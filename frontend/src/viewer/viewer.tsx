import { Group, SegmentedControl, Text, Title } from '@mantine/core'
import { useMediaQuery } from '@mantine/hooks'
import { IconChevronLeft, IconChevronRight } from '@tabler/icons-react'
import { useEffect, useMemo, useRef, useState, type ReactNode } from 'react'
import { useWords } from '../i18n/translation'
import { TABS, type Tab } from '../lib/route'
import { matches } from '../lib/text-search'
import { itemsOf, type PageState } from '../lib/result'
import { Confirm } from '../ui/confirm-dialog'
import { IconButton } from '../ui/icon-button'
import { Split } from '../ui/split-pane'
import { useShortcuts } from '../ui/use-shortcuts'
import { Boxes } from './page/block-boxes'
import { LabelFilter } from './page/label-filter'
import { Notices, ReadAgain, type Choice } from './page-notices'
import { PageCanvas } from './page/page-canvas'
import { PageList, type PageMark } from './page/page-list'
import { TextPane } from './text/text-pane'
import { Find, Out, Tabs, type Copyable, type Downloadable } from './toolbar'
import { usePicture, type LoadPicture } from './page/use-page-image'
import { usePointing } from './use-block-selection'
import styles from './viewer.module.css'

/** A document beside what was read of it. Fetches nothing itself. */
export function Viewer(props: {
  name: string
  status: ReactNode
  marks: readonly PageMark[]
  pageIndex: number
  onPage: (index: number) => void
  state: PageState
  load: LoadPicture
  tab: Tab
  onTab: (tab: Tab) => void
  onCorrect: (id: number, text: string | null) => void
  choices: Choice[]
  /** Whether reading again would take a person's work with it; then it is asked first. */
  corrected: boolean
  onAgain: (choice: Choice) => void
  copies: Copyable[]
  downloads: Downloadable[]
}) {
  const { words } = useWords()
  const { state, pageIndex, marks } = props
  const narrow = useMediaQuery('(max-width: 48em)', false, { getInitialValueInEffect: false })
  const [side, setSide] = useState<'picture' | 'text'>('picture')
  const [search, setSearch] = useState('')
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set())
  const [editing, setEditing] = useState<number | null>(null)
  const [doubtful, setDoubtful] = useState<Choice | null>(null)
  const input = useRef<HTMLInputElement>(null)
  const pointing = usePointing(pageIndex)
  const picture = usePicture(props.load, pageIndex)
  const items = useMemo(() => itemsOf(state), [state])
  const labels = useMemo(() => [...new Set(items.map((item) => item.label))], [items])
  const found = useMemo(
    () => new Set(items.filter((item) => matches(item.text, search)).map((item) => item.id)),
    [items, search],
  )
  useEffect(() => setEditing(null), [pageIndex])
  const onAgain = props.corrected ? setDoubtful : props.onAgain

  const goTo = (index: number) => {
    if (index >= 0 && index < marks.length) props.onPage(index)
  }
  const walk = (step: number) => {
    const place = items.findIndex((item) => item.id === pointing.picked?.id)
    const next = items[Math.min(items.length - 1, Math.max(0, place + step))]
    if (next !== undefined) pointing.pick(next.id, 'key')
  }
  useShortcuts({
    ArrowRight: () => goTo(pageIndex + 1),
    ArrowLeft: () => goTo(pageIndex - 1),
    j: () => walk(1),
    k: () => walk(-1),
    e: () => {
      if (pointing.picked === null || state.status !== 'done') return
      props.onTab('rendered')
      setSide('text')
      setEditing(pointing.picked.id)
    },
    c: () => props.copies[0]?.copy(),
    '/': () => input.current?.focus(),
    ...Object.fromEntries(TABS.map((tab, place) => [String(place + 1), () => props.onTab(tab)])),
  })

  const label = words.viewer.pageOf(pageIndex + 1, Math.max(1, marks.length))
  const size =
    state.status === 'reading'
      ? state
      : state.status === 'done'
        ? state.page.layout
        : { width: 0, height: 0 }
  const canvas = (
    <PageCanvas
      key={narrow ? 'narrow' : 'wide'}
      picture={picture}
      page={size}
      label={label}
      reading={state.status === 'reading' || marks[pageIndex] === 'reading'}
      start={narrow ? 'width' : 'page'}
      tools={<LabelFilter labels={labels} hidden={hidden} onHide={setHidden} />}
    >
      <Boxes
        items={items.filter((item) => !hidden.has(item.label))}
        found={found}
        pointing={pointing}
        fresh={state.status === 'reading'}
      />
    </PageCanvas>
  )
  const text = (
    <section className={styles.side} aria-label={words.viewer.result}>
      <div className={styles.views}>
        <Tabs tab={props.tab} onTab={props.onTab} />
        <Find input={input} value={search} onChange={setSearch} count={found.size} />
      </div>
      <TextPane
        key={pageIndex}
        state={state}
        tab={props.tab}
        words={search}
        found={found}
        pointing={pointing}
        picture={picture}
        editing={editing}
        onEdit={setEditing}
        onCorrect={props.onCorrect}
        notices={<Notices state={state} choices={props.choices} onAgain={onAgain} />}
      />
    </section>
  )
  return (
    <div className={styles.viewer}>
      <div className={styles.bar}>
        <div className={styles.name}>
          <Title order={1} size="h5" lineClamp={1} title={props.name}>
            {props.name}
          </Title>
          {props.status}
        </div>
        {marks.length > 1 && (
          <Group gap={2} wrap="nowrap">
            <IconButton
              label={words.viewer.previous}
              disabled={pageIndex === 0}
              onClick={() => goTo(pageIndex - 1)}
            >
              <IconChevronLeft size={18} />
            </IconButton>
            <Text size="sm" style={{ fontVariantNumeric: 'tabular-nums' }}>
              {pageIndex + 1} / {marks.length}
            </Text>
            <IconButton
              label={words.viewer.next}
              disabled={pageIndex >= marks.length - 1}
              onClick={() => goTo(pageIndex + 1)}
            >
              <IconChevronRight size={18} />
            </IconButton>
          </Group>
        )}
        {state.status === 'done' && (
          <>
            <ReadAgain choices={props.choices} onAgain={onAgain} />
            <Out copies={props.copies} downloads={props.downloads} pages={marks.length} />
          </>
        )}
      </div>
      {narrow && (
        <SegmentedControl
          radius={0}
          value={side}
          onChange={(value) => setSide(value === 'text' ? 'text' : 'picture')}
          data={[
            { value: 'picture', label: words.viewer.picture },
            { value: 'text', label: words.viewer.text },
          ]}
        />
      )}
      <div className={styles.body}>
        {!narrow && marks.length > 1 && (
          <PageList marks={marks} current={pageIndex} onPick={goTo} load={props.load} />
        )}
        {narrow && (side === 'picture' ? canvas : text)}
        {!narrow && <Split label={words.viewer.split} left={canvas} right={text} />}
      </div>
      <Confirm
        opened={doubtful !== null}
        question={words.viewer.againSure}
        yes={words.viewer.againYes}
        onYes={() => {
          if (doubtful !== null) props.onAgain(doubtful)
          setDoubtful(null)
        }}
        onNo={() => setDoubtful(null)}
      />
    </div>
  )
}

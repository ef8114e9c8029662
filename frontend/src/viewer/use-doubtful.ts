import { useEffect, useMemo, useRef, useState } from 'react'
import { isLowConfidence } from '../lib/block-labels'
import { blocksOf, type PageState } from '../lib/result'

/** Goes through the blocks that a person should compare with the page, over all pages. A block that was
 * corrected or accepted is not doubtful any more. */
export function useDoubtful(props: {
  state: PageState
  /** The pages with words of low scores. */
  pages: ReadonlySet<number>
  pageIndex: number
  selected: number | null
  select: (id: number) => void
  onPage: (index: number) => void
  onCorrect: (id: number, text: string) => void
}) {
  const { state, pages, pageIndex, selected } = props
  const ids = useMemo(() => doubtfulBlocks(state), [state])
  const [checked, setChecked] = useState<ReadonlySet<number>>(new Set())
  const arriving = useRef(false)
  const isRead = state.status === 'done'
  const others = [...pages].filter((page) => page !== pageIndex && !checked.has(page)).sort((a, b) => a - b)
  const latest = useRef({ ...props, others })
  latest.current = { ...props, others }

  function goToNextPage() {
    const { others, pageIndex, onPage } = latest.current
    const next = others.find((page) => page > pageIndex) ?? others[0]
    arriving.current = next !== undefined
    if (next !== undefined) onPage(next)
  }

  useEffect(() => {
    if (!isRead) return
    setChecked((all) => (all.has(pageIndex) === (ids.length === 0) ? all : toggled(all, pageIndex)))
    const [first] = ids
    if (!arriving.current) return
    arriving.current = false
    if (first === undefined) goToNextPage()
    else latest.current.select(first)
  }, [ids, isRead, pageIndex])

  function next() {
    const id = selected === null ? ids[0] : ids.find((each) => each > selected)
    if (id !== undefined) return props.select(id)
    if (others.length > 0) return goToNextPage()
    if (ids[0] !== undefined) props.select(ids[0])
  }

  /** Says that the selected block is right, and goes to the next doubtful one. */
  function accept() {
    const block = blocksOf(state).find(({ id }) => id === selected)
    if (block === undefined || !ids.includes(block.id)) return
    props.onCorrect(block.id, block.text)
    next()
  }

  return {
    onPage: ids.length,
    otherPages: others.length,
    canAccept: selected !== null && ids.includes(selected),
    next,
    accept,
  }
}

/** Block ids are places in reading order. */
function doubtfulBlocks(state: PageState): number[] {
  if (state.status !== 'done') return []
  const { corrections, page } = state
  return page.layout.items
    .filter(({ id, review, confidence }) => !(id in corrections) && (review || isLowConfidence(confidence)))
    .map(({ id }) => id)
}

function toggled(all: ReadonlySet<number>, page: number): ReadonlySet<number> {
  const next = new Set(all)
  if (!next.delete(page)) next.add(page)
  return next
}

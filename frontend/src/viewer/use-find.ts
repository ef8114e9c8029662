import { useEffect, useRef, useState } from 'react'

export type FoundPage = { pageIndex: number; blocks: number }
/** The pages of the document with a text, in their order. */
export type FindPages = (text: string, signal: AbortSignal) => Promise<FoundPage[]>

const PAUSE_MILLISECONDS = 250 // after the last key, before all pages are searched

/** Finds text on all pages: goes to the first match, and to the next and previous ones. */
export function useFind(props: {
  text: string
  /** The blocks of the shown page that have the text, in reading order. */
  found: readonly number[]
  selected: number | null
  select: (id: number) => void
  pageIndex: number
  onPage: (index: number) => void
  findPages: FindPages
}) {
  const { text, found, findPages } = props
  const [pages, setPages] = useState<readonly FoundPage[]>([])
  const arriving = useRef<'first' | 'last' | null>(null)
  const latest = useRef(props)
  latest.current = props

  useEffect(() => {
    setPages([])
    arriving.current = text === '' ? null : 'first'
    if (text.trim() === '') return
    const controller = new AbortController()
    const search = () =>
      findPages(text, controller.signal).then(
        (listed) => !controller.signal.aborted && setPages(listed),
        () => undefined, // the matches of the shown page are found all the same
      )
    const timer = setTimeout(() => void search(), PAUSE_MILLISECONDS)
    return () => {
      clearTimeout(timer)
      controller.abort()
    }
  }, [text, findPages])

  useEffect(() => {
    const id = arriving.current === 'last' ? found.at(-1) : found[0]
    if (arriving.current === null || id === undefined) return
    arriving.current = null
    latest.current.select(id)
  }, [found])

  const others = pages.filter(({ pageIndex }) => pageIndex !== props.pageIndex)
  const before = others.filter(({ pageIndex }) => pageIndex < props.pageIndex)
  const place = found.indexOf(props.selected ?? -1)

  /** Selects the next or previous match; after the last one comes the first. */
  function step(direction: 1 | -1) {
    const next = place < 0 ? (direction > 0 ? 0 : found.length - 1) : place + direction
    const id = found[next]
    if (id !== undefined) return props.select(id)
    const later = others.filter(({ pageIndex }) => pageIndex > props.pageIndex)
    const page = direction > 0 ? (later[0] ?? others[0]) : (before.at(-1) ?? others.at(-1))
    if (page === undefined) {
      const only = direction > 0 ? found[0] : found.at(-1)
      if (only !== undefined) props.select(only)
      return
    }
    arriving.current = direction > 0 ? 'first' : 'last'
    props.onPage(page.pageIndex)
  }

  const sum = (some: readonly FoundPage[]) => some.reduce((all, { blocks }) => all + blocks, 0)
  return { step, place: place < 0 ? 0 : sum(before) + place + 1, total: sum(others) + found.length }
}

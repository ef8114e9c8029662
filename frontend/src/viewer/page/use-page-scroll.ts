import { useEffect, useLayoutEffect, useMemo, useRef, useState, type RefObject } from 'react'
import type { Size } from '../../lib/geometry'
import { layoutOf, mainPage, offsetOf, pageAt, visiblePages } from '../../lib/page-layout'

export type Zoom = 'page' | 'width' | number

/** A place of a page, as fractions of it, and where it is in the view, in pixels. */
type Anchor = { index: number; x: number; y: number; atX: number; atY: number }
/** A page becomes the current one when it is looked at for so long, or when the scrolling ends on it. */
const SETTLED_MILLISECONDS = 400
const IDLE_MILLISECONDS = 120
const USER_EVENTS = ['wheel', 'touchmove', 'pointerdown', 'keydown'] as const

/** The pages of a document below each other: which can be seen, and which is looked at. A new zoom or a
 * size that becomes known leaves what is seen in its place. */
export function usePageScroll(props: {
  frame: RefObject<HTMLDivElement | null>
  sizes: readonly Size[]
  zoom: Zoom
  view: Size
  pageIndex: number
  onPage: (index: number) => void
  /** Called while the user scrolls, with the place in the current page that is looked at, 0 to 1. */
  onScrolledTo: (y: number) => void
}) {
  const { frame, sizes, zoom, view, pageIndex } = props
  const layout = useMemo(() => layoutOf(sizes, zoom, view), [sizes, zoom, view.width, view.height])
  const [[first, last], setRange] = useState<[number, number]>([pageIndex, pageIndex])
  const anchor = useRef<Anchor | null>(null)
  const byUser = useRef(false)
  const settling = useRef<{ index: number; since: number } | null>(null)
  const idle = useRef<ReturnType<typeof setTimeout>>(undefined)
  const latest = useRef({ ...props, layout })
  latest.current = { ...props, layout }
  /** The layout that the view shows, and where it was scrolled to last. */
  const placed = useRef({ layout, top: 0 })

  function placeAt(atX: number, atY: number, layout = latest.current.layout): Anchor | null {
    const element = frame.current
    if (element === null) return null
    const y = element.scrollTop + atY
    const index = pageAt(layout, y)
    const left = leftOf(layout.width, layout.widths[index] ?? 0, element)
    return {
      index,
      x: (element.scrollLeft + atX - left) / (layout.widths[index] || 1),
      y: (y - (layout.tops[index] ?? 0)) / (layout.heights[index] || 1),
      ...{ atX, atY },
    }
  }

  const updateRange = () => {
    const element = frame.current
    if (element === null) return
    const next = visiblePages(latest.current.layout, element.scrollTop, element.clientHeight)
    setRange((range) => (range[0] === next[0] && range[1] === next[1] ? range : next))
  }

  function settle(index: number) {
    clearTimeout(idle.current)
    const end = () => {
      settling.current = null
      if (index !== latest.current.pageIndex) latest.current.onPage(index)
    }
    if (settling.current?.index !== index) settling.current = { index, since: performance.now() }
    if (performance.now() - settling.current.since >= SETTLED_MILLISECONDS) end()
    else idle.current = setTimeout(end, IDLE_MILLISECONDS)
  }

  function onScroll() {
    const element = frame.current
    if (element === null) return
    updateRange()
    const middle = placeAt(element.clientWidth / 2, element.clientHeight / 2)
    anchor.current = middle
    placed.current.top = element.scrollTop
    if (!byUser.current) return
    const { layout, pageIndex, onScrolledTo } = latest.current
    settle(mainPage(layout, element.scrollTop, element.clientHeight))
    if (middle?.index === pageIndex) onScrolledTo(middle.y)
  }

  useEffect(() => {
    const element = frame.current
    const mark = () => {
      byUser.current = true
    }
    for (const name of USER_EVENTS) element?.addEventListener(name, mark, { passive: true })
    return () => {
      for (const name of USER_EVENTS) element?.removeEventListener(name, mark)
      clearTimeout(idle.current)
    }
  }, [frame])

  const shown = useRef(-1)
  useLayoutEffect(() => {
    const element = frame.current
    if (element === null || view.height <= 0) return
    const isNewPage = shown.current !== pageIndex
    shown.current = pageIndex
    // The event of a scroll comes after it: a layout that is computed in between keeps the place too.
    if (byUser.current && isScrolled(element, placed.current.top))
      anchor.current = placeAt(element.clientWidth / 2, element.clientHeight / 2, placed.current.layout)
    const isLookedAt = mainPage(layout, element.scrollTop, element.clientHeight) === pageIndex
    if (isNewPage && !(byUser.current && isLookedAt)) {
      byUser.current = false
      clearTimeout(idle.current) // the page that the scrolling ended on is not wanted any more
      settling.current = null
      element.scrollTo({ top: offsetOf(layout, pageIndex, element.clientHeight), behavior: 'instant' })
      anchor.current = null
    } else if (anchor.current !== null) {
      const { index, x, y, atX, atY } = anchor.current
      const left = leftOf(layout.width, layout.widths[index] ?? 0, element)
      element.scrollTo({
        left: left + x * (layout.widths[index] ?? 0) - atX,
        top: (layout.tops[index] ?? 0) + y * (layout.heights[index] ?? 0) - atY,
        behavior: 'instant',
      })
    } else {
      element.scrollTo({ top: offsetOf(layout, pageIndex, element.clientHeight), behavior: 'instant' })
    }
    placed.current = { layout, top: element.scrollTop }
    updateRange()
  }, [layout, pageIndex, frame])

  return {
    layout,
    first,
    last,
    onScroll,
    /** Keeps a place of the view where it is when the zoom changes. */
    hold: (at: { x: number; y: number }) => {
      anchor.current = placeAt(at.x, at.y)
      placed.current.top = frame.current?.scrollTop ?? 0
    },
  }
}

/** Whether the view was scrolled since it was at `top`; it is not where a lower layout ends before that. */
function isScrolled({ scrollTop, clientHeight, scrollHeight }: HTMLElement, top: number): boolean {
  const isAtEnd = scrollTop + clientHeight >= scrollHeight - 1
  return scrollTop > top || (scrollTop < top && !isAtEnd)
}

/** Pages are centred in what is scrolled. */
function leftOf(width: number, own: number, element: HTMLElement): number {
  return (Math.max(width, element.clientWidth) - own) / 2
}

// Where the pages of a document are when they lie below each other, in pixels of the screen.
import { fitZoom, type Size } from './geometry'

export const GAP = 16 // above, between and below the pages

export type PageLayout = {
  tops: readonly number[]
  heights: readonly number[]
  widths: readonly number[]
  scales: readonly number[]
  width: number
  height: number
}

/** `zoom`: screen pixels for a pixel of a page, or how each page fits the view. */
export function layoutOf(sizes: readonly Size[], zoom: number | 'page' | 'width', view: Size): PageLayout {
  const scales = sizes.map((size) => (typeof zoom === 'number' ? zoom : fitZoom(size, view, zoom)))
  const widths = sizes.map((size, index) => size.width * (scales[index] ?? 1))
  const heights = sizes.map((size, index) => size.height * (scales[index] ?? 1))
  let top = GAP
  const tops = heights.map((height) => {
    const own = top
    top += height + GAP
    return own
  })
  return { tops, heights, widths, scales, width: Math.max(0, ...widths) + 2 * GAP, height: top }
}

/** The page at a place; the gap below a page belongs to it. */
export function pageAt({ tops }: PageLayout, y: number): number {
  let low = 0
  let high = tops.length - 1
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if ((tops[middle] ?? 0) <= y) low = middle
    else high = middle - 1
  }
  return low
}

/** The page that is looked at: the one in the middle; at the ends of the document the first and last. */
export function mainPage(layout: PageLayout, top: number, viewHeight: number): number {
  if (top <= 1) return 0
  if (top + viewHeight >= layout.height - 1) return layout.tops.length - 1
  return pageAt(layout, top + viewHeight / 2)
}

/** The scroll offset that shows a page: from its top, or in the middle if it is lower than the view. */
export function offsetOf({ tops, heights }: PageLayout, index: number, viewHeight: number): number {
  const [top = 0, height = 0] = [tops[index], heights[index]]
  const space = viewHeight - height
  return space > 2 * GAP ? top - space / 2 : top - GAP
}

/** The first and the last page that can be seen, and one more on either side. */
export function visiblePages(layout: PageLayout, top: number, viewHeight: number): [number, number] {
  const last = layout.tops.length - 1
  return [Math.max(0, pageAt(layout, top) - 1), Math.min(last, pageAt(layout, top + viewHeight) + 1)]
}

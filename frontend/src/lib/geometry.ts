// The arithmetic of boxes and zoom. Box coordinates are fractions of the page, 0 to 1.

export type Box = readonly [x0: number, y0: number, x1: number, y1: number]
export type Size = { width: number; height: number }

const MIN_ZOOM = 0.1
const MIN_FIT = 0.005 // a very long image is fitted too
const MAX_ZOOM = 8

/** A box with ordered sides, clipped to the page; undefined for a box without an area. */
export function boxOf(sides: readonly number[]): Box | undefined {
  const [a, b, c, d] = sides
  if (a === undefined || b === undefined || c === undefined || d === undefined) return undefined
  if (![a, b, c, d].every(Number.isFinite)) return undefined
  const box: Box = [
    clamp(Math.min(a, c), 0, 1),
    clamp(Math.min(b, d), 0, 1),
    clamp(Math.max(a, c), 0, 1),
    clamp(Math.max(b, d), 0, 1),
  ]
  return box[2] > box[0] && box[3] > box[1] ? box : undefined
}

export function boxStyle([x0, y0, x1, y1]: Box) {
  return {
    left: percent(x0),
    top: percent(y0),
    width: percent(x1 - x0),
    height: percent(y1 - y0),
  }
}

/** The z-index of a box: smaller boxes lie above larger ones, so that each can be clicked. */
export function stackOrder([x0, y0, x1, y1]: Box): number {
  return 1 + Math.round((1 - (x1 - x0) * (y1 - y0)) * 1000)
}

/** Style of an element that shows the crop of a page image, set as its background. */
export function cropStyle([x0, y0, x1, y1]: Box, page: Size) {
  const width = x1 - x0
  const height = y1 - y0
  return {
    aspectRatio: String((width * page.width) / (height * page.height)),
    backgroundSize: `${percent(1 / width)} ${percent(1 / height)}`,
    backgroundPosition: `${percent(backgroundOffset(x0, width))} ${percent(backgroundOffset(y0, height))}`,
  }
}

/** A CSS background position is a fraction of the image's overflow over its element. */
function backgroundOffset(start: number, length: number): number {
  return length < 1 ? start / (1 - length) : 0
}

export function fitZoom(page: Size, view: Size, how: 'width' | 'page'): number {
  if (page.width <= 0 || page.height <= 0) return 1
  const wide = view.width / page.width
  return clamp(how === 'width' ? wide : Math.min(wide, view.height / page.height), MIN_FIT, MAX_ZOOM)
}

export function clampZoom(zoom: number): number {
  return clamp(zoom, MIN_ZOOM, MAX_ZOOM)
}

/** The scroll offset that keeps the point under the pointer fixed when the zoom changes. */
export function scrollAfterZoom(scroll: number, pointer: number, factor: number): number {
  return (scroll + pointer) * factor - pointer
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value))
}

function percent(fraction: number): string {
  return `${(fraction * 100).toFixed(4)}%`
}

// The only arithmetic on boxes and zoom. Boxes are fractions of the page, 0 to 1.

export type Box = readonly [x0: number, y0: number, x1: number, y1: number]
export type Size = { width: number; height: number }

export const MIN_ZOOM = 0.1
export const MAX_ZOOM = 8

/** Four ordered sides inside the page, or nothing for a box that has no area. */
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

/** Smaller boxes lie above larger ones, so that each can be pointed at. */
export function stackOrder([x0, y0, x1, y1]: Box): number {
  return 1 + Math.round((1 - (x1 - x0) * (y1 - y0)) * 1000)
}

/** A frame that shows only the box of a picture: its shape, and the picture as its background. */
export function cropStyle([x0, y0, x1, y1]: Box, page: Size) {
  const width = x1 - x0
  const height = y1 - y0
  return {
    aspectRatio: String((width * page.width) / (height * page.height)),
    backgroundSize: `${percent(1 / width)} ${percent(1 / height)}`,
    backgroundPosition: `${percent(shareOfRest(x0, width))} ${percent(shareOfRest(y0, height))}`,
  }
}

/** CSS places a background by the share of what sticks out of its frame. */
function shareOfRest(start: number, length: number): number {
  return length < 1 ? start / (1 - length) : 0
}

export function fitZoom(page: Size, view: Size, how: 'width' | 'page'): number {
  if (page.width <= 0 || page.height <= 0) return 1
  const wide = view.width / page.width
  return clampZoom(how === 'width' ? wide : Math.min(wide, view.height / page.height))
}

export function clampZoom(zoom: number): number {
  return clamp(zoom, MIN_ZOOM, MAX_ZOOM)
}

/** Where to scroll so that the point under the pointer stays there while the zoom changes. */
export function scrollAfterZoom(scroll: number, pointer: number, factor: number): number {
  return (scroll + pointer) * factor - pointer
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value))
}

function percent(fraction: number): string {
  return `${(fraction * 100).toFixed(4)}%`
}

/** Scrolls an element into view: smoothly, unless the user prefers reduced motion. */
export function scrollIntoView(element: Element | null | undefined, block: ScrollLogicalPosition = 'nearest'): void {
  const still = window.matchMedia('(prefers-reduced-motion: reduce)').matches
  const behavior = still ? 'instant' : 'smooth'
  element?.scrollIntoView({ block, inline: 'nearest', behavior })
}

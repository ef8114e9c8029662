import { useEffect, useState, type RefObject } from 'react'
import { textRanges } from '../../lib/text-search'

const HIGHLIGHT = 'dsocr-found'

/** Highlights the matches of `query` in an element, with the CSS Custom Highlight API where the
 * browser has it. `content` is what the element shows: a change searches again. */
export function useHighlight(
  element: RefObject<HTMLElement | null>,
  query: string,
  content: unknown[],
): void {
  const [renders, setRenders] = useState(0)
  useEffect(() => {
    const frame = requestAnimationFrame(() => setRenders((count) => count + 1))
    return () => cancelAnimationFrame(frame)
  }, [query, ...content])
  useEffect(() => {
    if (!('highlights' in CSS) || element.current === null) return
    const ranges = textRanges(element.current, query)
    if (ranges.length > 0) CSS.highlights.set(HIGHLIGHT, new Highlight(...ranges))
    return () => void CSS.highlights.delete(HIGHLIGHT)
  }, [element, query, renders])
}

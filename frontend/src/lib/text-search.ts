// Finds text in blocks, and the ranges of its matches in the page's elements.

export function matches(text: string, query: string): boolean {
  return query !== '' && normalize(text).includes(normalize(query))
}

/** A range for each match inside `root`; a match lies within one text node. */
export function textRanges(root: Node, query: string): Range[] {
  if (query === '') return []
  const ranges: Range[] = []
  const needle = query.toLowerCase()
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent?.toLowerCase() ?? ''
    let at = text.indexOf(needle)
    while (at >= 0) {
      const range = document.createRange()
      range.setStart(walker.currentNode, at)
      range.setEnd(walker.currentNode, at + needle.length)
      ranges.push(range)
      at = text.indexOf(needle, at + needle.length)
    }
  }
  return ranges
}

function normalize(text: string): string {
  return text.toLowerCase().replace(/\s+/g, ' ')
}

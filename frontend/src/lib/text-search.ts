// Finding words in blocks, and marking them without touching the page's elements.

export function matches(text: string, words: string): boolean {
  return words !== '' && fold(text).includes(fold(words))
}

/** Ranges of the found words inside an element; found in the text as shown, piece by piece. */
export function rangesIn(root: Node, words: string): Range[] {
  if (words === '') return []
  const ranges: Range[] = []
  const wanted = words.toLowerCase()
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent?.toLowerCase() ?? ''
    let at = text.indexOf(wanted)
    while (at >= 0) {
      const range = document.createRange()
      range.setStart(walker.currentNode, at)
      range.setEnd(walker.currentNode, at + wanted.length)
      ranges.push(range)
      at = text.indexOf(wanted, at + wanted.length)
    }
  }
  return ranges
}

function fold(text: string): string {
  return text.toLowerCase().replace(/\s+/g, ' ')
}

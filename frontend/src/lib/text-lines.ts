// Which lines of text lie in which box of a block.
import { boxOf, type Box } from './geometry'
import type { Block, Page } from './result'

export type Line = Page['lines'][number]

/** A line and its place, as fractions of the box that it lies in. */
export type PlacedLine = { line: Line; box: Box }

/** The lines by `block-box`, each in the smallest box that has its middle. */
export function linesByBox(blocks: readonly Block[], lines: readonly Line[]): Map<string, PlacedLine[]> {
  const boxes = blocks.flatMap(({ id, boxes }) =>
    boxes.flatMap(({ index, normalized }) => {
      const box = boxOf(normalized)
      return box === undefined ? [] : [{ key: `${id}-${index}`, box, area: areaOf(box) }]
    }),
  )
  boxes.sort((a, b) => a.area - b.area)
  const found = new Map<string, PlacedLine[]>()
  for (const line of lines) {
    const box = boxOf(line.box)
    if (box === undefined) continue
    const owner = boxes.find((each) => contains(each.box, (box[0] + box[2]) / 2, (box[1] + box[3]) / 2))
    if (owner === undefined) continue
    const placed = { line, box: within(box, owner.box) }
    found.set(owner.key, [...(found.get(owner.key) ?? []), placed])
  }
  return found
}

const areaOf = ([x0, y0, x1, y1]: Box) => (x1 - x0) * (y1 - y0)
const contains = ([x0, y0, x1, y1]: Box, x: number, y: number) => x0 <= x && x <= x1 && y0 <= y && y <= y1

function within([x0, y0, x1, y1]: Box, [a, b, c, d]: Box): Box {
  const [width, height] = [c - a, d - b]
  return [(x0 - a) / width, (y0 - b) / height, (x1 - a) / width, (y1 - b) / height]
}

const DOUBTFUL = 0.8 // the probability below which the engine wants a word to be compared

/** The places of doubtful words, as fractions of the line. */
export function doubtfulWords({ text, words = [] }: Line): [from: number, to: number][] {
  const length = [...text].length // places are counted in code points
  return words.filter(([, , right]) => right < DOUBTFUL).map(([from, to]) => [from / length, to / length])
}

/** The selected text of the elements, a line each. */
export function selectedText(selection: Selection, elements: Iterable<Element>): string {
  const range = selection.getRangeAt(0)
  const parts: string[] = []
  for (const element of elements) {
    const node = element.firstChild
    if (node === null || !selection.containsNode(node, true)) continue
    const text = node.textContent ?? ''
    const from = node === range.startContainer ? range.startOffset : 0
    const to = node === range.endContainer ? range.endOffset : text.length
    if (to > from) parts.push(text.slice(from, to))
  }
  return parts.join('\n')
}

// @vitest-environment jsdom
import { expect, test } from 'vitest'
import { doubtfulWords, linesByBox, selectedText, type Line } from './text-lines'

const line = (text: string, box: number[], words: Line['words'] = []): Line => ({ text, box, confidence: 0.9, words })
const block = (id: number, normalized: number[]) => ({
  ...{ id, label: 'text', text: '', confidence: null, score: null, review: false },
  boxes: [{ index: 0, absolute: [], normalized }],
})

test('a line lies in the smallest box around its middle, at its place', () => {
  const blocks = [block(0, [0, 0, 1, 1]), block(1, [0, 0, 0.5, 0.5])]
  const found = linesByBox(blocks, [line('in', [0, 0.25, 0.5, 0.5]), line('out', [0.5, 0.75, 1, 1])])
  expect(found.get('1-0')).toEqual([{ line: line('in', [0, 0.25, 0.5, 0.5]), box: [0, 0.5, 1, 1] }])
  expect(found.get('0-0')?.map(({ line }) => line.text)).toEqual(['out'])
})

test('doubtful words are counted in code points', () => {
  expect(doubtfulWords(line('𝒜b cd', [0, 0, 1, 1], [[0, 2, 0.9], [3, 5, 0.2]]))).toEqual([[0.6, 1]])
})

test('a selection over several lines is copied with a break after each', () => {
  document.body.innerHTML = '<p>first line</p><p>second</p><p>third</p>'
  const lines = document.querySelectorAll('p')
  const selection = getSelection()
  const [first, , third] = Array.from(lines, (each) => each.firstChild)
  if (selection === null || !first || !third) throw new Error('no text')
  selection.setBaseAndExtent(first, 6, third, 2)
  expect(selectedText(selection, lines)).toBe('line\nsecond\nth')
})

import { expect, test } from 'vitest'
import { goesAtOnce, sorted } from './files'

const LIMITS = { imageBytes: 10, jobBytes: 100 }

function file(name: string, type: string, size = 5): File {
  return new File([new Uint8Array(size)], name, { type })
}

test('what cannot be read is refused with its reason', () => {
  const files = [
    file('a.txt', 'text/plain'),
    file('b.png', 'image/png', 0),
    file('c.pdf', 'application/pdf', 101),
    file('x.svg', 'image/svg+xml'),
    file('d.pdf', ''),
  ]
  const { good, refused } = sorted(files, 100)
  expect(good.map(({ name }) => name)).toEqual(['d.pdf'])
  expect(refused.map(({ why }) => why)).toEqual(['notDocument', 'empty', 'tooLarge', 'notDocument'])
})

test('files are read in the order people count', () => {
  const { good } = sorted([file('p10.png', 'image/png'), file('p9.png', 'image/png')], 100)
  expect(good.map(({ name }) => name)).toEqual(['p9.png', 'p10.png'])
})

test('one picture is read at once; a PDF, several or a large one are a job', () => {
  const png = file('a.png', 'image/png')
  expect(goesAtOnce([png], true, LIMITS)).toBe(true)
  expect(goesAtOnce([png, png], true, LIMITS)).toBe(false)
  expect(goesAtOnce([file('a.pdf', 'application/pdf')], true, LIMITS)).toBe(false)
  expect(goesAtOnce([file('a.png', 'image/png', 11)], true, LIMITS)).toBe(false)
  expect(goesAtOnce([file('a.pdf', 'application/pdf')], false, LIMITS)).toBe(true)
})

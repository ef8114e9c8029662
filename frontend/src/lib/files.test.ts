import { expect, test } from 'vitest'
import { documentsOf, validateFiles } from './files'

function file(name: string, type: string, size = 5): File {
  return new File([new Uint8Array(size)], name, { type })
}

test('unsupported, empty and oversized files are rejected with the reason', () => {
  const files = [
    file('a.txt', 'text/plain'),
    file('b.png', 'image/png', 0),
    file('c.pdf', 'application/pdf', 101),
    file('x.svg', 'image/svg+xml'),
    file('d.pdf', ''),
  ]
  const { accepted, rejected } = validateFiles(files, 100)
  expect(accepted.map(({ name }) => name)).toEqual(['d.pdf'])
  expect(rejected.map(({ reason }) => reason)).toEqual(['notDocument', 'empty', 'tooLarge', 'notDocument'])
})

test('files are sorted in natural number order', () => {
  const { accepted } = validateFiles([file('p10.png', 'image/png'), file('p9.png', 'image/png')], 100)
  expect(accepted.map(({ name }) => name)).toEqual(['p9.png', 'p10.png'])
})

test('files become documents of their own, or together one', () => {
  const [a, b] = [file('a.png', 'image/png'), file('b.pdf', 'application/pdf')]
  expect(documentsOf([a, b], false)).toEqual([[a], [b]])
  expect(documentsOf([a, b], true)).toEqual([[a, b]])
  expect(documentsOf([], true)).toEqual([])
})

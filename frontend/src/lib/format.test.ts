import { expect, test } from 'vitest'
import { bytes, duration, fileName } from './format'

test('sizes and durations are formatted briefly', () => {
  expect([bytes(0, 'en'), bytes(1500, 'en'), bytes(15_728_640, 'en')]).toEqual([
    '0 B',
    '1.5 kB',
    '15.7 MB',
  ])
  expect([duration(2.34, 'en'), duration(65, 'en'), duration(7400, 'en')]).toEqual([
    '2.3 s',
    '1:05',
    '2:03:20',
  ])
})

test('a file name contains no reserved characters', () => {
  expect(fileName('a/b:c.pdf', 'md')).toBe('a_b_c.md')
  expect(fileName('.pdf', 'md')).toBe('document.md')
})

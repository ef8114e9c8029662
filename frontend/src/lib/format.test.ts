import { expect, test } from 'vitest'
import { bytes, duration, fileName } from './format'
import { visionTokens } from './vision-tokens'

test('sizes and times are short', () => {
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

test('a file name is one that every system takes', () => {
  expect(fileName('a/b:c.pdf', 'md')).toBe('a_b_c.md')
  expect(fileName('.pdf', 'md')).toBe('document.md')
})

test('vision tokens are those of the paper', () => {
  const of = (base_size: number, image_size: number, crop_mode = false) =>
    visionTokens({ base_size, image_size, crop_mode })
  expect([of(512, 512), of(640, 640), of(1024, 1024), of(1280, 1280)]).toEqual([
    [64],
    [100],
    [256],
    [400],
  ])
  expect(of(1024, 640, true)).toEqual([256, 1156])
})

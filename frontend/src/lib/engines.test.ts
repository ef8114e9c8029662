import { expect, test } from 'vitest'
import { engineLabel, isEmbedded } from './engines'

test('the embedded engine has one label under its current and its earlier name', () => {
  expect([engineLabel('ppocr'), engineLabel('rapidocr')]).toEqual(['PP-OCR', 'PP-OCR'])
  expect([isEmbedded('ppocr'), isEmbedded('rapidocr'), isEmbedded('native')]).toEqual([true, true, false])
})

test('other engines are shown by their name', () => {
  expect(engineLabel('native')).toBe('native')
})

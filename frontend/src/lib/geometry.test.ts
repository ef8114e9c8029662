import { describe, expect, test } from 'vitest'
import { boxOf, boxStyle, cropStyle, fitZoom, scrollAfterZoom, stackOrder } from './geometry'

describe('boxes', () => {
  test('swapped corners are put in order', () => {
    expect(boxOf([0.8, 0.9, 0.2, 0.1])).toEqual([0.2, 0.1, 0.8, 0.9])
  })
  test('a box is clipped to the page', () => {
    expect(boxOf([-1, 0.5, 2, 0.6])).toEqual([0, 0.5, 1, 0.6])
  })
  test.each([[[]], [[0.1, 0.2, 0.3]], [[0.1, 0.1, 0.1, 0.9]], [[Number.NaN, 0, 1, 1]]])(
    'a box without an area is undefined: %j',
    (sides) => expect(boxOf(sides)).toBeUndefined(),
  )
  test('fractions become percentages', () => {
    expect(boxStyle([0.25, 0, 0.75, 1])).toEqual({
      left: '25.0000%',
      top: '0.0000%',
      width: '50.0000%',
      height: '100.0000%',
    })
  })
  test('a smaller box lies above a larger one', () => {
    expect(stackOrder([0, 0, 0.1, 0.1])).toBeGreaterThan(stackOrder([0, 0, 1, 1]))
  })
  test('a crop shows the box and has its shape', () => {
    const style = cropStyle([0.5, 0, 1, 0.5], { width: 400, height: 200 })
    expect(Number(style.aspectRatio)).toBe(2)
    expect(style.backgroundSize).toBe('200.0000% 200.0000%')
    expect(style.backgroundPosition).toBe('100.0000% 0.0000%')
  })
})

test('a page is fitted to the smaller of both ratios', () => {
  const page = { width: 1000, height: 2000 }
  expect(fitZoom(page, { width: 500, height: 500 }, 'page')).toBe(0.25)
  expect(fitZoom(page, { width: 500, height: 500 }, 'width')).toBe(0.5)
  expect(fitZoom({ width: 1000, height: 40_000 }, { width: 500, height: 500 }, 'page')).toBe(0.0125) // a scroll
})

test('the point under the pointer stays fixed when the zoom doubles', () => {
  expect(scrollAfterZoom(100, 50, 2)).toBe(250)
})

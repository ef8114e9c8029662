import { expect, test } from 'vitest'
import { GAP, layoutOf, mainPage, offsetOf, pageAt, visiblePages } from './page-layout'

const sizes = [{ width: 100, height: 200 }, { width: 200, height: 100 }, { width: 100, height: 200 }]
const view = { width: 400, height: 300 }

test('pages lie below each other with a gap, each as its zoom makes it', () => {
  const layout = layoutOf(sizes, 2, view)
  expect(layout.tops).toEqual([GAP, 400 + 2 * GAP, 600 + 3 * GAP])
  expect([layout.width, layout.height]).toEqual([400 + 2 * GAP, 1000 + 4 * GAP])
  expect(layoutOf(sizes, 'width', view).scales).toEqual([4, 2, 4])
  expect(layoutOf(sizes, 'page', view).scales).toEqual([1.5, 2, 1.5])
})

test('the page in the middle of the view is the one looked at, at the ends the first and the last', () => {
  const layout = layoutOf(sizes, 1, view)
  expect(pageAt(layout, 0)).toBe(0)
  expect(pageAt(layout, 200 + GAP)).toBe(0)
  expect(pageAt(layout, 200 + 2 * GAP)).toBe(1)
  expect(mainPage(layout, 0, 600)).toBe(0)
  expect(mainPage(layout, 100, 300)).toBe(1)
  expect(mainPage(layout, layout.height - 300, 300)).toBe(2)
  for (const index of [0, 1, 2]) expect(pageAt(layout, offsetOf(layout, index, 300) + 150)).toBe(index)
})

test('a few of many pages are rendered', () => {
  const layout = layoutOf(Array.from({ length: 5000 }, () => ({ width: 100, height: 100 })), 1, view)
  expect(visiblePages(layout, 0, 300)).toEqual([0, 3])
  const [first, last] = visiblePages(layout, 200_000, 300)
  expect(last - first).toBeLessThan(7)
  expect(visiblePages(layout, layout.height - 300, 300)[1]).toBe(4999)
})

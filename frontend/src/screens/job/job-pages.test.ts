import { beforeEach, expect, test, vi } from 'vitest'
import { imageLoader } from './job-pages'

const asked: number[] = []
vi.mock('../../api/client', () => ({
  pageImage: (_: string, index: number) => (asked.push(index), Promise.resolve(new Blob([String(index)])))
}))

beforeEach(() => {
  asked.length = 0
  vi.useFakeTimers()
})

test('images of pages that are scrolled past are not requested, the newest one is first', async () => {
  const load = imageLoader('job', { atOnce: 1 })
  const scrolledPast = [1, 2, 3].map((index) => {
    const controller = new AbortController()
    void load({ index, rotation: 0 }, controller.signal)
    return controller
  })
  for (const controller of scrolledPast.slice(1)) controller.abort()
  const still = new AbortController().signal
  const shown = [8, 9].map((index) => load({ index, rotation: 0 }, still))
  await vi.runAllTimersAsync()
  await Promise.all(shown)
  expect(asked[0]).toBe(1)
  expect(new Set(asked)).toEqual(new Set([1, 8, 9]))
  await load({ index: 9, rotation: 0 }, still)
  expect(asked).toHaveLength(3) // it is kept
  vi.useRealTimers()
  await load({ index: 9, rotation: 90 }, still)
  expect(asked).toHaveLength(4) // the turned page is another image
})

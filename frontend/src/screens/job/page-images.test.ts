import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { pageLoaders } from './page-images'

type Request = { name: string; signal: AbortSignal; answer: (image: Blob) => void; fail: (error: Error) => void }
const requests: Request[] = []
vi.mock('../../api/client', () => ({
  ApiError: class extends Error {
    status = 404
  },
  pageImage: (_: string, index: number, signal: AbortSignal, width = 0, rotation = 0) =>
    new Promise<Blob>((answer, fail) => {
      signal.addEventListener('abort', () => fail(new Error('aborted')))
      const name = [index, ...(rotation > 0 ? [rotation] : []), ...(width > 0 ? ['small'] : [])].join(' ')
      requests.push({ name, signal, answer, fail })
    }),
}))

beforeEach(() => {
  requests.length = 0
  vi.useFakeTimers()
})
afterEach(() => void vi.useRealTimers())

const still = () => new AbortController().signal
const page = (index: number, rotation = 0) => ({ index, rotation })
const names = () => requests.map(({ name }) => name)

/** Answers all that were requested, and what is requested then. */
async function answerAll(): Promise<void> {
  await vi.advanceTimersByTimeAsync(200)
  for (const request of requests) {
    request.answer(new Blob([request.name]))
    await vi.advanceTimersByTimeAsync(200)
  }
}

test('images of pages that are scrolled past are not requested, the newest one is first', async () => {
  const { image } = pageLoaders('job')
  void image(page(1), still())
  for (const index of [2, 3, 4]) {
    const controller = new AbortController()
    void image(page(index), controller.signal)
    controller.abort()
  }
  for (const index of [7, 8, 9]) void image(page(index), still())
  await answerAll()
  expect(names()).toEqual(['1', '7', '9', '8'])
  await image(page(9), still())
  expect(requests).toHaveLength(4) // it is kept
  void image(page(9, 90), still())
  expect(names().at(-1)).toBe('9 90') // the turned page is another image
})

test('the page that is looked at is requested first, and thumbnails after all images', async () => {
  const { image, thumbnail } = pageLoaders('job')
  void image(page(1), still())
  for (const index of [3, 4, 5]) void thumbnail(page(index), still())
  void image(page(2), still())
  await vi.advanceTimersByTimeAsync(200)
  expect(names()).toEqual(['1', '2'])
  void image(page(8), still(), true)
  expect(names()).toEqual(['1', '2', '8'])
  await answerAll()
  expect(names().slice(3)).toEqual(['5 small', '4 small', '3 small'])
})

test('an image is requested once for all who need it, and again after all have left', async () => {
  const { image } = pageLoaders('job')
  const [first, second] = [new AbortController(), new AbortController()]
  const shown = image(page(5), first.signal, true)
  void image(page(5), second.signal)
  second.abort()
  expect(requests[0]?.signal.aborted).toBe(false)
  first.abort()
  expect(requests[0]?.signal.aborted).toBe(true)
  await expect(shown).rejects.toThrow('aborted')
  const back = image(page(5), still())
  void image(page(5), still(), true)
  await answerAll()
  expect(await back).toBeInstanceOf(Blob)
  expect(names()).toEqual(['5', '5'])
})

test('an image that could not be loaded is requested again, one that is not there is not', async () => {
  const { image } = pageLoaders('job')
  const shown = image(page(1), still())
  requests[0]?.fail(new Error('The connection was lost.'))
  await vi.advanceTimersByTimeAsync(1000)
  requests[1]?.answer(new Blob(['1']))
  expect(await shown).toBeInstanceOf(Blob)
  const missing = image(page(2), still(), true)
  requests[2]?.fail(new (await import('../../api/client')).ApiError(404, 'not_found', ''))
  await expect(missing).rejects.toThrow()
  expect(requests).toHaveLength(3)
})

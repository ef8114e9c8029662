import { QueryClient, QueryObserver } from '@tanstack/react-query'
import { expect, test } from 'vitest'
import { refresh, show } from './refresh'

const KEY = ['page', 'job', 0]

/** A query whose responses the test sends: the first is that of the fetch that starts here. */
function observed() {
  const cache = new QueryClient()
  const responses: ((text: string) => void)[] = []
  const queryFn = ({ signal }: { signal: AbortSignal }) =>
    new Promise<string>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason))
      responses.push(resolve)
    })
  const observer = new QueryObserver(cache, { queryKey: KEY, queryFn, staleTime: Infinity, retry: false })
  observer.subscribe(() => undefined)
  return { cache, responses, text: () => cache.getQueryData(KEY) }
}

test('a fetch under way does not replace what a change was answered with', async () => {
  const { cache, responses, text } = observed()
  show(cache, KEY, 'corrected')
  responses[0]?.('before the correction')
  await new Promise((resolve) => setTimeout(resolve))
  expect(text()).toBe('corrected')
})

test('a refetch under way does not replace a newer event', async () => {
  const { cache, responses, text } = observed()
  show(cache, KEY, 'queued')
  const refetched = cache.invalidateQueries({ queryKey: KEY })
  show(cache, KEY, 'succeeded')
  responses[1]?.('queued')
  await refetched
  expect(text()).toBe('succeeded')
})

test('a first fetch under way is started again by a refresh', async () => {
  const { cache, responses, text } = observed()
  const refreshed = refresh(cache, KEY)
  await expect.poll(() => responses.length).toBe(2)
  responses[0]?.('before the change')
  responses[1]?.('after the change')
  await refreshed
  expect(text()).toBe('after the change')
})

import type { QueryClient, QueryKey } from '@tanstack/react-query'

/**
 * Fetches again what has changed on the server. A first fetch under way is started again too: it may
 * have been responded to before the change, and `invalidateQueries` alone takes its data for current.
 */
export async function refresh(cache: QueryClient, queryKey: QueryKey): Promise<void> {
  await cache.cancelQueries({ queryKey })
  await cache.invalidateQueries({ queryKey })
}

/**
 * Shows what the server has answered to a change, or sent as an event. A fetch under way is cancelled:
 * it may have been responded to before, and would replace this by what was there then.
 */
export function show<T>(cache: QueryClient, queryKey: QueryKey, data: T): void {
  void cache.cancelQueries({ queryKey }) // takes effect at once
  cache.setQueryData(queryKey, data)
}

/** Fetches the lists of jobs again. */
export const refreshJobs = (cache: QueryClient) => refresh(cache, ['jobs'])

import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef } from 'react'
import * as api from '../../api/client'

/** The server's health, polled; after an outage, all queries are repeated. */
export function useHealth() {
  const cache = useQueryClient()
  const { data: health, isError, isFetched } = useQuery({
    queryKey: ['health'],
    queryFn: ({ signal }) => api.health(signal),
    retry: 1,
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) =>
      state.status === 'error' || state.data?.engine.state !== 'ready' ? 1500 : 5000,
  })
  // A query without data is pending again at each repetition; the outage lasts until the first response.
  const offline = isError || (isFetched && health === undefined)
  const wasOffline = useRef(false)
  useEffect(() => {
    if (!offline && wasOffline.current) void cache.invalidateQueries()
    wasOffline.current = offline
  }, [cache, offline])
  return { health, offline }
}

import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useMemo, useState } from 'react'
import * as api from '../../api/client'
import { isHarmless } from '../../lib/result'
import type { PageMark } from '../../viewer/page/page-list'

type News = Pick<api.JobPage, 'flags' | 'error' | 'finishReason'>

/** A job as it stands now, and how each of its pages does. */
export function useJob(jobId: string) {
  const cache = useQueryClient()
  const [news, setNews] = useState<ReadonlyMap<number, News>>(new Map())
  const [error, setError] = useState<Error | null>(null)
  const { data: job, error: loadError } = useQuery({
    queryKey: ['job', jobId],
    queryFn: ({ signal }) => api.job(jobId, signal),
  })
  const known = job !== undefined
  const running = job !== undefined && isRunning(job)

  // Followed from the start: the pages that were read before are told first. A page that is read
  // again makes the job run again, and it is followed again.
  useEffect(() => {
    if (!known) return
    const controller = new AbortController()
    const told = new Map<number, News>()
    let drawn = 0
    const draw = () => {
      drawn = 0
      setNews(new Map(told))
    }
    const follow = api.followJob(
      jobId,
      ({ event, data }) => {
        if (event === 'page_done') {
          const page: News & { pageIndex: number } = JSON.parse(data)
          told.set(page.pageIndex, page)
          void cache.invalidateQueries({ queryKey: ['page', jobId, page.pageIndex] })
          if (drawn === 0) drawn = requestAnimationFrame(draw)
        } else {
          const now: api.Job = JSON.parse(data)
          cache.setQueryData(['job', jobId], now)
        }
      },
      controller.signal,
    )
    follow.catch((problem: Error) => setError(problem))
    return () => {
      controller.abort()
      cancelAnimationFrame(drawn)
    }
  }, [cache, jobId, known, running])

  const total = job?.pagesTotal ?? 0
  const marks = useMemo(() => {
    return Array.from({ length: total }, (_, index) => markOf(news.get(index)))
  }, [news, total])
  return { job, marks, error: error ?? (known && !isNotThere(loadError) ? null : loadError) }
}

export function isNotThere(error: Error | null): boolean {
  return error instanceof api.ApiError && error.status === 404
}

export function isRunning(job: api.Job): boolean {
  return job.status === 'queued' || job.status === 'running'
}

function markOf(news: News | undefined): PageMark {
  if (news === undefined) return 'waiting'
  if (news.error !== null) return 'failed'
  const fine = news.finishReason === 'stop' && news.flags.every(isHarmless)
  return fine ? 'done' : 'flagged'
}

import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useMemo, useRef, useState } from 'react'
import * as api from '../../api/client'
import { applyLiveEvent, isBeingRead, isInformational, type LivePages } from '../../lib/result'
import type { ServerEvent } from '../../lib/sse'
import type { PageMark } from '../../viewer/page/page-list'
import { refresh, show } from '../refresh'

type PageSummary = Pick<api.JobPage, 'flags' | 'error' | 'finishReason' | 'reviewShare' | 'rotation'>

/** A job and the mark of each of its pages, kept up to date by the job's events. */
export function useJob(jobId: string) {
  const cache = useQueryClient()
  const [summaries, setSummaries] = useState<ReadonlyMap<number, PageSummary>>(new Map())
  const [error, setError] = useState<Error | null>(null)
  const { data: job, error: loadError } = useQuery({
    queryKey: ['job', jobId],
    queryFn: ({ signal }) => api.job(jobId, signal),
  })
  const loaded = job !== undefined
  const active = job !== undefined && isActive(job)
  const [live, setLive] = useState<LivePages>(new Map())
  const [caughtUp, setCaughtUp] = useState(false)
  const followed = useRef({ summaries: new Map<number, PageSummary>(), live, after: '', caughtUp })

  // The event stream starts with the pages that are already done. A retried page makes the job
  // active again, and its events are followed on from the last one.
  useEffect(() => {
    if (!loaded) return
    const controller = new AbortController()
    const received = followed.current
    let frame = 0
    const publish = () => {
      frame = 0
      setSummaries(new Map(received.summaries))
      setLive(received.live)
      setCaughtUp(received.caughtUp)
    }
    const onEvent = (event: ServerEvent) => {
      received.after = event.id
      if (event.event === 'job' || event.event === 'done') {
        const updated: api.Job = JSON.parse(event.data)
        received.caughtUp = true
        if (frame === 0) frame = requestAnimationFrame(publish)
        show(cache, ['job', jobId], updated)
        return
      }
      received.live = applyLiveEvent(received.live, event)
      if (event.event === 'page_done') {
        const page: PageSummary & { pageIndex: number } = JSON.parse(event.data)
        received.summaries.set(page.pageIndex, page)
        void refresh(cache, ['page', jobId, page.pageIndex])
        void refresh(cache, ['versions', jobId, page.pageIndex]) // what was there before is one now
      }
      if (frame === 0) frame = requestAnimationFrame(publish)
    }
    const ended = api.followJob(jobId, onEvent, controller.signal, received.after)
    ended.catch((failure: Error) => setError(failure))
    return () => {
      controller.abort()
      cancelAnimationFrame(frame)
      if (frame !== 0) publish() // these events are not sent again
    }
  }, [cache, jobId, loaded, active])

  const total = job?.pagesTotal ?? 0
  const marks = useMemo(() => {
    return Array.from({ length: total }, (_, index) =>
      isBeingRead(live.get(index)) ? 'processing' : markOf(summaries.get(index)),
    )
  }, [summaries, live, total])
  const doubtful = useMemo(
    () => new Set([...summaries].filter(([, page]) => (page.reviewShare ?? 0) > 0).map(([index]) => index)),
    [summaries],
  )
  const rotations = useMemo(() => rotationsOf(summaries, live), [summaries, live])
  /** Whether the marks are those of the server: its first event of the job comes after those of its pages. */
  const known = caughtUp || job?.pagesDone === 0
  return { job, known, rotations, marks, live, doubtful, error: error ?? (loaded && !isNotFound(loadError) ? null : loadError) }
}

export function isNotFound(error: Error | null): boolean {
  return error instanceof api.ApiError && error.status === 404
}

/** Whether a job is queued or running. */
export function isActive(job: api.Job): boolean {
  return job.status === 'queued' || job.status === 'running'
}

/** Degrees clockwise by which pages are turned, of those that are. */
function rotationsOf(summaries: ReadonlyMap<number, PageSummary>, live: LivePages): ReadonlyMap<number, number> {
  const found = new Map([...summaries].map(([index, page]) => [index, page.rotation]))
  for (const [index, page] of live) if (isBeingRead(page)) found.set(index, page.state.rotation)
  return found
}

function markOf(summary: PageSummary | undefined): PageMark {
  if (summary === undefined) return 'waiting'
  if (summary.error !== null) return 'failed'
  const complete = summary.finishReason === 'stop' && summary.flags.every(isInformational)
  return complete ? 'done' : 'flagged'
}

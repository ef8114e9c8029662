// What the job screen derives from a page of a job.
import type { Job, JobPage, OcrResponse } from '../../api/client'
import type { PageState } from '../../lib/result'

const states = new WeakMap<JobPage, PageState>()

/** The state of a finished page; the same object for the same page, so that React does not
 * render it again. */
export function doneState(page: JobPage): PageState {
  const cached = states.get(page)
  if (cached !== undefined) return cached
  const corrections: Record<number, string> = {}
  for (const { id, text } of page.corrections) if (text !== null) corrections[id] = text
  const state: PageState = { status: 'done', page, corrections }
  states.set(page, state)
  return state
}

/** A result with this page alone, for an export whose document is the image of the page. */
export function singlePageResponse(page: JobPage, job: Job | undefined): OcrResponse {
  const corrected = new Map(page.corrections.map(({ id, text }) => [id, text]))
  const items = page.layout.items.map((item) => ({
    ...item,
    text: corrected.get(item.id) ?? item.text,
  }))
  const text = page.correctedText.replaceAll(`](images/${page.pageIndex}_`, '](images/0_')
  const single = { ...page, pageIndex: 0, text, layout: { ...page.layout, items } }
  return {
    mode: job?.mode ?? '',
    prompt: job?.prompt ?? '',
    text,
    rawText: page.rawText,
    durationMs: page.durationMs,
    fileName: page.fileName,
    fileSize: 0,
    engine: job?.engine ?? '',
    model: job?.model ?? '',
    layout: single.layout,
    pages: [single],
    requestId: '',
  }
}

let queue: Promise<unknown> = Promise.resolve()

/** Fetches page images one after another: the server renders a page for each. */
export function inImageQueue(fetchImage: () => Promise<Blob>): Promise<Blob> {
  const next = queue.then(fetchImage, fetchImage)
  queue = next.catch(() => undefined)
  return next
}

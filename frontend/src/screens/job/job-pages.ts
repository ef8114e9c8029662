// What the job screen derives from a page of a job.
import { pageImage, type Job, type JobPage, type OcrResponse } from '../../api/client'
import type { Draft } from '../../lib/drafts'
import type { PageState } from '../../lib/result'
import type { LoadPageImage } from '../../viewer/page/use-page-image'

/** The state of a page that was read, with the corrections of the server and of this device. */
export function doneState(page: JobPage, drafts: readonly Draft[]): PageState {
  const corrections: Record<number, string> = {}
  for (const { id, text } of page.corrections) if (text !== null) corrections[id] = text
  const pending = new Map<number, 'typed' | 'saved'>()
  for (const { page: index, block, text, phase } of drafts) {
    if (index !== page.pageIndex) continue
    pending.set(block, phase)
    if (phase === 'typed') continue
    if (text === null) delete corrections[block]
    else corrections[block] = text
  }
  return { status: 'done', page, corrections, pending }
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

const THUMBNAIL_WIDTH = 192
const SHARP_WIDTH = 2600 // pixels: 300 in an inch of A4
type Waiting = { start: () => void; signal: AbortSignal }

export const thumbnailLoader = (jobId: string) => imageLoader(jobId, { width: THUMBNAIL_WIDTH, atOnce: 2 })
/** Full images are kept for the pages that were looked at last. */
export const pageImageLoader = (jobId: string) => imageLoader(jobId, { atOnce: 3, kept: 12 })

export const sharpImageLoader =
  (jobId: string): LoadPageImage =>
  ({ index, rotation }, signal) =>
    pageImage(jobId, index, signal, SHARP_WIDTH, rotation)

type LoaderOptions = { width?: number; atOnce: number; kept?: number }

const HURRIED_MILLISECONDS = 300 // between two requests: the user scrolls fast
const PATIENCE_MILLISECONDS = 100 // that a page must stay in sight then before its image is requested

/** Loads images of a job's pages: the newest request first, those out of sight not at all. */
export function imageLoader(jobId: string, { width, atOnce, kept = Infinity }: LoaderOptions): LoadPageImage {
  const loaded = new Map<string, Blob>() // by index and rotation
  const waiting: Waiting[] = []
  let running = 0
  let askedAt = -Infinity

  function startNext() {
    while (running < atOnce) {
      const next = waiting.pop()
      if (next === undefined) return
      if (!next.signal.aborted) next.start()
    }
  }

  function keep(key: string, image: Blob): Blob {
    loaded.set(key, image)
    const [oldest] = loaded.keys()
    if (loaded.size > kept && oldest !== undefined) loaded.delete(oldest)
    return image
  }

  return ({ index, rotation }, signal) => {
    const key = `${index} ${rotation}`
    const known = loaded.get(key)
    if (known !== undefined) return Promise.resolve(known)
    return new Promise((resolve, reject) => {
      const start = () => {
        running += 1
        pageImage(jobId, index, signal, width, rotation)
          .then((image) => resolve(keep(key, image)), reject)
          .finally(() => ((running -= 1), startNext()))
      }
      const queue = () => (waiting.push({ start, signal }), startNext())
      const now = performance.now()
      if (now - askedAt < HURRIED_MILLISECONDS) setTimeout(queue, PATIENCE_MILLISECONDS)
      else queue()
      askedAt = now
    })
  }
}

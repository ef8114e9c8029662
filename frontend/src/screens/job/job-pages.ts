// What the job screen derives from a page of a job.
import type { Job, JobPage, OcrResponse } from '../../api/client'
import type { Draft } from '../../lib/drafts'
import type { PageState } from '../../lib/result'

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

// The state of each page of a document, while it is read and after, with the user's corrections.
import type { components } from '../api/schema'
import type { ServerEvent } from './sse'

export type Page = components['schemas']['PageAnswer']
export type Block = Page['layout']['items'][number]
export type OcrResponse = components['schemas']['OcrAnswer']
/** Corrected texts by block id. */
export type Corrections = Readonly<Record<number, string>>

type ReadingPage = {
  status: 'processing'
  width: number
  height: number
  /** Degrees clockwise by which the page is turned. */
  rotation: number
  raw: string
  blocks: Block[]
}
export type PageState =
  /** The state of the page is not known yet, or the page is being fetched. */
  | { status: 'loading' }
  /** Not read. */
  | { status: 'waiting' }
  | ReadingPage
  | {
      status: 'done'
      page: Page & { rotation?: number }
      corrections: Corrections
      /** Blocks with corrections that the server does not have, or with text in an editor. */
      pending?: ReadonlyMap<number, 'typed' | 'saved'>
    }

/** The pages that are being read, by index, as their events tell. */
export type LivePages = ReadonlyMap<number, LivePage>
/** `storedAt`: when the page could first be fetched, in milliseconds since the epoch. */
type LivePage = { state: ReadingPage; storedAt?: number }
const MAX_STORED = 8 // of the pages that were read; further ones are dropped

export function isBeingRead(live: LivePage | undefined): boolean {
  return live !== undefined && live.storedAt === undefined
}

/**
 * Whether the events of a page are newer than what was fetched of it. A page that is fetched again,
 * for a correction, is shown as it was until then: its menus and editors stay open.
 *
 * @param fetchedAt in milliseconds since the epoch, 0 for never
 */
export function isNewer(live: LivePage, fetchedAt: number): boolean {
  return live.storedAt === undefined || fetchedAt < live.storedAt
}

/** Whether a flag reports no problem: a page that was turned upright is as good as any other. */
export function isInformational(flag: string): boolean {
  return flag.startsWith('turned_')
}

/** The pages after one event of a job; the same object for an event that changes none. */
export function applyLiveEvent(pages: LivePages, { event, data }: ServerEvent): LivePages {
  const payload: unknown = JSON.parse(data)
  if (!isRecord(payload) || typeof payload.pageIndex !== 'number') return pages
  const index = payload.pageIndex
  if (event === 'page') {
    const size = { width: Number(payload.width), height: Number(payload.height) }
    const rotation = Number(payload.rotation ?? 0)
    return withPage(pages, index, { status: 'processing', ...size, rotation, raw: '', blocks: [] })
  }
  const live = pages.get(index)
  if (live === undefined) return pages
  const page = live.state
  if (event === 'page_done') {
    // A correction of a stored page is reported by the same event.
    return live.storedAt === undefined ? withPage(pages, index, page, Date.now()) : pages
  }
  if (event === 'delta') return withPage(pages, index, { ...page, raw: page.raw + payload.text })
  if (event === 'block' && isBlock(payload.block)) {
    return withPage(pages, index, { ...page, blocks: [...page.blocks, payload.block] })
  }
  if (event === 'page_reset') return withPage(pages, index, { ...page, raw: '', blocks: [] })
  return pages
}

function withPage(pages: LivePages, index: number, state: ReadingPage, storedAt?: number): LivePages {
  const next = new Map(pages)
  next.delete(index) // to the end: the order is that of the newest event
  next.set(index, storedAt === undefined ? { state } : { state, storedAt })
  const read = [...next].filter(([, page]) => page.storedAt !== undefined)
  for (const [old] of read.slice(0, -MAX_STORED)) next.delete(old)
  return next
}

/** The page's blocks, with the corrections applied. */
export function blocksOf(state: PageState): Block[] {
  if (state.status === 'waiting' || state.status === 'loading') return []
  if (state.status === 'processing') return state.blocks
  return state.page.layout.items.map((block) => {
    const text = state.corrections[block.id]
    return text === undefined ? block : { ...block, text }
  })
}

/** The block nearest to a height of the page, 0 to 1. */
export function blockAt(blocks: readonly Block[], y: number): number | undefined {
  const distance = ({ boxes }: Block) =>
    Math.min(...boxes.map(({ normalized: [, top = 0, , bottom = 0] }) => Math.max(top - y, y - bottom, 0)))
  let nearest: Block | undefined
  for (const block of blocks) {
    if (block.boxes.length > 0 && (nearest === undefined || distance(block) < distance(nearest))) nearest = block
  }
  return nearest?.id
}

/** The page's Markdown with the corrections applied. */
export function correctedText(page: Page, corrections: Corrections): string {
  let text = page.text
  let from = 0
  for (const block of page.layout.items) {
    const at = block.text === '' ? -1 : text.indexOf(block.text, from)
    if (at < 0) continue
    const replacement = corrections[block.id] ?? block.text
    text = text.slice(0, at) + replacement + text.slice(at + block.text.length)
    from = at + replacement.length
  }
  return text
}

/** The model output after the last complete grounding box, without grounding tokens. */
export function unfinishedText(raw: string): string {
  const tail = raw.split('<|/det|>').at(-1) ?? ''
  return tail.replace(/<\|ref\|>[\s\S]*$/, '').replace(/<\|[^|>]*\|?>?/g, '').trim()
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

// The backend sends the generated types; a few fields tell a block.
function isBlock(value: unknown): value is Block {
  return isRecord(value) && Array.isArray(value.boxes) && typeof value.label === 'string'
}

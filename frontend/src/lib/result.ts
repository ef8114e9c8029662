// The state of each page of a result, while it is streamed and after, and the user's corrections.
import type { components } from '../api/schema'
import type { ServerEvent } from './sse'

export type Page = components['schemas']['PageAnswer']
export type Block = Page['layout']['items'][number]
export type OcrResponse = components['schemas']['OcrAnswer']
export type Failure = { code: string; message: string }
/** Corrected texts by block id. */
export type Corrections = Readonly<Record<number, string>>

export type PageState =
  | { status: 'waiting' }
  | { status: 'processing'; width: number; height: number; raw: string; blocks: Block[] }
  | { status: 'done'; page: Page; corrections: Corrections }

export type StreamedResult = {
  pages: PageState[]
  response: OcrResponse | null
  failure: Failure | null
}

/** Whether a flag reports no problem: a page that was turned upright is as good as any other. */
export function isInformational(flag: string): boolean {
  return flag.startsWith('turned_')
}

/** Whether the pages lack what a format needs; the page has the images of its document. */
export function lacks(pages: readonly Page[], needs: readonly string[]): boolean {
  if (!pages.some((page) => page.text !== '')) return false
  return needs.some((need) => need !== 'images' && !pages.some((page) => has(page, need)))
}

function has(page: Page, need: string): boolean {
  if (need === 'tables') return page.text.includes('<table')
  return page.lines.length > 0 || page.layout.items.some((item) => item.boxes.length > 0)
}

export const EMPTY_RESULT: StreamedResult = { pages: [], response: null, failure: null }

/** The result after one event of `/api/ocr`. */
export function applyEvent(result: StreamedResult, { event, data }: ServerEvent): StreamedResult {
  const payload: unknown = JSON.parse(data)
  if (!isRecord(payload)) return result
  if (event === 'done' && isOcrResponse(payload)) {
    return { ...result, response: payload, pages: payload.pages.map(donePage) }
  }
  if (event === 'error') {
    const error = isRecord(payload.error) ? payload.error : {}
    return { ...result, failure: { code: String(error.code), message: String(error.message) } }
  }
  const index = payload.pageIndex
  if (typeof index !== 'number') return result
  if (event === 'page') {
    const started: PageState = {
      status: 'processing',
      width: Number(payload.width),
      height: Number(payload.height),
      raw: '',
      blocks: [],
    }
    return withPage(result, index, started, Number(payload.pagesTotal))
  }
  if (event === 'page_done' && isPage(payload)) return withPage(result, index, donePage(payload))
  const page = result.pages[index]
  if (page?.status !== 'processing') return result
  if (event === 'delta') return withPage(result, index, { ...page, raw: page.raw + payload.text })
  if (event === 'block' && isBlock(payload.block)) {
    return withPage(result, index, { ...page, blocks: [...page.blocks, payload.block] })
  }
  if (event === 'page_reset') return withPage(result, index, { ...page, raw: '', blocks: [] })
  return result
}

function withPage(result: StreamedResult, index: number, page: PageState, total = 0): StreamedResult {
  const pages = [...result.pages]
  while (pages.length < Math.max(total, index + 1)) pages.push({ status: 'waiting' })
  pages[index] = page
  return { ...result, pages }
}

function donePage(page: Page): PageState {
  return { status: 'done', page, corrections: {} }
}

/** The page's blocks, with the corrections applied. */
export function blocksOf(state: PageState): Block[] {
  if (state.status === 'waiting') return []
  if (state.status === 'processing') return state.blocks
  return state.page.layout.items.map((block) => {
    const text = state.corrections[block.id]
    return text === undefined ? block : { ...block, text }
  })
}

export function isCorrected(state: PageState): boolean {
  return state.status === 'done' && Object.keys(state.corrections).length > 0
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

/** The whole response with the corrections applied, for exports. */
export function correctedResponse(response: OcrResponse, pages: PageState[]): OcrResponse {
  const corrected = response.pages.map((page, index) => {
    const state = pages[index]
    if (state?.status !== 'done') return page
    return {
      ...page,
      text: correctedText(page, state.corrections),
      layout: { ...page.layout, items: blocksOf(state) },
    }
  })
  return { ...response, pages: corrected, text: corrected.map((page) => page.text).join('\n\n---\n\n') }
}

/** The model output after the last complete grounding box, without grounding tokens. */
export function unfinishedText(raw: string): string {
  const tail = raw.split('<|/det|>').at(-1) ?? ''
  return tail.replace(/<\|ref\|>[\s\S]*$/, '').replace(/<\|[^|>]*\|?>?/g, '').trim()
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

// The backend sends the generated types; these guards tell them apart by a few fields.
function isOcrResponse(value: Record<string, unknown>): value is OcrResponse {
  return Array.isArray(value.pages) && typeof value.text === 'string'
}

function isPage(value: Record<string, unknown>): value is Page {
  return isRecord(value.layout) && typeof value.text === 'string'
}

function isBlock(value: unknown): value is Block {
  return isRecord(value) && Array.isArray(value.boxes) && typeof value.label === 'string'
}

// A page as this page knows it while it is read and after, and a person's corrections of it.
import type { components } from '../api/schema'
import type { ServerEvent } from './sse'

export type Page = components['schemas']['PageAnswer']
export type Item = Page['layout']['items'][number]
export type Answer = components['schemas']['OcrAnswer']
export type Failure = { code: string; message: string }
/** Corrected texts by block. */
export type Corrections = Readonly<Record<number, string>>

export type PageState =
  | { status: 'waiting' }
  | { status: 'reading'; width: number; height: number; raw: string; items: Item[] }
  | { status: 'done'; page: Page; corrections: Corrections }

export type Reading = {
  pages: PageState[]
  answer: Answer | null
  failure: Failure | null
}

/** A page that lay on its side was read as well as any other. */
export function isHarmless(flag: string): boolean {
  return flag.startsWith('turned_')
}

export const NOTHING_READ: Reading = { pages: [], answer: null, failure: null }

/** The reading after one event of `/api/ocr`. */
export function afterEvent(reading: Reading, { event, data }: ServerEvent): Reading {
  const told: unknown = JSON.parse(data)
  if (!isRecord(told)) return reading
  if (event === 'done' && isAnswer(told)) {
    return { ...reading, answer: told, pages: told.pages.map(donePage) }
  }
  if (event === 'error') {
    const error = isRecord(told.error) ? told.error : {}
    return { ...reading, failure: { code: String(error.code), message: String(error.message) } }
  }
  const index = told.pageIndex
  if (typeof index !== 'number') return reading
  if (event === 'page') {
    const begun: PageState = {
      status: 'reading',
      width: Number(told.width),
      height: Number(told.height),
      raw: '',
      items: [],
    }
    return withPage(reading, index, begun, Number(told.pagesTotal))
  }
  if (event === 'page_done' && isPage(told)) return withPage(reading, index, donePage(told))
  const page = reading.pages[index]
  if (page?.status !== 'reading') return reading
  if (event === 'delta') return withPage(reading, index, { ...page, raw: page.raw + told.text })
  if (event === 'block' && isItem(told.block)) {
    return withPage(reading, index, { ...page, items: [...page.items, told.block] })
  }
  if (event === 'page_reset') return withPage(reading, index, { ...page, raw: '', items: [] })
  return reading
}

function withPage(reading: Reading, index: number, page: PageState, total = 0): Reading {
  const pages = [...reading.pages]
  while (pages.length < Math.max(total, index + 1)) pages.push({ status: 'waiting' })
  pages[index] = page
  return { ...reading, pages }
}

function donePage(page: Page): PageState {
  return { status: 'done', page, corrections: {} }
}

export function itemsOf(state: PageState): Item[] {
  if (state.status === 'waiting') return []
  if (state.status === 'reading') return state.items
  return state.page.layout.items.map((item) => {
    const text = state.corrections[item.id]
    return text === undefined ? item : { ...item, text }
  })
}

export function isCorrected(state: PageState): boolean {
  return state.status === 'done' && Object.keys(state.corrections).length > 0
}

/** The page's markdown with the corrections in place. */
export function correctedText(page: Page, corrections: Corrections): string {
  let text = page.text
  let from = 0
  for (const item of page.layout.items) {
    const at = item.text === '' ? -1 : text.indexOf(item.text, from)
    if (at < 0) continue
    const wanted = corrections[item.id] ?? item.text
    text = text.slice(0, at) + wanted + text.slice(at + item.text.length)
    from = at + wanted.length
  }
  return text
}

/** The whole answer with the corrections in place, as it goes into exports. */
export function correctedAnswer(answer: Answer, pages: PageState[]): Answer {
  const corrected = answer.pages.map((page, index) => {
    const state = pages[index]
    if (state?.status !== 'done') return page
    return {
      ...page,
      text: correctedText(page, state.corrections),
      layout: { ...page.layout, items: itemsOf(state) },
    }
  })
  return { ...answer, pages: corrected, text: corrected.map((page) => page.text).join('\n\n---\n\n') }
}

/** What the reader wrote since the last closed block, without its marks. */
export function unfinishedText(raw: string): string {
  const tail = raw.split('<|/det|>').at(-1) ?? ''
  return tail.replace(/<\|ref\|>[\s\S]*$/, '').replace(/<\|[^|>]*\|?>?/g, '').trim()
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

// The backend is ours and speaks the generated types; these look at the shape's outline only.
function isAnswer(value: Record<string, unknown>): value is Answer {
  return Array.isArray(value.pages) && typeof value.text === 'string'
}

function isPage(value: Record<string, unknown>): value is Page {
  return isRecord(value.layout) && typeof value.text === 'string'
}

function isItem(value: unknown): value is Item {
  return isRecord(value) && Array.isArray(value.boxes) && typeof value.label === 'string'
}

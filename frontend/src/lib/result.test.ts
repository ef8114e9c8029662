import { expect, test } from 'vitest'
import { applyLiveEvent, blocksOf, correctedText, isNewer, unfinishedText, type Page } from './result'

function eventOf(event: string, data: object) {
  return { id: '1', event, data: JSON.stringify(data) }
}

const BLOCK = { id: 0, label: 'text', text: 'One', confidence: null, review: false, boxes: [] }
const PAGE: Page = {
  pageIndex: 0,
  text: 'One\n\nTwo\n\nOne',
  rawText: '',
  layout: {
    width: 10,
    height: 10,
    items: [BLOCK, { ...BLOCK, id: 1, text: 'Two' }, { ...BLOCK, id: 2, text: 'One' }],
  },
  lines: [],
  durationMs: 1,
  finishReason: 'stop',
  flags: [],
  error: null,
}
const STARTED = applyLiveEvent(new Map(), eventOf('page', { pageIndex: 3, width: 10, height: 20, pagesTotal: 9 }))

test('text and blocks of a page accumulate until a page reset', () => {
  let pages = applyLiveEvent(STARTED, eventOf('delta', { pageIndex: 3, text: 'On' }))
  pages = applyLiveEvent(pages, eventOf('delta', { pageIndex: 3, text: 'e' }))
  pages = applyLiveEvent(pages, eventOf('block', { pageIndex: 3, block: BLOCK }))
  expect(pages.get(3)?.state).toMatchObject({ width: 10, height: 20, raw: 'One', blocks: [BLOCK] })
  pages = applyLiveEvent(pages, eventOf('page_reset', { pageIndex: 3, reason: 'repetition' }))
  expect(pages.get(3)?.state).toMatchObject({ raw: '', blocks: [] })
})

test('a stored page keeps its text until it was fetched, and only the newest are kept', () => {
  let pages = applyLiveEvent(STARTED, eventOf('delta', { pageIndex: 3, text: 'One' }))
  pages = applyLiveEvent(pages, eventOf('page_done', { pageIndex: 3 }))
  expect(pages.get(3)).toMatchObject({ storedAt: expect.any(Number), state: { raw: 'One' } })
  for (let pageIndex = 10; pageIndex < 30; pageIndex++) {
    pages = applyLiveEvent(pages, eventOf('page', { pageIndex, width: 1, height: 1 }))
    pages = applyLiveEvent(pages, eventOf('page_done', { pageIndex }))
  }
  expect(pages.has(3)).toBe(false)
  expect(pages.size).toBe(8)
})

test('a page that was fetched once is not read from its events while it is fetched again', () => {
  const pages = applyLiveEvent(STARTED, eventOf('page_done', { pageIndex: 3 }))
  const live = pages.get(3)!
  expect(isNewer(live, 0)).toBe(true)
  expect(isNewer(live, Date.now() + 1)).toBe(false)
  expect(applyLiveEvent(pages, eventOf('page_done', { pageIndex: 3 }))).toBe(pages) // corrected
  const again = applyLiveEvent(pages, eventOf('page', { pageIndex: 3, width: 10, height: 20 }))
  expect(isNewer(again.get(3)!, Date.now() + 1)).toBe(true)
})

test('events of pages that were not started, and other events, change nothing', () => {
  expect(applyLiveEvent(STARTED, eventOf('delta', { pageIndex: 0, text: 'x' }))).toBe(STARTED)
  expect(applyLiveEvent(STARTED, eventOf('job', { jobId: 'a' }))).toBe(STARTED)
})

test('a correction replaces its own block, not another with the same text', () => {
  expect(correctedText(PAGE, { 2: 'Three' })).toBe('One\n\nTwo\n\nThree')
  expect(correctedText(PAGE, { 0: 'Three' })).toBe('Three\n\nTwo\n\nOne')
  const blocks = blocksOf({ status: 'done', page: PAGE, corrections: { 1: '2' } })
  expect(blocks.map(({ text }) => text)).toEqual(['One', '2', 'One'])
})

test('unfinished text has no grounding tokens, complete or cut', () => {
  const raw = '<|ref|>text<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>\nHello wor<|re'
  expect(unfinishedText(raw)).toBe('Hello wor')
  expect(unfinishedText('<|ref|>tit')).toBe('')
})

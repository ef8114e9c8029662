import { expect, test } from 'vitest'
import { afterEvent, correctedText, itemsOf, NOTHING_READ, unfinishedText, type Page } from './result'

function told(event: string, data: object) {
  return { id: '1', event, data: JSON.stringify(data) }
}

const ITEM = { id: 0, label: 'text', text: 'One', confidence: null, boxes: [] }
const PAGE: Page = {
  pageIndex: 0,
  text: 'One\n\nTwo\n\nOne',
  rawText: '',
  layout: {
    width: 10,
    height: 10,
    items: [ITEM, { ...ITEM, id: 1, text: 'Two' }, { ...ITEM, id: 2, text: 'One' }],
  },
  durationMs: 1,
  finishReason: 'stop',
  flags: [],
  error: null,
}
const BEGUN = afterEvent(
  NOTHING_READ,
  told('page', { pageIndex: 0, width: 10, height: 10, pagesTotal: 2 }),
)

test('pages that were not begun keep their places', () => {
  expect(BEGUN.pages.map(({ status }) => status)).toEqual(['reading', 'waiting'])
})

test('text and blocks add up, and a reset drops them', () => {
  let reading = afterEvent(BEGUN, told('delta', { pageIndex: 0, text: 'On' }))
  reading = afterEvent(reading, told('delta', { pageIndex: 0, text: 'e' }))
  reading = afterEvent(reading, told('block', { pageIndex: 0, block: ITEM }))
  expect(reading.pages[0]).toMatchObject({ raw: 'One', items: [ITEM] })
  reading = afterEvent(reading, told('page_reset', { pageIndex: 0, reason: 'repetition' }))
  expect(reading.pages[0]).toMatchObject({ raw: '', items: [] })
})

test('an error keeps what was read', () => {
  const done = afterEvent(BEGUN, told('page_done', PAGE))
  const failed = afterEvent(done, told('error', { error: { code: 'timeout', message: 'Too long.' } }))
  expect(failed.failure).toEqual({ code: 'timeout', message: 'Too long.' })
  expect(failed.pages[0]?.status).toBe('done')
})

test('a correction replaces its own block and not its twin', () => {
  expect(correctedText(PAGE, { 2: 'Three' })).toBe('One\n\nTwo\n\nThree')
  expect(correctedText(PAGE, { 0: 'Three' })).toBe('Three\n\nTwo\n\nOne')
  const items = itemsOf({ status: 'done', page: PAGE, corrections: { 1: '2' } })
  expect(items.map(({ text }) => text)).toEqual(['One', '2', 'One'])
})

test('unfinished text has no marks, cut ones neither', () => {
  const raw = '<|ref|>text<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>\nHello wor<|re'
  expect(unfinishedText(raw)).toBe('Hello wor')
  expect(unfinishedText('<|ref|>tit')).toBe('')
})

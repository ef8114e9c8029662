import { expect, test } from 'vitest'
import {
  applyEvent,
  blocksOf,
  correctedText,
  EMPTY_RESULT,
  lacks,
  unfinishedText,
  type Page,
} from './result'

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
const STARTED = applyEvent(
  EMPTY_RESULT,
  eventOf('page', { pageIndex: 0, width: 10, height: 10, pagesTotal: 2 }),
)

test('pages that have not started keep their positions', () => {
  expect(STARTED.pages.map(({ status }) => status)).toEqual(['processing', 'waiting'])
})

test('text and blocks accumulate until a page reset', () => {
  let result = applyEvent(STARTED, eventOf('delta', { pageIndex: 0, text: 'On' }))
  result = applyEvent(result, eventOf('delta', { pageIndex: 0, text: 'e' }))
  result = applyEvent(result, eventOf('block', { pageIndex: 0, block: BLOCK }))
  expect(result.pages[0]).toMatchObject({ raw: 'One', blocks: [BLOCK] })
  result = applyEvent(result, eventOf('page_reset', { pageIndex: 0, reason: 'repetition' }))
  expect(result.pages[0]).toMatchObject({ raw: '', blocks: [] })
})

test('an error keeps the finished pages', () => {
  const done = applyEvent(STARTED, eventOf('page_done', PAGE))
  const failed = applyEvent(done, eventOf('error', { error: { code: 'timeout', message: 'Too long.' } }))
  expect(failed.failure).toEqual({ code: 'timeout', message: 'Too long.' })
  expect(failed.pages[0]?.status).toBe('done')
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

test('a format is not offered for pages that lack what it needs', () => {
  const line = { text: 'One', box: [0, 0, 1, 1], confidence: null, words: [] }
  expect(lacks([PAGE], ['boxes'])).toBe(true)
  expect(lacks([PAGE], ['tables'])).toBe(true)
  expect(lacks([PAGE, { ...PAGE, lines: [line], text: '<table></table>' }], ['boxes', 'tables'])).toBe(false)
  expect(lacks([PAGE], [])).toBe(false)
  expect(lacks([{ ...PAGE, text: '' }], ['boxes'])).toBe(false)
})

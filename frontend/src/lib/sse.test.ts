import { expect, test } from 'vitest'
import { eventReader } from './sse'

const STREAM = 'id: 1\nevent: page\ndata: {"a":1}\n\n: still reading\n\nid: 2\nevent: delta\ndata: x\ndata: y\n\n'

test('events are the same however the text is cut', () => {
  const whole = eventReader().feed(STREAM)
  for (let at = 0; at < STREAM.length; at += 1) {
    const reader = eventReader()
    expect([...reader.feed(STREAM.slice(0, at)), ...reader.feed(STREAM.slice(at))]).toEqual(whole)
  }
  expect(whole).toEqual([
    { id: '1', event: 'page', data: '{"a":1}' },
    { id: '2', event: 'delta', data: 'x\ny' },
  ])
})

test('an unfinished event waits for its end', () => {
  expect(eventReader().feed('event: done\ndata: {}\n')).toEqual([])
})

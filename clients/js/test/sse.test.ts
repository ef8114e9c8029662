import { expect, test } from 'vitest'
import { createEventParser } from '../src/index.js'

const STREAM = 'id: 1\nevent: page\ndata: {"a":1}\n\n: still reading\n\nid: 2\nevent: delta\ndata: x\ndata: y\n\n'

test('a stream gives the same events for every split into chunks', () => {
  const whole = createEventParser().feed(STREAM)
  for (let at = 0; at < STREAM.length; at += 1) {
    const parser = createEventParser()
    expect([...parser.feed(STREAM.slice(0, at)), ...parser.feed(STREAM.slice(at))]).toEqual(whole)
  }
  expect(whole).toEqual([
    { id: '1', event: 'page', data: '{"a":1}' },
    { id: '2', event: 'delta', data: 'x\ny' },
  ])
})

test('an event is delivered only after its blank line', () => {
  expect(createEventParser().feed('event: done\ndata: {}\n')).toEqual([])
})

test('lines may end with CR LF, and an event without an id keeps the last one', () => {
  const stream = 'id: 7\r\ndata: a\r\n\r\ndata: b\r\n\r\n'
  for (let at = 0; at < stream.length; at += 1) {
    const parser = createEventParser()
    expect([...parser.feed(stream.slice(0, at)), ...parser.feed(stream.slice(at))]).toEqual([
      { id: '7', event: 'message', data: 'a' },
      { id: '7', event: 'message', data: 'b' },
    ])
  }
})

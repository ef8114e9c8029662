import { expect, test } from 'vitest'
import { formatRoute, parseRoute, type Route } from './route'

const ALL: Route[] = [
  { screen: 'new' },
  { screen: 'history' },
  { screen: 'job', jobId: 'abc123', page: 0, tab: 'rendered' },
  { screen: 'job', jobId: 'abc123', page: 6, tab: 'blocks' },
  { screen: 'job', jobId: 'abc123', page: 6, tab: 'rendered', block: 0, find: '记录 & more' },
]

test.each(ALL)('a route survives formatting and parsing: %j', (route) => {
  expect(parseRoute(formatRoute(route))).toEqual(route)
})

test.each(['', '#', '#/nowhere', '#/result', '#javascript:alert(1)'])('%j is the start screen', (hash) => {
  expect(parseRoute(hash)).toEqual({ screen: 'new' })
})

test('an invalid job id opens the history, an invalid page the first page', () => {
  expect(parseRoute('#/jobs/..%2F..%2Fetc')).toEqual({ screen: 'history' })
  expect(parseRoute('#/jobs/a?page=-3&view=x')).toEqual({
    screen: 'job',
    jobId: 'a',
    page: 0,
    tab: 'rendered',
  })
})

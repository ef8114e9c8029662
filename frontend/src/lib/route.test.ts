import { expect, test } from 'vitest'
import { formatAddress, parseAddress, type Address } from './route'

const ALL: Address[] = [
  { screen: 'new' },
  { screen: 'history' },
  { screen: 'result', tab: 'raw' },
  { screen: 'job', jobId: 'abc123', page: 0, tab: 'rendered' },
  { screen: 'job', jobId: 'abc123', page: 6, tab: 'blocks' },
]

test.each(ALL)('an address comes back as it went: %j', (address) => {
  expect(parseAddress(formatAddress(address))).toEqual(address)
})

test.each(['', '#', '#/nowhere', '#javascript:alert(1)'])('%j is the start', (hash) => {
  expect(parseAddress(hash)).toEqual({ screen: 'new' })
})

test('an id that is none, or a page that is none, does no harm', () => {
  expect(parseAddress('#/jobs/..%2F..%2Fetc')).toEqual({ screen: 'history' })
  expect(parseAddress('#/jobs/a?page=-3&view=x')).toEqual({
    screen: 'job',
    jobId: 'a',
    page: 0,
    tab: 'rendered',
  })
})

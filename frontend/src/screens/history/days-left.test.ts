import { expect, test } from 'vitest'
import { daysLeft } from './days-left'

const finishedAt = '2026-01-31T12:00:00Z'

test('a finished job is kept for the days of the server, from its end', () => {
  expect(daysLeft({ finishedAt }, 7, Date.parse('2026-01-31T12:00:01Z'))).toBe(7)
  expect(daysLeft({ finishedAt }, 7, Date.parse('2026-02-07T11:00:00Z'))).toBe(1)
  expect(daysLeft({ finishedAt }, 7, Date.parse('2026-02-09T12:00:00Z'))).toBe(1)
})

test('a job that runs has no end yet', () => {
  expect(daysLeft({ finishedAt: null }, 7)).toBeNull()
  expect(daysLeft({ finishedAt }, undefined)).toBeNull()
})

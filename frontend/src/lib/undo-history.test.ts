// @vitest-environment jsdom
import { expect, test } from 'vitest'
import { stepped, storedHistory, storeHistory, withChange } from './undo-history'

const change = { page: 0, block: 1, before: null, after: 'b' }

test('a change is taken back and made again after a reload', () => {
  storeHistory('job', withChange(storedHistory('job'), change))
  const [undone, after] = stepped(storedHistory('job'), true)
  expect(undone).toEqual(change)
  storeHistory('job', after)
  const [redone, last] = stepped(storedHistory('job'), false)
  expect(redone).toEqual(change)
  expect(stepped(last, false)[0]).toBeUndefined()
  expect(storedHistory('another').past).toEqual([])
})

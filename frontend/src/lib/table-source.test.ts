// @vitest-environment jsdom
import { expect, test } from 'vitest'
import { parseTable, withCell } from './table-source'

const TABLE = '<table><tr><th colspan="2">Sum</th></tr><tr><td>1</td><td>a &amp; b</td></tr></table>'

test('a block that is one table has its cells, any other block none', () => {
  const texts = parseTable(TABLE)?.cells.map((row) => row.map((cell) => cell.textContent))
  expect(texts).toEqual([['Sum'], ['1', 'a & b']])
  for (const text of ['Words', `${TABLE} and words`, `${TABLE}${TABLE}`, '<table></table>']) {
    expect(parseTable(text)).toBeNull()
  }
})

test('a changed cell leaves the rest of the source, and its text is no markup', () => {
  const changed = withCell(TABLE, 1, 0, '<b>2</b>')
  expect(changed).toContain('<td>&lt;b&gt;2&lt;/b&gt;</td><td>a &amp; b</td>')
  expect(changed).toContain('<th colspan="2">Sum</th>')
  expect(withCell(TABLE, 9, 9, 'x')).toBe(TABLE)
})

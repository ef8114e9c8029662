import { toText } from 'hast-util-to-text'
import { visit } from 'unist-util-visit'
import { describe, expect, test } from 'vitest'
import { gridOf, hasMath, plainText, sanitizedTree, tableHtml, tablesOf, tsv } from './markdown'
import { XSS_PAYLOADS } from './xss-payloads'

function elements(markdown: string): Map<string, Record<string, unknown>> {
  const found = new Map<string, Record<string, unknown>>()
  visit(sanitizedTree(markdown), 'element', ({ tagName, properties }) => {
    found.set(tagName, properties)
  })
  return found
}

test('there are at least 150 distinct payloads', () => {
  expect(new Set(XSS_PAYLOADS).size).toBeGreaterThanOrEqual(150)
})

test.each(XSS_PAYLOADS)('%j leaves no active content', (payload) => {
  visit(sanitizedTree(payload), 'element', ({ tagName, properties }) => {
    expect(['script', 'style', 'iframe', 'object', 'embed', 'form', 'svg', 'math', 'link', 'base', 'meta', 'video', 'audio', 'button']).not.toContain(tagName)
    for (const [name, value] of Object.entries(properties)) {
      expect(name).not.toMatch(/^on|^style$|^id$|^name$|^srcDoc$|^action$|^formAction$/i)
      if (name === 'href') expect(String(value)).toMatch(/^(https?:\/\/|mailto:)/i)
    }
  })
})

describe('page content', () => {
  test('HTML and Markdown tables become rows', () => {
    const html = '<table><tr><td rowspan="2">a</td><td>b</td></tr><tr><td>c</td></tr></table>'
    expect(tablesOf(html).map(gridOf)).toEqual([[['a', 'b'], ['a', 'c']]])
    expect(tsv(tablesOf('|x|y|\n|-|-|\n|1|2|')[0] ?? [])).toBe('x\ty\n1\t2')
  })
  test('a copied table keeps its columns where cells span rows and columns', () => {
    const html =
      '<table><tr><th colspan="2">Sum & more</th><th rowspan="2">z</th></tr><tr><td>1</td><td>2</td></tr><tr><td>3</td></tr></table>'
    const [table = []] = tablesOf(html)
    expect(tsv(table)).toBe('Sum & more\tSum & more\tz\n1\t2\tz\n3\t\t')
    expect(tableHtml(table)).toBe(html.replace('&', '&amp;'))
  })
  test('bracketed formulas are math, prices and code are not', () => {
    expect(hasMath(sanitizedTree('so \\(a^2\\) and\n\\[ b \\]'))).toBe(true)
    expect(hasMath(sanitizedTree('from $5 to $6, code `\\(x\\)`'))).toBe(false)
  })
  test('plain text has no markup', () => {
    expect(plainText('# Title\n\nSome **bold** text')).toBe('Title\n\nSome bold text')
  })
  test('external links open in a new tab, relative links lose their target', () => {
    expect(elements('[a](https://example.org)').get('a')).toMatchObject({ target: '_blank' })
    expect(elements('[a](#/jobs)').get('a')).not.toHaveProperty('href')
  })
  test('text around markup is kept', () => {
    expect(toText(sanitizedTree('before <b>in</b> after'))).toBe('before in after')
  })
})

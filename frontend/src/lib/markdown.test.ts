import { toText } from 'hast-util-to-text'
import { visit } from 'unist-util-visit'
import { describe, expect, test } from 'vitest'
import { sanitizedTree, hasMath, plainText, tablesOf, tsv } from './markdown'
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
    expect(tablesOf(html)).toEqual([[['a', 'b'], ['c']]])
    expect(tsv(tablesOf('|x|y|\n|-|-|\n|1|2|')[0] ?? [])).toBe('x\ty\n1\t2')
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

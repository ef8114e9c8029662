import { toText } from 'hast-util-to-text'
import { visit } from 'unist-util-visit'
import { describe, expect, test } from 'vitest'
import { harmlessTree, hasMath, plainText, tablesOf, tsv } from './markdown'
import { PAYLOADS } from './xss-payloads'

function elements(markdown: string): Map<string, Record<string, unknown>> {
  const found = new Map<string, Record<string, unknown>>()
  visit(harmlessTree(markdown), 'element', ({ tagName, properties }) => {
    found.set(tagName, properties)
  })
  return found
}

test('there are at least 150 payloads, each once', () => {
  expect(new Set(PAYLOADS).size).toBeGreaterThanOrEqual(150)
})

test.each(PAYLOADS)('%j leaves nothing that acts', (payload) => {
  visit(harmlessTree(payload), 'element', ({ tagName, properties }) => {
    expect(['script', 'style', 'iframe', 'object', 'embed', 'form', 'svg', 'math', 'link', 'base', 'meta', 'video', 'audio', 'button']).not.toContain(tagName)
    for (const [name, value] of Object.entries(properties)) {
      expect(name).not.toMatch(/^on|^style$|^id$|^name$|^srcDoc$|^action$|^formAction$/i)
      if (name === 'href') expect(String(value)).toMatch(/^(https?:\/\/|mailto:)/i)
    }
  })
})

describe('what pages have', () => {
  test('tables of HTML and of markdown become rows', () => {
    const html = '<table><tr><td rowspan="2">a</td><td>b</td></tr><tr><td>c</td></tr></table>'
    expect(tablesOf(html)).toEqual([[['a', 'b'], ['c']]])
    expect(tsv(tablesOf('|x|y|\n|-|-|\n|1|2|')[0] ?? [])).toBe('x\ty\n1\t2')
  })
  test('formulas are found in the model’s brackets, and prices are none', () => {
    expect(hasMath(harmlessTree('so \\(a^2\\) and\n\\[ b \\]'))).toBe(true)
    expect(hasMath(harmlessTree('from $5 to $6, code `\\(x\\)`'))).toBe(false)
  })
  test('plain text has no signs', () => {
    expect(plainText('# Title\n\nSome **bold** text')).toBe('Title\n\nSome bold text')
  })
  test('links out open elsewhere, links that steer this page go nowhere', () => {
    expect(elements('[a](https://example.org)').get('a')).toMatchObject({ target: '_blank' })
    expect(elements('[a](#/jobs)').get('a')).not.toHaveProperty('href')
  })
  test('text around markup stays', () => {
    expect(toText(harmlessTree('before <b>in</b> after'))).toBe('before in after')
  })
})

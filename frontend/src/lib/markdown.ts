// Untrusted Markdown to a sanitized HTML tree. Formulas are rendered after the sanitizer.
import type { Element, Root } from 'hast'
import { toText } from 'hast-util-to-text'
import rehypeRaw from 'rehype-raw'
import rehypeSanitize, { defaultSchema, type Options } from 'rehype-sanitize'
import remarkGfm from 'remark-gfm'
import remarkMath from 'remark-math'
import remarkParse from 'remark-parse'
import remarkRehype from 'remark-rehype'
import { unified } from 'unified'
import { visit } from 'unist-util-visit'

/** Stricter than GitHub: no id or name attributes (DOM clobbering), only http(s) and mailto links. */
const SCHEMA: Options = {
  ...defaultSchema,
  tagNames: [...(defaultSchema.tagNames ?? []), 'u', 'center'],
  attributes: {
    a: ['href', 'title'],
    img: ['src', 'alt'],
    code: [['className', /^language-[\w-]{1,40}$/, 'math-inline', 'math-display']],
    input: [['type', 'checkbox'], ['disabled', true], 'checked'],
    td: ['colSpan', 'rowSpan', 'align'],
    th: ['colSpan', 'rowSpan', 'align'],
    ol: ['start'],
  },
  protocols: { href: ['http', 'https', 'mailto'], src: [] },
  required: { input: { type: 'checkbox', disabled: true } },
  strip: ['script', 'style', 'template', 'iframe', 'object', 'noscript', 'title', 'xmp'],
}

const processor = unified()
  .use(remarkParse)
  .use(remarkGfm, { singleTilde: false })
  .use(remarkMath, { singleDollarTextMath: false }) // a dollar sign is usually a price
  .use(remarkRehype, { allowDangerousHtml: true })
  .use(rehypeRaw)
  .use(rehypeSanitize, SCHEMA)

export function sanitizedTree(markdown: string): Root {
  const tree = processor.runSync(processor.parse(withDollarMath(markdown)))
  visit(tree, 'element', restrictLink)
  return tree
}

/** External links open in a new tab; relative links (`#/jobs`, `../x`) would navigate this page. */
function restrictLink(element: Element): void {
  if (element.tagName !== 'a') return
  const href = element.properties.href
  if (typeof href !== 'string' || !/^(https?:\/\/|mailto:)/i.test(href)) {
    delete element.properties.href
    return
  }
  element.properties.target = '_blank'
  element.properties.rel = ['noopener', 'noreferrer', 'nofollow']
}

/** Rewrites the model's `\(…\)` and `\[…\]` as dollar math, outside of code. */
function withDollarMath(markdown: string): string {
  return markdown
    .split(/(```[\s\S]*?(?:```|$)|`[^`\n]*`)/)
    .map((part, place) =>
      place % 2 === 1
        ? part
        : part
            .replace(/\\\[([\s\S]{1,4000}?)\\\]/g, (_, formula: string) =>
              `\n\n$$$$\n${formula.trim()}\n$$$$\n\n`)
            .replace(/\\\(([^\n]{1,2000}?)\\\)/g, (_, formula: string) => `$$$$${formula.trim()}$$$$`),
    )
    .join('')
}

export function hasMath(tree: Root): boolean {
  let found = false
  visit(tree, 'element', (element) => {
    found ||= isMath(element)
  })
  return found
}

function isMath(element: Element): boolean {
  const names = element.properties.className
  return Array.isArray(names) && names.includes('language-math')
}

/** The text without Markdown markup. */
export function plainText(markdown: string): string {
  return toText(sanitizedTree(markdown)).replace(/\n{3,}/g, '\n\n').trim()
}

export type Cell = { text: string; header: boolean; columns: number; rows: number }
const MAX_SPAN = 200

/** Every table as rows of cells; a spanning cell appears once. */
export function tablesOf(markdown: string): Cell[][][] {
  const tables: Cell[][][] = []
  visit(sanitizedTree(markdown), 'element', (table) => {
    if (table.tagName !== 'table') return
    const rows: Cell[][] = []
    visit(table, 'element', (row) => {
      if (row.tagName === 'tr') rows.push(row.children.flatMap(cellsOf))
    })
    if (rows.length > 0) tables.push(rows)
  })
  return tables
}

function cellsOf(cell: Element['children'][number]): Cell[] {
  if (cell.type !== 'element' || !/^t[dh]$/.test(cell.tagName)) return []
  const { colSpan, rowSpan } = cell.properties
  const header = cell.tagName === 'th'
  return [{ text: toText(cell).trim(), header, columns: spanOf(colSpan), rows: spanOf(rowSpan) }]
}

function spanOf(value: unknown): number {
  return Math.min(MAX_SPAN, Math.max(1, Math.floor(Number(value)) || 1))
}

/** The texts at each place of a table; a spanning cell is at each of its places. */
export function gridOf(table: Cell[][]): string[][] {
  const grid: string[][] = table.map(() => [])
  table.forEach((cells, top) => {
    let left = 0
    for (const { text, columns, rows } of cells) {
      while (grid[top]?.[left] !== undefined) left++
      for (const row of grid.slice(top, top + rows)) {
        for (let place = left; place < left + columns; place++) row[place] = text
      }
      left += columns
    }
  })
  const width = Math.max(...grid.map((row) => row.length))
  return grid.map((row) => Array.from({ length: width }, (_, place) => row[place] ?? ''))
}

/** A table as tab-separated values, for pasting into a spreadsheet. */
export function tsv(table: Cell[][]): string {
  const rows = gridOf(table)
  return rows.map((row) => row.map((cell) => cell.replace(/\s+/g, ' ')).join('\t')).join('\n')
}

/** A table as HTML with its spans, for pasting where these are understood. */
export function tableHtml(table: Cell[][]): string {
  const rows = table.map((cells) => `<tr>${cells.map(cellHtml).join('')}</tr>`)
  return `<table>${rows.join('')}</table>`
}

function cellHtml({ text, header, columns, rows }: Cell): string {
  const name = header ? 'th' : 'td'
  const escaped = text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')
  const spans = `${columns > 1 ? ` colspan="${columns}"` : ''}${rows > 1 ? ` rowspan="${rows}"` : ''}`
  return `<${name}${spans}>${escaped}</${name}>`
}

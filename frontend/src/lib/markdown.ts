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

/** Every table as rows of cell texts; a spanning cell appears once. */
export function tablesOf(markdown: string): string[][][] {
  const tables: string[][][] = []
  visit(sanitizedTree(markdown), 'element', (table) => {
    if (table.tagName !== 'table') return
    const rows: string[][] = []
    visit(table, 'element', (row) => {
      if (row.tagName !== 'tr') return
      rows.push(
        row.children.flatMap((cell) =>
          cell.type === 'element' && /^t[dh]$/.test(cell.tagName) ? [toText(cell).trim()] : [],
        ),
      )
    })
    if (rows.length > 0) tables.push(rows)
  })
  return tables
}

/** Rows as tab-separated values, for pasting into a spreadsheet. */
export function tsv(rows: string[][]): string {
  return rows.map((row) => row.map((cell) => cell.replace(/\s+/g, ' ')).join('\t')).join('\n')
}

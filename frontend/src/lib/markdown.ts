// Markdown of a hostile origin to a harmless tree. HTML goes through the sanitiser; the formulas
// that stand in what is left are set after it.
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

/** Less than GitHub allows: no ids or names (they clobber globals), only ways out that are plain. */
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
  .use(remarkMath, { singleDollarTextMath: false }) // pages are full of prices
  .use(remarkRehype, { allowDangerousHtml: true })
  .use(rehypeRaw)
  .use(rehypeSanitize, SCHEMA)

export function harmlessTree(markdown: string): Root {
  const tree = processor.runSync(processor.parse(withDollars(markdown)))
  visit(tree, 'element', tame)
  return tree
}

/** Links that leave keep their address; others (`#/jobs`, `../x`) would steer this page. */
function tame(element: Element): void {
  if (element.tagName !== 'a') return
  const href = element.properties.href
  if (typeof href !== 'string' || !/^(https?:\/\/|mailto:)/i.test(href)) {
    delete element.properties.href
    return
  }
  element.properties.target = '_blank'
  element.properties.rel = ['noopener', 'noreferrer', 'nofollow']
}

/** The model writes formulas as `\(…\)` and `\[…\]`; code keeps them. */
function withDollars(markdown: string): string {
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

export function isMath(element: Element): boolean {
  const names = element.properties.className
  return Array.isArray(names) && names.includes('language-math')
}

/** Text for people who want no signs. */
export function plainText(markdown: string): string {
  return toText(harmlessTree(markdown)).replace(/\n{3,}/g, '\n\n').trim()
}

/** Every table as rows of cells; a spanned cell stands once. */
export function tablesOf(markdown: string): string[][][] {
  const tables: string[][][] = []
  visit(harmlessTree(markdown), 'element', (table) => {
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

/** Rows as a spreadsheet takes them from the clipboard. */
export function tsv(rows: string[][]): string {
  return rows.map((row) => row.map((cell) => cell.replace(/\s+/g, ' ')).join('\t')).join('\n')
}

// Sets formulas. Heavy, so it is loaded with the first page that has one. KaTeX trusts nothing by
// default: no links, no pictures, no styles out of a formula.
import 'katex/dist/katex.min.css'
import type { Root } from 'hast'
import rehypeKatex from 'rehype-katex'
import { unified } from 'unified'

const processor = unified().use(rehypeKatex, {
  strict: false,
  maxExpand: 200,
  maxSize: 20,
  trust: false,
})

export function setFormulas(tree: Root): Root {
  const copy = structuredClone(tree)
  processor.runSync(copy) // rehype-katex changes the tree in place
  return copy
}

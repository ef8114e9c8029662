// Renders formulas with KaTeX. Loaded on demand with the first page that has one, because of its
// size. `trust: false` allows no links, images or styles in a formula.
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

export function renderFormulas(tree: Root): Root {
  const copy = structuredClone(tree)
  processor.runSync(copy) // rehype-katex modifies the tree in place
  return copy
}

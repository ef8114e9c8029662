import type { Root } from 'hast'
import { toJsxRuntime } from 'hast-util-to-jsx-runtime'
import { memo, useEffect, useMemo, useState, type ComponentProps } from 'react'
import { Fragment, jsx, jsxs } from 'react/jsx-runtime'
import { sanitizedTree, hasMath } from '../../lib/markdown'
import styles from './markdown-view.module.css'

type RenderFormulas = (tree: Root) => Root

/** Sanitized Markdown. Its images are shown as their alternative text and never fetched. */
export const MarkdownView = memo(function MarkdownView({ markdown }: { markdown: string }) {
  const tree = useMemo(() => sanitizedTree(markdown), [markdown])
  const renderFormulas = useFormulaRenderer(useMemo(() => hasMath(tree), [tree]))
  const shown = useMemo(
    () => (renderFormulas === undefined ? tree : renderFormulas(tree)),
    [tree, renderFormulas],
  )
  return (
    <div className={styles.markdown} dir="auto">
      {toJsxRuntime(shown, { Fragment, jsx, jsxs, components: { img: AlternativeText, table: ScrollableTable } })}
    </div>
  )
})

function useFormulaRenderer(needed: boolean): RenderFormulas | undefined {
  const [loaded, setLoaded] = useState<{ render: RenderFormulas }>()
  useEffect(() => {
    if (!needed) return
    let unmounted = false
    void import('./render-formulas').then(({ renderFormulas }) => {
      if (!unmounted) setLoaded({ render: renderFormulas })
    })
    return () => {
      unmounted = true
    }
  }, [needed])
  return needed ? loaded?.render : undefined
}

function AlternativeText({ alt }: ComponentProps<'img'>) {
  return alt ? <em>{alt}</em> : null
}

/** A wide table scrolls inside its own element. */
function ScrollableTable({ children }: ComponentProps<'table'>) {
  return (
    <div className={styles.scrolled} tabIndex={0} role="group">
      <table>{children}</table>
    </div>
  )
}

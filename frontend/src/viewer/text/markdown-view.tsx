import type { Root } from 'hast'
import { toJsxRuntime } from 'hast-util-to-jsx-runtime'
import { memo, useEffect, useMemo, useState, type ComponentProps } from 'react'
import { Fragment, jsx, jsxs } from 'react/jsx-runtime'
import { harmlessTree, hasMath } from '../../lib/markdown'
import styles from './markdown-view.module.css'

type SetFormulas = (tree: Root) => Root

/** Markdown of a page, made harmless. Pictures are drawn by who knows the page, never fetched. */
export const MarkdownView = memo(function MarkdownView({ markdown }: { markdown: string }) {
  const tree = useMemo(() => harmlessTree(markdown), [markdown])
  const setFormulas = useFormulas(useMemo(() => hasMath(tree), [tree]))
  const shown = useMemo(
    () => (setFormulas === undefined ? tree : setFormulas(tree)),
    [tree, setFormulas],
  )
  return (
    <div className={styles.markdown} dir="auto">
      {toJsxRuntime(shown, { Fragment, jsx, jsxs, components: { img: Alternative, table: Scrolled } })}
    </div>
  )
})

function useFormulas(wanted: boolean): SetFormulas | undefined {
  const [loaded, setLoaded] = useState<{ set: SetFormulas }>()
  useEffect(() => {
    if (!wanted) return
    let gone = false
    void import('./render-formulas').then(({ setFormulas }) => {
      if (!gone) setLoaded({ set: setFormulas })
    })
    return () => {
      gone = true
    }
  }, [wanted])
  return wanted ? loaded?.set : undefined
}

function Alternative({ alt }: ComponentProps<'img'>) {
  return alt ? <em>{alt}</em> : null
}

/** A wide table scrolls by itself; the page does not. */
function Scrolled({ children }: ComponentProps<'table'>) {
  return (
    <div className={styles.scrolled} tabIndex={0} role="group">
      <table>{children}</table>
    </div>
  )
}

import { useCallback, useMemo, useState } from 'react'

export type SelectionSource = 'box' | 'text' | 'key'
export type BlockSelection = {
  /** The block under the pointer, else the selected one. */
  active: number | null
  selected: { id: number; from: SelectionSource } | null
  hover: (id: number | null) => void
  /** Selects a block; the panes other than `from` scroll to it. */
  select: (id: number, from: SelectionSource) => void
}

/** The hovered and the selected block, shared by the image and the text; reset on a page change. */
export function useBlockSelection(pageIndex: number): BlockSelection {
  const [hovered, setHovered] = useState<number | null>(null)
  const [selected, setSelected] = useState<BlockSelection['selected']>(null)
  const [shownPage, setShownPage] = useState(pageIndex)
  if (shownPage !== pageIndex) {
    setShownPage(pageIndex)
    setHovered(null)
    setSelected(null)
  }
  const select = useCallback((id: number, from: SelectionSource) => setSelected({ id, from }), [])
  return useMemo(
    () => ({ active: hovered ?? selected?.id ?? null, selected, hover: setHovered, select }),
    [hovered, selected, select],
  )
}

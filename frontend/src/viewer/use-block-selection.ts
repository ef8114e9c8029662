import { useCallback, useMemo, useState } from 'react'

export type Side = 'box' | 'text' | 'key'
export type Pointing = {
  /** The block under the pointer, else the one chosen last. */
  active: number | null
  picked: { id: number; from: Side } | null
  hover: (id: number | null) => void
  /** Chooses a block; the sides other than `from` scroll to it. */
  pick: (id: number, from: Side) => void
}

/** Which block is meant, by pointer or keyboard, in the picture and in the text alike. */
export function usePointing(pageIndex: number): Pointing {
  const [hovered, setHovered] = useState<number | null>(null)
  const [picked, setPicked] = useState<Pointing['picked']>(null)
  const [seen, setSeen] = useState(pageIndex)
  if (seen !== pageIndex) {
    setSeen(pageIndex)
    setHovered(null)
    setPicked(null)
  }
  const pick = useCallback((id: number, from: Side) => setPicked({ id, from }), [])
  return useMemo(
    () => ({ active: hovered ?? picked?.id ?? null, picked, hover: setHovered, pick }),
    [hovered, picked, pick],
  )
}

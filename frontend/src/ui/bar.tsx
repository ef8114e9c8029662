import { createContext, useContext, type ReactNode } from 'react'
import { createPortal } from 'react-dom'

/** The place in the page's one bar that a screen fills. */
export const BarContext = createContext<HTMLElement | null>(null)

/** Shows its children in the bar at the top of the page. */
export function InBar({ children }: { children: ReactNode }) {
  const bar = useContext(BarContext)
  return bar === null ? null : createPortal(children, bar)
}

import { useRef, useState, type KeyboardEvent, type PointerEvent, type ReactNode } from 'react'
import styles from './split-pane.module.css'

const STEP = 0.03
const MIDDLE = 0.5
const STORAGE = 'dsocr-split'

/** Two panes and a separator that the pointer, the arrow keys and a double click move; this browser keeps
 * its place. `left` is the pane at the start of the line, on the right in a right-to-left language. */
export function SplitPane({ label, left, right }: { label: string; left: ReactNode; right: ReactNode }) {
  const frame = useRef<HTMLDivElement>(null)
  const [share, setShare] = useState(storedShare)
  const isMirrored = () => frame.current !== null && getComputedStyle(frame.current).direction === 'rtl'

  function set(value: number) {
    const next = within(value)
    setShare(next)
    localStorage.setItem(STORAGE, String(next))
  }

  function drag(event: PointerEvent<HTMLDivElement>) {
    if (!event.currentTarget.hasPointerCapture(event.pointerId)) return
    const box = frame.current?.getBoundingClientRect()
    if (box === undefined) return
    set((isMirrored() ? box.right - event.clientX : event.clientX - box.left) / box.width)
  }

  function press(event: KeyboardEvent) {
    const step = event.key === 'ArrowLeft' ? -STEP : event.key === 'ArrowRight' ? STEP : 0
    if (step === 0) return
    event.preventDefault()
    event.stopPropagation()
    set(share + (isMirrored() ? -step : step))
  }

  return (
    <div ref={frame} className={styles.split} style={{ '--left': `${share * 100}%` }}>
      {left}
      <div
        role="separator"
        aria-orientation="vertical"
        aria-label={label}
        aria-valuenow={Math.round(share * 100)}
        aria-valuemin={20}
        aria-valuemax={80}
        tabIndex={0}
        className={styles.bar}
        onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
        onPointerMove={drag}
        onDoubleClick={() => set(MIDDLE)}
        onKeyDown={press}
      />
      {right}
    </div>
  )
}

const within = (share: number) => Math.min(0.8, Math.max(0.2, share))

function storedShare(): number {
  const stored = Number(localStorage.getItem(STORAGE))
  return stored > 0 ? within(stored) : MIDDLE
}

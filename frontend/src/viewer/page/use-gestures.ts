import { useEffect, useRef, useState, type MouseEvent, type PointerEvent, type RefObject } from 'react'

type Frame = RefObject<HTMLDivElement | null>
export type Point = { x: number; y: number }

/** Zooms on the wheel with Ctrl or Cmd; browsers report a touchpad pinch as the wheel with Ctrl. */
export function useWheelZoom(
  frame: Frame,
  onZoom: (factor: number, at: Point) => void,
): void {
  const latest = useRef(onZoom)
  latest.current = onZoom
  useEffect(() => {
    const element = frame.current
    function onWheel(event: WheelEvent) {
      if (!event.ctrlKey && !event.metaKey) return
      event.preventDefault()
      const box = element?.getBoundingClientRect()
      const at = { x: event.clientX - (box?.left ?? 0), y: event.clientY - (box?.top ?? 0) }
      latest.current(Math.exp(-event.deltaY / 250), at)
    }
    element?.addEventListener('wheel', onWheel, { passive: false }) // React's listeners are passive
    return () => element?.removeEventListener('wheel', onWheel)
  }, [frame])
}

/** Zooms with two fingers, around the point between them. */
export function usePinchZoom(
  frame: Frame,
  scale: number,
  zoomTo: (scale: number, at: Point) => void,
): void {
  const latest = useRef({ scale, zoomTo })
  latest.current = { scale, zoomTo }
  useEffect(() => {
    const element = frame.current
    let start: { distance: number; scale: number } | null = null
    function onTouch(event: TouchEvent) {
      const [a, b] = event.touches
      if (a === undefined || b === undefined) {
        start = null
        return
      }
      event.preventDefault()
      const distance = Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY)
      start ??= { distance, scale: latest.current.scale }
      const box = element?.getBoundingClientRect()
      const x = (a.clientX + b.clientX) / 2 - (box?.left ?? 0)
      const y = (a.clientY + b.clientY) / 2 - (box?.top ?? 0)
      latest.current.zoomTo((start.scale * distance) / start.distance, { x, y })
    }
    const names = ['touchstart', 'touchmove', 'touchend', 'touchcancel'] as const
    for (const name of names) element?.addEventListener(name, onTouch, { passive: false })
    return () => names.forEach((name) => element?.removeEventListener(name, onTouch))
  }, [frame])
}

/** Pans by dragging with the mouse, beside text, which it selects; touch scrolls natively. */
export function usePan(frame: Frame) {
  const from = useRef<{ x: number; y: number } | null>(null)
  const [panning, setPanning] = useState(false)
  const stop = () => {
    from.current = null
    requestAnimationFrame(() => setPanning(false))
  }
  return {
    panning,
    pan: {
      onPointerDown: (event: PointerEvent) => {
        const onText = event.button === 0 && event.target instanceof SVGTextContentElement
        if (event.pointerType === 'mouse' && event.button < 2 && !onText) {
          from.current = { x: event.clientX, y: event.clientY }
        }
      },
      onPointerMove: (event: PointerEvent) => {
        const start = from.current
        if (start === null) return
        const moved = { x: event.clientX - start.x, y: event.clientY - start.y }
        if (!panning && Math.hypot(moved.x, moved.y) < 5) return
        setPanning(true)
        frame.current?.scrollBy({ left: -moved.x, top: -moved.y, behavior: 'instant' })
        from.current = { x: event.clientX, y: event.clientY }
      },
      onPointerUp: stop,
      onPointerLeave: stop,
      onClickCapture: (event: MouseEvent) => {
        if (panning) event.stopPropagation() // the end of a drag must not select a box
      },
    },
  }
}

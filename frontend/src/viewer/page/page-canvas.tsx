import { useElementSize, useMergedRef } from '@mantine/hooks'
import { IconArrowAutofitWidth, IconMaximize, IconMinus, IconPlus } from '@tabler/icons-react'
import { useEffect, useRef, useState, type PointerEvent, type ReactNode } from 'react'
import { useTranslation } from '../../i18n/translation'
import { percent } from '../../lib/format'
import { clampZoom, fitZoom, scrollAfterZoom, type Size } from '../../lib/geometry'
import { IconButton } from '../../ui/icon-button'
import { useShortcuts } from '../../ui/use-shortcuts'
import styles from './page-canvas.module.css'
import { usePageImage, type LoadPageImage, type PageImage } from './use-page-image'

const STEP = 1.25
const PADDING = 34 // the padding around the sheet; without it a fitted page gets scrollbars
const BLUR = 1.15 // screen pixels for a pixel of the image, from which on a sharper one is loaded
const NO_IMAGE: LoadPageImage = () => new Promise(() => undefined)
type Zoom = 'page' | 'width' | number

/** The image of a page, to zoom and pan, with `children` on top. */
export function PageCanvas(props: {
  image: PageImage
  pageIndex: number
  loadSharpImage: LoadPageImage
  page: Size
  label: string
  processing: boolean
  tools?: ReactNode
  initialZoom: 'page' | 'width'
  children: ReactNode
}) {
  const { t, language } = useTranslation()
  const [zoom, setZoom] = useState<Zoom>(props.initialZoom)
  const [natural, setNatural] = useState<Size>({ width: 800, height: 1100 })
  const { ref: measured, width, height } = useElementSize<HTMLDivElement>()
  const scroller = useRef<HTMLDivElement>(null)
  const page = props.page.width > 0 ? props.page : natural
  const view = { width: width - PADDING, height: height - PADDING }
  const scale = typeof zoom === 'number' ? zoom : fitZoom(page, view, zoom)

  const blurred = page.width * scale * window.devicePixelRatio > BLUR * natural.width
  const sharp = usePageImage(blurred ? props.loadSharpImage : NO_IMAGE, props.pageIndex)
  const image = sharp.status === 'ready' ? sharp : props.image

  function zoomTo(next: number, at?: { x: number; y: number }) {
    const frame = scroller.current
    const zoomed = clampZoom(next)
    setZoom(zoomed)
    if (frame === null) return
    const { x, y } = at ?? { x: frame.clientWidth / 2, y: frame.clientHeight / 2 }
    const left = scrollAfterZoom(frame.scrollLeft, x, zoomed / scale)
    const top = scrollAfterZoom(frame.scrollTop, y, zoomed / scale)
    requestAnimationFrame(() => frame.scrollTo({ left, top, behavior: 'instant' }))
  }

  useWheelZoom(scroller, (factor, at) => zoomTo(scale * factor, at))
  usePinchZoom(scroller, scale, zoomTo)
  useShortcuts({
    '+': () => zoomTo(scale * STEP),
    '=': () => zoomTo(scale * STEP),
    '-': () => zoomTo(scale / STEP),
    '0': () => setZoom('page'),
  })
  const { pan, panning } = usePan(scroller)
  const ref = useMergedRef(measured, scroller)

  return (
    <section className={styles.canvas} aria-label={props.label}>
      <div
        ref={ref}
        className={styles.scroller}
        data-panning={panning || undefined}
        tabIndex={0}
        role="region"
        aria-label={props.label}
        {...pan}
      >
        <div
          className={styles.sheet}
          data-processing={props.processing || undefined}
          style={{ width: page.width * scale, height: page.height * scale }}
        >
          {image.status === 'ready' && (
            <img
              src={image.url}
              alt={props.label}
              draggable={false}
              onLoad={({ currentTarget }) =>
                image === props.image &&
                setNatural({
                  width: currentTarget.naturalWidth,
                  height: currentTarget.naturalHeight,
                })
              }
            />
          )}
          {image.status === 'failed' && (
            <div className={styles.missing}>{t.viewer.noImage}</div>
          )}
          {props.children}
        </div>
      </div>
      <div className={styles.tools} role="toolbar" aria-label={t.viewer.image}>
        <IconButton label={t.viewer.zoomOut} onClick={() => zoomTo(scale / STEP)}>
          <IconMinus size={18} />
        </IconButton>
        <span className={styles.zoom}>{percent(scale, language)}</span>
        <IconButton label={t.viewer.zoomIn} onClick={() => zoomTo(scale * STEP)}>
          <IconPlus size={18} />
        </IconButton>
        <IconButton
          label={t.viewer.fitWidth}
          pressed={zoom === 'width'}
          onClick={() => setZoom('width')}
        >
          <IconArrowAutofitWidth size={18} />
        </IconButton>
        <IconButton
          label={t.viewer.fitPage}
          pressed={zoom === 'page'}
          onClick={() => setZoom('page')}
        >
          <IconMaximize size={18} />
        </IconButton>
        {props.tools}
      </div>
    </section>
  )
}

type Frame = React.RefObject<HTMLDivElement | null>

/** Zooms on the wheel with Ctrl or Cmd; browsers report a touchpad pinch as the wheel with Ctrl. */
function useWheelZoom(
  frame: Frame,
  onZoom: (factor: number, at: { x: number; y: number }) => void,
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
function usePinchZoom(
  frame: Frame,
  scale: number,
  zoomTo: (scale: number, at: { x: number; y: number }) => void,
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

/** Pans by dragging with the mouse; touch scrolls natively. */
function usePan(frame: Frame) {
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
        if (event.pointerType === 'mouse' && event.button < 2) {
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
      onClickCapture: (event: React.MouseEvent) => {
        if (panning) event.stopPropagation() // the end of a drag must not select a box
      },
    },
  }
}

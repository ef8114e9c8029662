import { useElementSize, useMergedRef } from '@mantine/hooks'
import { useCallback, useEffect, useMemo, useRef, useState, type ReactNode } from 'react'
import { useTranslation } from '../../i18n/translation'
import { clampZoom, type Size } from '../../lib/geometry'
import { GAP } from '../../lib/page-layout'
import { useShortcuts } from '../../ui/use-shortcuts'
import styles from './page-canvas.module.css'
import { Sheet } from './sheet'
import { usePan, usePinchZoom, useWheelZoom, type Point } from './use-gestures'
import type { PageLoaders } from './use-page-image'
import { usePageScroll, type Zoom } from './use-page-scroll'
import { ZOOM_STEP, ZoomTools } from './zoom-tools'

const PADDING = 2 * GAP + 2 // around a page; without it a fitted page gets scrollbars
const UNKNOWN: Size = { width: 800, height: 1100 }

/** The images of all pages below each other, to scroll, zoom and pan, with `children` on the current
 * one. Only the pages that can be seen are rendered. */
export function PageCanvas(props: {
  total: number
  pageIndex: number
  onPage: (index: number) => void
  onScrolledTo: (y: number) => void
  loaders: PageLoaders
  /** Of the current page. */
  page: Size
  rotationOf: (index: number) => number
  isProcessing: (index: number) => boolean
  tools?: ReactNode
  initialZoom: 'page' | 'width'
  children: ReactNode
}) {
  const { t } = useTranslation()
  const { total, pageIndex } = props
  const [zoom, setZoom] = useState<Zoom>(props.initialZoom)
  const { ref: measured, width, height } = useElementSize<HTMLDivElement>()
  const frame = useRef<HTMLDivElement>(null)
  const { sizes, onSize } = usePageSizes(total, pageIndex, props.page)
  const view = { width: width - PADDING, height: height - PADDING }
  const { layout, first, last, onScroll, hold } = usePageScroll({
    ...{ frame, sizes, zoom, view, pageIndex },
    onPage: props.onPage,
    onScrolledTo: props.onScrolledTo,
  })
  const scale = layout.scales[pageIndex] ?? 1

  function zoomTo(next: number, at?: Point) {
    const element = frame.current
    if (element === null) return
    hold(at ?? { x: element.clientWidth / 2, y: element.clientHeight / 2 })
    setZoom(clampZoom(next))
  }

  const latestZoom = useRef(zoomTo)
  latestZoom.current = zoomTo
  const latestScale = useRef(scale)
  latestScale.current = scale
  const zoomBy = useCallback((factor: number) => latestZoom.current(latestScale.current * factor), [])

  useWheelZoom(frame, (factor, at) => zoomTo(scale * factor, at))
  usePinchZoom(frame, scale, zoomTo)
  useShortcuts({
    '+': () => zoomBy(ZOOM_STEP),
    '=': () => zoomBy(ZOOM_STEP),
    '-': () => zoomBy(1 / ZOOM_STEP),
    '0': () => setZoom('page'),
  })
  const { pan, panning } = usePan(frame)
  const ref = useMergedRef(measured, frame)
  const labelOf = (index: number) => t.viewer.pageOf(index + 1, Math.max(1, total))
  const pages = Array.from({ length: Math.min(last, total - 1) - first + 1 }, (_, place) => first + place)

  return (
    <div className={styles.canvas}>
      <div
        ref={ref}
        className={styles.scroller}
        data-panning={panning || undefined}
        tabIndex={0}
        role="region"
        aria-label={labelOf(pageIndex)}
        onScroll={onScroll}
        {...pan}
      >
        <div
          className={styles.pages}
          data-measured={width > 0 || undefined}
          style={{ minWidth: layout.width, height: layout.height }}
        >
          {pages.map((index) => (
            <Sheet
              key={index}
              index={index}
              rotation={props.rotationOf(index)}
              label={labelOf(index)}
              top={layout.tops[index] ?? 0}
              width={layout.widths[index] ?? 0}
              height={layout.heights[index] ?? 0}
              pixels={sizes[index]?.width ?? UNKNOWN.width}
              current={index === pageIndex}
              processing={props.isProcessing(index)}
              loaders={props.loaders}
              onSize={onSize}
            >
              {index === pageIndex && props.children}
            </Sheet>
          ))}
        </div>
      </div>
      <ZoomTools scale={scale} zoom={zoom} onZoomBy={zoomBy} onFit={setZoom}>
        {props.tools}
      </ZoomTools>
    </div>
  )
}

/** The size of each page; a page that was not seen yet counts as large as the first one that was. */
function usePageSizes(total: number, pageIndex: number, page: Size) {
  const [known, setKnown] = useState<ReadonlyMap<number, Size>>(new Map())
  const onSize = useCallback((index: number, size: Size) => {
    setKnown((all) => (isSame(all.get(index), size) ? all : new Map(all).set(index, size)))
  }, [])
  useEffect(() => {
    if (page.width > 0) onSize(pageIndex, page)
  }, [pageIndex, page.width, page.height, onSize])
  const sizes = useMemo(() => {
    const usual = known.values().next().value ?? UNKNOWN
    return Array.from({ length: Math.max(1, total) }, (_, index) => known.get(index) ?? usual)
  }, [known, total])
  return { sizes, onSize }
}

const isSame = (a: Size | undefined, b: Size) => a?.width === b.width && a.height === b.height

import { IconArrowAutofitWidth, IconMaximize, IconMinus, IconPlus } from '@tabler/icons-react'
import { memo, type ReactNode } from 'react'
import { useTranslation } from '../../i18n/translation'
import { percent } from '../../lib/format'
import { IconButton } from '../../ui/icon-button'
import styles from './page-canvas.module.css'
import type { Zoom } from './use-page-scroll'

export const ZOOM_STEP = 1.25

/** The bar below the pages. It is rendered when the zoom changes, not when pages scroll. */
export const ZoomTools = memo(function ZoomTools(props: {
  scale: number
  zoom: Zoom
  onZoomBy: (factor: number) => void
  onFit: (zoom: 'page' | 'width') => void
  children: ReactNode
}) {
  const { t, language } = useTranslation()
  const { zoom, onZoomBy, onFit } = props
  return (
    <div className={styles.tools} role="toolbar" aria-label={t.viewer.image}>
      <IconButton label={t.viewer.zoomOut} onClick={() => onZoomBy(1 / ZOOM_STEP)}>
        <IconMinus size={18} />
      </IconButton>
      <span className={styles.zoom}>{percent(props.scale, language)}</span>
      <IconButton label={t.viewer.zoomIn} onClick={() => onZoomBy(ZOOM_STEP)}>
        <IconPlus size={18} />
      </IconButton>
      <IconButton label={t.viewer.fitWidth} pressed={zoom === 'width'} onClick={() => onFit('width')}>
        <IconArrowAutofitWidth size={18} />
      </IconButton>
      <IconButton label={t.viewer.fitPage} pressed={zoom === 'page'} onClick={() => onFit('page')}>
        <IconMaximize size={18} />
      </IconButton>
      {props.children}
    </div>
  )
})

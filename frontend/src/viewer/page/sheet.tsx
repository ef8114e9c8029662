import { Button } from '@mantine/core'
import { memo, type ReactNode } from 'react'
import { useTranslation } from '../../i18n/translation'
import type { Size } from '../../lib/geometry'
import styles from './page-canvas.module.css'
import { usePageImage, type LoadPageImage, type PageLoaders } from './use-page-image'

const BLUR = 1.15 // screen pixels for a pixel of the image, from which on a sharper one is loaded
const NO_IMAGE: LoadPageImage = () => new Promise(() => undefined)

/** One page of the document: a small picture at first, then one as sharp as the zoom needs. */
export const Sheet = memo(function Sheet(props: {
  index: number
  rotation: number
  label: string
  top: number
  width: number
  height: number
  /** Pixels of the usual image in a row. */
  pixels: number
  current: boolean
  processing: boolean
  loaders: PageLoaders
  onSize: (index: number, size: Size) => void
  children: ReactNode
}) {
  const { t } = useTranslation()
  const { index, loaders, current } = props
  const page = { index, rotation: props.rotation }
  const usual = usePageImage(loaders.image, page)
  const preview = usePageImage(usual.status === 'loading' ? loaders.thumbnail : NO_IMAGE, page)
  const blurred = props.width * window.devicePixelRatio > BLUR * props.pixels
  const sharp = usePageImage(blurred && current ? loaders.sharp : NO_IMAGE, page)
  const image = sharp.status === 'ready' ? sharp : usual
  return (
    <div
      className={styles.sheet}
      data-page={index}
      data-processing={props.processing || undefined}
      style={{ width: props.width, height: props.height, transform: `translateY(${props.top}px)` }}
    >
      {image.status !== 'ready' && preview.status === 'ready' && <img src={preview.url} alt="" />}
      {image.status === 'ready' && (
        <img
          src={image.url}
          alt={props.label}
          draggable={false}
          decoding="async"
          onLoad={({ currentTarget: { naturalWidth: width, naturalHeight: height } }) => {
            if (image === usual) props.onSize(index, { width, height })
          }}
        />
      )}
      {image.status === 'failed' && (
        <div className={styles.missing}>
          {t.viewer.noImage}
          <Button size="xs" variant="default" onClick={image.loadAgain}>
            {t.tryAgain}
          </Button>
        </div>
      )}
      {props.children}
    </div>
  )
})

import { useEffect, useState } from 'react'

/** A page, turned clockwise by `rotation` degrees. */
export type TurnedPage = { index: number; rotation: number }
/** Loads the image of a page; `signal` says that it is not needed any more. */
export type LoadPageImage = (page: TurnedPage, signal: AbortSignal) => Promise<Blob>
export type PageImage = { status: 'loading' } | { status: 'failed' } | { status: 'ready'; url: string }

/** The image of a page as an object URL, which is revoked on unmount, on a page change and when the page
 * is turned. */
export function usePageImage(loadImage: LoadPageImage, { index, rotation }: TurnedPage): PageImage {
  const [image, setImage] = useState<PageImage>({ status: 'loading' })
  useEffect(() => {
    const controller = new AbortController()
    let url = ''
    setImage({ status: 'loading' })
    loadImage({ index, rotation }, controller.signal).then(
      (blob) => {
        if (controller.signal.aborted) return
        url = URL.createObjectURL(blob)
        setImage({ status: 'ready', url })
      },
      () => !controller.signal.aborted && setImage({ status: 'failed' }),
    )
    return () => {
      controller.abort()
      if (url !== '') URL.revokeObjectURL(url)
    }
  }, [loadImage, index, rotation])
  return image
}

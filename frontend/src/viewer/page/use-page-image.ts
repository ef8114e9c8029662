import { useEffect, useState } from 'react'

/** Loads the image of a page; callers share one request per page. */
export type LoadPageImage = (index: number) => Promise<Blob>
export type PageImage = { status: 'loading' } | { status: 'failed' } | { status: 'ready'; url: string }

/** The image of a page as an object URL, which is revoked on unmount and on a page change. */
export function usePageImage(loadImage: LoadPageImage, index: number): PageImage {
  const [image, setImage] = useState<PageImage>({ status: 'loading' })
  useEffect(() => {
    let unmounted = false
    let url = ''
    setImage({ status: 'loading' })
    loadImage(index).then(
      (blob) => {
        if (unmounted) return
        url = URL.createObjectURL(blob)
        setImage({ status: 'ready', url })
      },
      () => !unmounted && setImage({ status: 'failed' }),
    )
    return () => {
      unmounted = true
      if (url !== '') URL.revokeObjectURL(url)
    }
  }, [loadImage, index])
  return image
}

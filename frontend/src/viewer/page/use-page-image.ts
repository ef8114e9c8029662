import { useEffect, useState } from 'react'

/** A page, turned clockwise by `rotation` degrees. */
export type TurnedPage = { index: number; rotation: number }
/** Loads the image of a page; `signal` says that it is not needed any more, `urgent` that the page is
 * the one that is looked at. */
export type LoadPageImage = (page: TurnedPage, signal: AbortSignal, urgent?: boolean) => Promise<Blob>
/** The usual image, a small one, and one with more pixels for a zoomed page. */
export type PageLoaders = { image: LoadPageImage; thumbnail: LoadPageImage; sharp: LoadPageImage }
export type PageImage =
  | { status: 'loading' }
  | { status: 'failed'; loadAgain: () => void }
  | { status: 'ready'; url: string }

/** The image of a page as an object URL, which is revoked on unmount, on a page change and when the page
 * is turned. */
export function usePageImage(loadImage: LoadPageImage, { index, rotation }: TurnedPage, urgent = false): PageImage {
  const [image, setImage] = useState<PageImage>(LOADING)
  const [attempt, setAttempt] = useState(0)
  useEffect(() => {
    const controller = new AbortController()
    let url = ''
    setImage(LOADING)
    loadImage({ index, rotation }, controller.signal, urgent).then(
      (blob) => {
        if (controller.signal.aborted) return
        url = URL.createObjectURL(blob)
        setImage({ status: 'ready', url })
      },
      () => {
        if (controller.signal.aborted) return
        setImage({ status: 'failed', loadAgain: () => setAttempt((count) => count + 1) })
      },
    )
    return () => {
      controller.abort()
      if (url !== '') URL.revokeObjectURL(url)
    }
  }, [loadImage, index, rotation, urgent, attempt])
  return image
}

const LOADING: PageImage = { status: 'loading' }

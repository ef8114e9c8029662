import { useEffect, useState } from 'react'

/** Fetches the picture of a page, at most once for all who look at it. */
export type LoadPicture = (index: number) => Promise<Blob>
export type Picture = { status: 'loading' } | { status: 'failed' } | { status: 'ready'; url: string }

/** An address for the picture that lives as long as the component. */
export function usePicture(load: LoadPicture, index: number): Picture {
  const [shown, setShown] = useState<Picture & { index?: number }>({ status: 'loading' })
  useEffect(() => {
    let gone = false
    let url = ''
    setShown({ status: 'loading' })
    load(index).then(
      (blob) => {
        if (gone) return
        url = URL.createObjectURL(blob)
        setShown({ status: 'ready', url })
      },
      () => !gone && setShown({ status: 'failed' }),
    )
    return () => {
      gone = true
      if (url !== '') URL.revokeObjectURL(url)
    }
  }, [load, index])
  return shown
}

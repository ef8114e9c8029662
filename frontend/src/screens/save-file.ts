// Apart from copies.ts, which reads markdown: the history saves too, and is in the first load.
import type { Words } from '../i18n/translation'
import { tell } from './error-notifications'

/** Saves what `make` gives; says so when it cannot. */
export async function save(make: Promise<Blob>, name: string, words: Words): Promise<void> {
  try {
    const url = URL.createObjectURL(await make)
    const link = document.createElement('a')
    link.href = url
    link.download = name
    link.click()
    setTimeout(() => URL.revokeObjectURL(url), 60_000)
  } catch (error) {
    tell(error, words, words.out.failed)
  }
}

// Not in copy-actions.ts: that one imports the Markdown parser, and the history, which saves files
// too, is part of the first load.
import type { Texts } from '../i18n/translation'
import { notifyError } from './error-notifications'

/** Downloads `content` as a file once it resolves; shows a notification if it rejects. */
export async function saveFile(content: Promise<Blob>, name: string, t: Texts): Promise<void> {
  try {
    const url = URL.createObjectURL(await content)
    const link = document.createElement('a')
    link.href = url
    link.download = name
    link.click()
    setTimeout(() => URL.revokeObjectURL(url), 60_000)
  } catch (error) {
    notifyError(error, t, t.export.failed)
  }
}

// Not in copy-actions.ts: that one imports the Markdown parser, and the history, which saves files
// too, is part of the first load.
import type { Texts } from '../i18n/translation'
import { notifyError } from './error-notifications'

/** Downloads `content` once it resolves, by default under its own name; shows a notification if it
 * rejects. */
export async function saveFile(
  content: Promise<File>,
  name: string | null,
  t: Texts,
): Promise<void> {
  try {
    const file = await content
    const url = URL.createObjectURL(file)
    const link = document.createElement('a')
    link.href = url
    link.download = name ?? file.name
    link.click()
    setTimeout(() => URL.revokeObjectURL(url), 60_000)
  } catch (error) {
    notifyError(error, t, t.export.failed)
  }
}

import { notifications } from '@mantine/notifications'
import type { Texts } from '../i18n/translation'
import { plainText, tablesOf, tsv } from '../lib/markdown'
import type { CopyAction } from '../viewer/toolbar'

/** What can be copied from a page: its Markdown, its plain text, and each table. */
export function copyActions(markdown: string, t: Texts): CopyAction[] {
  const tables = tablesOf(markdown).map((rows, index) => ({
    key: `table-${index}`,
    label: t.export.table(index + 1),
    copy: () => void copyText(tsv(rows), t),
  }))
  return [
    { key: 'markdown', label: t.export.markdown, copy: () => void copyText(markdown, t) },
    { key: 'text', label: t.export.text, copy: () => void copyText(plainText(markdown), t) },
    ...tables,
  ]
}

export async function copyText(text: string, t: Texts): Promise<void> {
  if (!(await writeClipboard(text))) return
  notifications.show({ message: t.export.copied, color: 'teal', autoClose: 1800 })
}

/** Falls back to execCommand: browsers offer navigator.clipboard on HTTPS and localhost alone. */
async function writeClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    const field = document.createElement('textarea')
    field.value = text
    field.style.position = 'fixed'
    document.body.append(field)
    field.select()
    const copied = document.execCommand('copy')
    field.remove()
    return copied
  }
}

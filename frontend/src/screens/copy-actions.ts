import { notifications } from '@mantine/notifications'
import type { Words } from '../i18n/translation'
import { plainText, tablesOf, tsv } from '../lib/markdown'
import type { Copyable } from '../viewer/toolbar'

/** What can be copied of a page. */
export function copiesOf(markdown: string, words: Words): Copyable[] {
  const tables = tablesOf(markdown).map((rows, place) => ({
    key: `table-${place}`,
    label: words.out.table(place + 1),
    copy: () => void copy(tsv(rows), words),
  }))
  return [
    { key: 'markdown', label: words.out.markdown, copy: () => void copy(markdown, words) },
    { key: 'text', label: words.out.text, copy: () => void copy(plainText(markdown), words) },
    ...tables,
  ]
}

export async function copy(text: string, words: Words): Promise<void> {
  if (!(await toClipboard(text))) return
  notifications.show({ message: words.out.copied, color: 'teal', autoClose: 1800 })
}

/** Over plain HTTP from another machine browsers give no clipboard; the old way works there. */
async function toClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    const field = document.createElement('textarea')
    field.value = text
    field.style.position = 'fixed'
    document.body.append(field)
    field.select()
    const done = document.execCommand('copy')
    field.remove()
    return done
  }
}

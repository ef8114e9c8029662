import { notifications } from '@mantine/notifications'
import type { Texts } from '../i18n/translation'
import { plainText, tableHtml, tablesOf, tsv } from '../lib/markdown'
import type { CopyAction } from '../viewer/toolbar'

/** What can be copied from a page: its Markdown, its plain text, and each table. */
export function copyActions(markdown: string, t: Texts): CopyAction[] {
  const tables = tablesOf(markdown).map((table, index) => ({
    key: `table-${index}`,
    label: t.export.table(index + 1),
    copy: () => void copyText(tsv(table), t, tableHtml(table)),
  }))
  return [
    { key: 'markdown', label: t.export.markdown, copy: () => void copyText(markdown, t) },
    { key: 'text', label: t.export.text, copy: () => void copyText(plainText(markdown), t) },
    ...tables,
  ]
}

/** Copies the text of a block: a table as TSV and HTML, other text as it reads. */
export function copyBlock(markdown: string, t: Texts): Promise<void> {
  const [table, ...others] = tablesOf(markdown)
  const isTable = table !== undefined && others.length === 0 && /^\s*<table[\s>]/i.test(markdown)
  return isTable ? copyText(tsv(table), t, tableHtml(table)) : copyText(plainText(markdown), t)
}

/** `html`: the same for where it is understood. */
export async function copyText(text: string, t: Texts, html?: string): Promise<void> {
  if (!(await writeClipboard(text, html))) return
  notifications.show({ message: t.export.copied, color: 'teal', autoClose: 1800 })
}

function blobs(texts: Record<string, string>): Record<string, Blob> {
  return Object.fromEntries(Object.entries(texts).map(([type, text]) => [type, new Blob([text], { type })]))
}

/** Falls back to execCommand: browsers offer navigator.clipboard on HTTPS and localhost alone. */
async function writeClipboard(text: string, html?: string): Promise<boolean> {
  try {
    if (html === undefined) await navigator.clipboard.writeText(text)
    else await navigator.clipboard.write([new ClipboardItem(blobs({ 'text/plain': text, 'text/html': html }))])
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

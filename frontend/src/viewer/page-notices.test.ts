import { expect, test } from 'vitest'
import { texts as en } from '../i18n/languages/en'
import { texts as zh } from '../i18n/languages/zh'
import { noticesFor } from './page-notices'

function withFlags(...flags: string[]) {
  const layout = { width: 10, height: 10, items: [] }
  const page = {
    ...{ pageIndex: 0, text: '', rawText: '', layout, lines: [], durationMs: 1 },
    ...{ finishReason: 'stop' as const, flags, error: null },
  }
  return { status: 'done' as const, page, corrections: {} }
}

test.each(['hidden_text', 'embedded_form', 'attached_files'])('%s has a notice', (flag) => {
  for (const t of [en, zh]) {
    const notices = noticesFor(withFlags(flag), t)
    expect(notices).toHaveLength(1)
    expect(notices).not.toContain(t.notices.other(flag))
  }
})

test('a turned page has no notice', () => {
  expect(noticesFor(withFlags('turned_90'), en)).toEqual([])
})

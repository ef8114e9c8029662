import { PAYLOADS } from '../src/lib/payloads'
import { expect, give, test, textOf } from './fixtures'

test('whatever the model writes, no script runs and nobody else is asked', async ({ app, picture }) => {
  const asked: string[] = []
  app.on('request', (request) => asked.push(request.url()))
  const dialogs: string[] = []
  app.on('dialog', (dialog) => (dialogs.push(dialog.message()), dialog.dismiss()))
  const items = PAYLOADS.map((text, id) => ({
    id,
    label: id % 3 === 0 ? text.slice(0, 32) : 'text',
    text,
    confidence: 0.5,
    boxes: [{ index: 0, absolute: [0, 0, 9, 9], normalized: [0.1, 0.1, 0.9, 0.2] }],
  }))
  const text = PAYLOADS.join('\n\n')
  const page = { pageIndex: 0, text, rawText: text, layout: { width: 900, height: 800, items } }
  const rest = { durationMs: 1, finishReason: 'stop', flags: [PAYLOADS[0]], error: null }
  const answer = { mode: 'gundam', prompt: '', text, rawText: text, pages: [{ ...page, ...rest }] }
  const whole = { ...answer, durationMs: 1, fileName: PAYLOADS[0], fileSize: 1, engine: 'x', model: '' }
  await app.route('**/api/ocr', (route) =>
    route.fulfill({
      contentType: 'text/event-stream',
      body: `id: 1\nevent: done\ndata: ${JSON.stringify({ ...whole, layout: page.layout })}\n\n`,
    }),
  )
  await give(app, picture)
  await expect(textOf(app).locator('[data-block]')).toHaveCount(PAYLOADS.length)
  for (const link of await textOf(app).locator('a[href]').all()) {
    expect(await link.getAttribute('href')).toMatch(/^(https?:|mailto:)/)
  }
  for (const tab of ['2', '3', '4', '1']) {
    await app.keyboard.press(tab)
    await expect(textOf(app)).toContainText('window.__hit')
  }
  // Formulas are set by now, and late events had their time to fire.
  await expect(textOf(app).locator('.katex').first()).toBeAttached()
  expect(await app.evaluate(() => Reflect.get(window, '__hit'))).toBeUndefined()
  await expect(textOf(app).locator('script, iframe, form form, object, embed, style, link')).toHaveCount(0)
  const own = new URL(app.url()).origin
  expect(asked.filter((url) => !url.startsWith(own) && !/^(blob|data):/.test(url))).toEqual([])
  expect(dialogs).toEqual([])
})

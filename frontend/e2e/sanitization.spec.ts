import { PAYLOADS } from '../src/lib/xss-payloads'
import { answerWith, expect, give, test, textOf } from './fixtures'

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
  const written = { text: PAYLOADS.join('\n\n'), items, flags: PAYLOADS.slice(0, 1) }
  await answerWith(app, written, PAYLOADS[0])
  await give(app, picture)
  await expect(textOf(app).locator('[data-block]')).toHaveCount(PAYLOADS.length)
  for (const link of await textOf(app).locator('a[href]').all()) {
    expect(await link.getAttribute('href')).toMatch(/^(https?:|mailto:)/)
  }
  for (const tab of ['2', '3', '4', '1']) {
    await app.keyboard.press(tab)
    await expect(textOf(app)).toContainText('window.__hit')
  }
  // Formulas are loaded last; then every image has loaded or failed, and its events have fired.
  await expect(textOf(app).locator('.katex').first()).toBeAttached()
  await app.evaluate(async () => {
    const pending = [...document.images].filter((image) => !image.complete)
    await Promise.all(pending.map((image) => new Promise((done) => (image.onload = image.onerror = done))))
    await new Promise((done) => requestIdleCallback(done))
  })
  expect(await app.evaluate(() => Reflect.get(window, '__hit'))).toBeUndefined()
  await expect(textOf(app).locator('script, iframe, form form, object, embed, style, link')).toHaveCount(0)
  const own = new URL(app.url()).origin
  expect(asked.filter((url) => !url.startsWith(own) && !/^(blob|data):/.test(url))).toEqual([])
  expect(dialogs).toEqual([])
})

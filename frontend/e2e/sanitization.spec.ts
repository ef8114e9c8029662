import { XSS_PAYLOADS } from '../src/lib/xss-payloads'
import { respondWith, expect, upload, test, textOf } from './fixtures'

test('no script runs and no request leaves the origin, whatever the model outputs', async ({ app, image }) => {
  const requested: string[] = []
  app.on('request', (request) => requested.push(request.url()))
  const dialogs: string[] = []
  app.on('dialog', (dialog) => (dialogs.push(dialog.message()), dialog.dismiss()))
  const blocks = XSS_PAYLOADS.map((text, id) => ({
    id,
    label: id % 3 === 0 ? text.slice(0, 32) : 'text',
    text,
    confidence: 0.5, review: false,
    boxes: [{ index: 0, absolute: [0, 0, 9, 9], normalized: [0.1, 0.1, 0.9, 0.2] }],
  }))
  const output = { text: XSS_PAYLOADS.join('\n\n'), items: blocks, flags: XSS_PAYLOADS.slice(0, 1) }
  await respondWith(app, output)
  await upload(app, { ...image, name: `${XSS_PAYLOADS[0]}.png` })
  await expect(textOf(app).locator('[data-block]')).toHaveCount(XSS_PAYLOADS.length)
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
  const origin = new URL(app.url()).origin
  expect(requested.filter((url) => !url.startsWith(origin) && !/^(blob|data):/.test(url))).toEqual([])
  expect(dialogs).toEqual([])
})

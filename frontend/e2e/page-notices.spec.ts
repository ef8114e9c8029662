import { respondWith, expect, expectResult, processFile, upload, test, textOf } from './fixtures'

const NOTICES = [
  { finishReason: 'repetition', flags: [], text: 'began to repeat itself' },
  { finishReason: 'length', flags: ['truncated'], text: 'exceeds the output limit' },
  { finishReason: 'stop', flags: ['unsupported_script'], text: 'does not support the script of this page' },
  { finishReason: 'stop', flags: ['low_confidence'], text: 'Low confidence: check the text' },
  { finishReason: 'stop', flags: ['not_found'], text: 'was not found on this page' },
]

test('a page shows each notice until it is read again without it', async ({ app, image }) => {
  await processFile(app, image)
  for (const { text, ...page } of NOTICES) {
    await respondWith(app, { text: 'Page text.', ...page })
    await app.reload()
    const notice = textOf(app).getByRole('status').filter({ hasText: text })
    await expect(notice).toHaveCount(1)
    await app.unrouteAll()
    await notice.getByRole('button', { name: 'Retry with' }).click()
    await app.getByRole('menuitem', { name: /Small/ }).click()
    await expect(textOf(app)).toContainText('eleven countries')
    await expect(notice).toHaveCount(0)
    await expectResult(app)
  }
  await respondWith(app, { text: 'Page text.', flags: ['turned_90'] })
  await app.reload()
  await expect(textOf(app)).toContainText('Page text.')
  await expect(textOf(app).getByRole('status').filter({ hasText: 'turned' })).toHaveCount(0) // it is as good as any
})

test('an empty page has the notice that it is blank', async ({ app, browser }) => {
  const sheet = await browser.newPage({ viewport: { width: 700, height: 900 } })
  const blank = { name: 'blank.png', mimeType: 'image/png', buffer: await sheet.screenshot() }
  await sheet.close()
  await upload(app, blank)
  await expect(textOf(app).getByText('This page appears to be blank.')).toBeVisible()
})

test('a failed page keeps its place, shows the error and can be retried', async ({ app, image }) => {
  const broken = { name: 'z-broken.png', mimeType: 'image/png', buffer: image.buffer.subarray(0, 400) }
  await app.getByRole('checkbox', { name: 'Several files become one document' }).check()
  await upload(app, image, broken)
  await expect(app.getByText(/Finished in .* 1 page failed/)).toBeVisible()
  const pages = app.getByRole('navigation', { name: 'Pages' })
  await expect(pages.locator('[data-mark=failed]')).toHaveCount(1)
  await pages.getByRole('button', { name: 'Page 2' }).click()
  const notice = textOf(app).getByRole('status')
  await expect(notice).toContainText('This page could not be processed.')
  await expect(notice.getByRole('button', { name: 'Retry with' })).toBeVisible()
})

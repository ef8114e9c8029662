import { answerWith, expect, give, test, textOf } from './fixtures'

const NOTICES = [
  { finishReason: 'repetition', flags: [], said: 'began to repeat itself' },
  { finishReason: 'length', flags: ['truncated'], said: 'longer than the reader may write' },
  { finishReason: 'stop', flags: ['unsupported_script'], said: 'in a script that this engine was not taught' },
  { finishReason: 'stop', flags: ['low_confidence'], said: 'not sure of this page' },
  { finishReason: 'stop', flags: ['not_found'], said: 'to be located is not on this page' },
]

for (const { said, ...page } of NOTICES) {
  test(`a page says: ${said}`, async ({ app, picture }) => {
    await answerWith(app, { text: 'What was read.', ...page })
    await give(app, picture)
    const notice = textOf(app).getByRole('status').filter({ hasText: said })
    await expect(notice).toHaveCount(1)
    await app.unroute('**/api/ocr')
    await notice.getByRole('button', { name: 'Read again with' }).click()
    await app.getByRole('menuitem', { name: /Small/ }).click()
    await expect(textOf(app)).toContainText('eleven countries')
    await expect(notice).toHaveCount(0)
  })
}

test('a page that was read turned is nothing to be warned of', async ({ app, picture }) => {
  await answerWith(app, { text: 'What was read.', flags: ['turned_90'] })
  await give(app, picture)
  await expect(textOf(app)).toContainText('What was read.')
  await expect(textOf(app).getByRole('status').filter({ hasText: 'turned' })).toHaveCount(0)
})

test('an empty sheet is called blank', async ({ app, browser }) => {
  const sheet = await browser.newPage({ viewport: { width: 700, height: 900 } })
  const blank = { name: 'blank.png', mimeType: 'image/png', buffer: await sheet.screenshot() }
  await sheet.close()
  await give(app, blank)
  await expect(textOf(app).getByText('This page looks blank.')).toBeVisible()
})

test('a page that failed keeps its place, says why and can be read again', async ({ app, picture }) => {
  const broken = { name: 'z-broken.png', mimeType: 'image/png', buffer: picture.buffer.subarray(0, 400) }
  await give(app, picture, broken)
  await expect(app.getByText(/Read in .* 1 page failed/)).toBeVisible()
  const pages = app.getByRole('navigation', { name: 'Pages' })
  await expect(pages.locator('[data-mark=failed]')).toHaveCount(1)
  await pages.getByRole('button', { name: 'Page 2' }).click()
  const notice = textOf(app).getByRole('status')
  await expect(notice).toContainText('This page could not be read.')
  await expect(notice.getByRole('button', { name: 'Read again with' })).toBeVisible()
})

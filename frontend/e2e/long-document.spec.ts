import { expect, upload, pdfOf, test, textOf } from './fixtures'

const PAGES = 300

test('a document of 300 pages can be scrolled while it is processed, and can be cancelled', async ({ app, browser }) => {
  const pages = Array.from({ length: PAGES }, (_, index) => `<h1>Sheet ${index + 1}</h1><p>Of the long ledger.</p>`)
  const ledger = await pdfOf(browser, pages)
  await app.getByRole('button', { name: 'More options' }).click()
  await app.getByRole('radio', { name: 'Tiny' }).click()
  await upload(app, { ...ledger, name: 'ledger.pdf' })
  await expect(app.getByText(`/ ${PAGES}`, { exact: true })).toBeVisible()
  await expect(app).toHaveTitle(/^\d+\/300 · ledger\.pdf · dsocr$/)
  const list = app.getByRole('navigation', { name: 'Pages' })
  await expect(list.locator('[data-mark=done]').first()).toBeVisible()
  await expect(textOf(app)).toContainText('Sheet 1')

  // The list is virtualized: at every scroll position it has only the visible rows.
  const maxRows = await list.evaluate(async (scroller) => {
    let rows = 0
    for (let top = 0; top < scroller.scrollHeight; top += 400) {
      scroller.scrollTop = top
      await new Promise(requestAnimationFrame)
      rows = Math.max(rows, scroller.querySelectorAll('button').length)
    }
    return rows
  })
  expect(maxRows).toBeLessThan(20)
  await expect(list.getByRole('button', { name: `Page ${PAGES}` })).toBeVisible()
  await expect(list.locator('[tabindex="0"]')).toHaveCount(0) // one tab stop, which is out of sight
  const thumbnail = list.locator('img').last()
  await expect.poll(() => thumbnail.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBe(192)

  await app.getByRole('button', { name: 'Cancel' }).click()
  await expect(app.getByText('Cancelled. The finished pages are kept.')).toBeVisible()
  await expect(textOf(app)).toContainText('Sheet 1')
  const number = app.getByRole('textbox', { name: 'Page number' })
  await number.fill(String(PAGES))
  await number.press('Enter')
  await textOf(app).getByRole('button', { name: 'Read this page' }).click()
  await expect(textOf(app)).toContainText(`Sheet ${PAGES}`)
  await app.getByRole('button', { name: 'Read the rest' }).click()
  await expect(app.getByText(/pages\/s/)).toBeVisible()
  await app.getByRole('button', { name: 'Cancel' }).click()
  await expect(app.getByText('Cancelled. The finished pages are kept.')).toBeVisible()
})

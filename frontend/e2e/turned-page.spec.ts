import type { Page } from '@playwright/test'
import { expect, processFile, test, textOf } from './fixtures'

const picture = (page: Page) => page.locator('[data-page="0"] img[alt^="Page"]')

async function sizeOf(page: Page): Promise<number[]> {
  return picture(page).evaluate((image: HTMLImageElement) => [image.naturalWidth, image.naturalHeight])
}

/** Where the middle of the title is on the page, as fractions of it. */
async function placeOfTitle(page: Page): Promise<{ x: number; y: number }> {
  const box = await page.locator('[data-page="0"] [data-box]').first().boundingBox()
  const sheet = await page.locator('[data-page="0"]').boundingBox()
  if (box === null || sheet === null) return { x: NaN, y: NaN }
  return {
    x: (box.x + box.width / 2 - sheet.x) / sheet.width,
    y: (box.y + box.height / 2 - sheet.y) / sheet.height,
  }
}

test('a page is turned and read again, with its picture and boxes, and turned back as a version', async ({ app, image }) => {
  await processFile(app, image)
  await expect(textOf(app)).toContainText('eleven countries')
  await expect.poll(() => sizeOf(app)).toEqual([900, 800])
  await app.getByRole('button', { name: 'Retry with…' }).click()
  await app.getByRole('menuitem', { name: 'Turn right and read again' }).click()
  await expect.poll(() => sizeOf(app)).toEqual([800, 900])
  await expect(app.getByText(/Finished in/)).toBeVisible()
  await expect(textOf(app)).toContainText('eleven countries')
  await expect.poll(async () => (await placeOfTitle(app)).x).toBeGreaterThan(0.8)
  await app.reload()
  await expect(textOf(app)).toContainText('eleven countries')
  await expect.poll(() => sizeOf(app)).toEqual([800, 900])

  await app.getByRole('button', { name: 'Versions of the page' }).click()
  await app.getByRole('button', { name: 'Take the former version' }).click()
  await expect.poll(() => sizeOf(app)).toEqual([900, 800])
  await expect.poll(async () => (await placeOfTitle(app)).y).toBeLessThan(0.2)
  await app.getByRole('button', { name: 'Versions of the page' }).click()
  await expect(app.getByRole('radio', { name: /turned by 90°/ })).toBeVisible()
})

test('a finished page that is on its way is not said to be unread, and one that cannot be fetched says so', async ({ app, image }) => {
  await processFile(app, image)
  await expect(textOf(app)).toContainText('eleven countries')
  let release = () => undefined as void
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  await app.route(/\/api\/jobs\/\w+\/pages\/0$/, async (route) => {
    await held
    await route.continue().catch(() => undefined) // the test may have ended
  })
  await app.reload()
  await expect(textOf(app).getByText('Loading the page…')).toBeAttached()
  await expect(app.getByText('This page has not been processed yet.')).toHaveCount(0)
  const copy = app.getByRole('button', { name: 'Copy', exact: true })
  await expect(copy).toBeDisabled() // the toolbar is there while a page is fetched
  release()
  await expect(textOf(app)).toContainText('eleven countries')
  await expect(copy).toBeEnabled()
  await app.unrouteAll()
  const error = { code: 'internal', message: 'broken', requestId: '1', retryable: false }
  await app.route(/\/api\/jobs\/\w+\/pages\/0$/, (route) => route.fulfill({ status: 500, json: { error, detail: 'broken' } }))
  await app.reload()
  await expect(app.getByText('This page could not be loaded.')).toBeVisible()
  await app.unroute(/\/api\/jobs\/\w+\/pages\/0$/)
  await app.getByRole('button', { name: 'Try again' }).click()
  await expect(textOf(app)).toContainText('eleven countries')
})

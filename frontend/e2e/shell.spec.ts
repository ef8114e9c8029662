import AxeBuilder from '@axe-core/playwright'
import { expect, upload, test } from './fixtures'

test('the page takes the language of the browser, and another one from the menu', async ({ app }) => {
  await app.getByRole('button', { name: 'Language' }).click()
  await app.getByRole('menuitem', { name: '中文' }).click()
  await expect(app.getByRole('heading', { name: '拖放文档，提取文字' })).toBeVisible()
  await app.reload()
  await expect(app.locator('html')).toHaveAttribute('lang', 'zh')
})

test('Escape closes the engine details, and shortcuts work again', async ({ app }) => {
  await app.getByRole('button', { name: /^Engine: PP-OCR/ }).click()
  await expect(app.getByText('Use DeepSeek-OCR')).toBeVisible()
  await app.keyboard.press('Escape')
  await expect(app.getByText('Use DeepSeek-OCR')).toHaveCount(0)
  await app.keyboard.press('h')
  await expect(app.getByRole('heading', { name: 'History' })).toBeVisible()
})

for (const name of ['ppocr', 'rapidocr']) {
  test(`the engine ${name} is shown as PP-OCR`, async ({ app }) => {
    const health = await (await app.request.get('/health')).json()
    const renamed = { ...health, engine: { ...health.engine, name } }
    await app.route('**/health', (route) => route.fulfill({ json: renamed }))
    await app.reload()
    await app.getByRole('button', { name: /^Engine: PP-OCR/ }).click()
    await expect(app.getByText('Use DeepSeek-OCR')).toBeVisible()
  })
}

test('the engine badge shows the number of jobs', async ({ app }) => {
  const health = await (await app.request.get('/health')).json()
  const busy = { ...health, queue: { running: 0, waiting: 0, maxRequests: 64, jobs: 2 } }
  await app.route('**/health', (route) => route.fulfill({ json: busy }))
  await app.reload()
  await expect(app.getByRole('button', { name: /^Engine/ })).toContainText('2 jobs')
})

test('an outage of the server is shown until it responds again', async ({ app }) => {
  await app.route(/\/(health|api)/, (route) => route.abort())
  await expect(app.getByRole('alert')).toContainText('not responding')
  await app.unroute(/\/(health|api)/)
  await expect(app.getByRole('alert')).toHaveCount(0)
})

test('an API key is requested once a browser, sent in a header, and forgotten on request', async ({ app, context }) => {
  await context.route('**/api/**', async (route) => {
    if ((await route.request().headerValue('authorization')) === 'Bearer open') return route.continue()
    const error = { code: 'unauthorized', message: 'A key is needed.', requestId: '1', retryable: false }
    return route.fulfill({ status: 401, json: { error, detail: error.message } })
  })
  await app.reload()
  const dialog = app.getByRole('dialog', { name: 'API key required' })
  await dialog.getByLabel('API key', { exact: true }).fill('wrong')
  await dialog.getByRole('button', { name: 'Continue' }).click()
  await expect(dialog.getByText('rejected this key')).toBeVisible()
  await dialog.getByLabel('API key', { exact: true }).fill('open')
  await dialog.getByRole('button', { name: 'Continue' }).click()
  await expect(dialog).toHaveCount(0)
  const tab = await context.newPage()
  await tab.goto('/#/jobs')
  await expect(tab.getByRole('heading', { name: 'History' })).toBeVisible()
  await expect(tab.getByRole('dialog')).toHaveCount(0)
  await tab.getByRole('button', { name: 'Forget the API key' }).click()
  await expect(tab.getByRole('dialog', { name: 'API key required' })).toBeVisible()
})

test('messages of the server are in the language of the page', async ({ app }) => {
  await app.getByRole('button', { name: 'Language' }).click()
  await app.getByRole('menuitem', { name: '中文' }).click()
  await upload(app, { name: 'broken.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.7 and no more') })
  await expect(app.getByRole('alert')).toContainText('broken.pdf：PDF 已损坏。')
})

test('the modes are one tab stop, and the badge is named as it is labelled', async ({ app }) => {
  await expect(app.getByRole('radio', { name: 'Auto' })).toBeVisible()
  await expect(app.locator('[role=radio][tabindex="0"]:visible')).toHaveCount(1)
  const axe = new AxeBuilder({ page: app }).options({ runOnly: ['label-content-name-mismatch'] })
  expect((await axe.analyze()).violations).toEqual([])
})

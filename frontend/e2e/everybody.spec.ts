import { readFile } from 'node:fs/promises'
import AxeBuilder from '@axe-core/playwright'
import type { Page } from '@playwright/test'
import { expect, give, readPdf, readPicture, test, textOf } from './fixtures'

async function seriousViolations(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze()
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 160)}`))
}

for (const colorScheme of ['light', 'dark'] as const) {
  test(`nothing keeps anybody out, ${colorScheme}`, async ({ app, picture, pdf }) => {
    await app.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    expect(await seriousViolations(app)).toEqual([])
    await readPicture(app, picture)
    expect(await seriousViolations(app)).toEqual([])
    await app.keyboard.press('3')
    expect(await seriousViolations(app)).toEqual([])
    await app.goto('/#/')
    await readPdf(app, pdf)
    expect(await seriousViolations(app)).toEqual([])
    await app.keyboard.press('?')
    await expect(app.getByRole('dialog', { name: 'Keyboard' })).toBeVisible()
    expect(await seriousViolations(app)).toEqual([])
    await app.keyboard.press('Escape')
    await expect(app.getByRole('dialog')).toHaveCount(0)
    await app.keyboard.press('h')
    await expect(app.getByRole('listitem').first()).toBeVisible()
    expect(await seriousViolations(app)).toEqual([])
  })
}

test('the page speaks the language of the browser, and another on request', async ({ app }) => {
  await app.getByRole('button', { name: 'Language' }).click()
  await app.getByRole('menuitem', { name: '中文' }).click()
  await expect(app.getByRole('heading', { name: '拖入文档，看它被读出来' })).toBeVisible()
  await app.reload()
  await expect(app.locator('html')).toHaveAttribute('lang', 'zh')
})

test('a phone sees all of it at 360 px', async ({ app, picture }) => {
  await app.setViewportSize({ width: 360, height: 700 })
  const overflow = () => app.evaluate(() => document.documentElement.scrollWidth)
  expect(await overflow()).toBeLessThanOrEqual(360)
  await expect(app.getByRole('button', { name: 'Take a photo' })).toBeVisible()
  await readPicture(app, picture)
  expect(await overflow()).toBeLessThanOrEqual(360)
  await app.getByText('Text', { exact: true }).click()
  await expect(textOf(app)).toContainText('harbour')
  expect(await overflow()).toBeLessThanOrEqual(360)
})

test('a phone keeps its height for the page: what can be done with it takes two rows', async ({ app, pdf }) => {
  await app.setViewportSize({ width: 360, height: 700 })
  await readPdf(app, pdf)
  const top = async (name: string) => (await app.getByRole('button', { name }).first().boundingBox())?.y
  expect(Math.abs(((await top('Next page')) ?? 0) - ((await top('Read again with')) ?? 99))).toBeLessThan(20)
})

test('the history is searched, opened and cleared', async ({ app, pdf }) => {
  await readPdf(app, { ...pdf, name: 'to-be-removed.pdf' })
  await app.getByRole('button', { name: 'History' }).click()
  await app.getByRole('searchbox', { name: 'Search by file name' }).fill('to-be-removed')
  await expect(app.getByRole('listitem')).toHaveCount(1)
  await app.getByRole('link', { name: 'to-be-removed.pdf' }).click()
  await expect(textOf(app)).toContainText('First page')
  const address = app.url()
  await app.goBack()
  await app.getByRole('button', { name: 'Delete to-be-removed.pdf' }).click()
  await app.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  await expect(app.getByRole('link', { name: 'to-be-removed.pdf' })).toHaveCount(0)
  await app.goto(address)
  await expect(app.getByRole('heading', { name: 'not here any more' })).toBeVisible()
})

test('a document that somebody else deletes is missed when it is turned over', async ({ app, pdf }) => {
  await readPdf(app, pdf)
  const jobId = /jobs\/([\w-]+)/.exec(app.url())?.[1]
  await app.request.delete(`/api/jobs/${jobId}`)
  await app.getByRole('button', { name: 'Next page' }).click()
  await expect(app.getByRole('heading', { name: 'not here any more' })).toBeVisible()
})

test('several documents are downloaded as one file', async ({ app, pdf }) => {
  for (const name of ['bundled-a.pdf', 'bundled-b.pdf']) {
    await readPdf(app, { ...pdf, name })
    await app.goto('/#/')
  }
  await app.getByRole('button', { name: 'History' }).click()
  await app.getByRole('searchbox', { name: 'Search by file name' }).fill('bundled-')
  await expect(app.getByRole('listitem')).toHaveCount(2)
  for (const name of ['bundled-a.pdf', 'bundled-b.pdf']) {
    await app.getByRole('checkbox', { name: `Select ${name}` }).check()
  }
  await app.getByText('2 documents chosen').waitFor()
  await app.getByRole('button', { name: 'Download' }).click()
  const saving = app.waitForEvent('download')
  await app.getByRole('menuitem', { name: 'Markdown', exact: true }).click()
  const saved = await saving
  expect(saved.suggestedFilename()).toBe('documents.zip')
  const content = await readFile(await saved.path(), 'latin1')
  expect(content).toContain('001-bundled-a.md')
  expect(content).toContain('002-bundled-b.md')
})

test('what is told of the engine closes by Escape, and leaves the keys to the page', async ({ app }) => {
  await app.getByRole('button', { name: /^Engine: ppocr/ }).click()
  await expect(app.getByText('The better engine')).toBeVisible()
  await app.keyboard.press('Escape')
  await expect(app.getByText('The better engine')).toHaveCount(0)
  await app.keyboard.press('h')
  await expect(app.getByRole('heading', { name: 'History' })).toBeVisible()
})

test('the engine says how many jobs keep it busy', async ({ app }) => {
  const busy = { ...(await (await app.request.get('/health')).json()), queue: { running: 0, waiting: 0, maxRequests: 64, jobs: 2 } }
  await app.route('**/health', (route) => route.fulfill({ json: busy }))
  await app.reload()
  await expect(app.getByRole('button', { name: /^Engine/ })).toContainText('2 jobs')
})

test('a service that is away is told of, and comes back by itself', async ({ app }) => {
  await app.route(/\/(health|api)/, (route) => route.abort())
  await expect(app.getByRole('alert')).toContainText('not answering')
  await app.unroute(/\/(health|api)/)
  await expect(app.getByRole('alert')).toHaveCount(0)
})

test('a key is asked for, kept for the tab and sent in a header', async ({ app, picture }) => {
  await app.route('**/api/**', async (route) => {
    if ((await route.request().headerValue('authorization')) === 'Bearer open') return route.continue()
    const error = { code: 'unauthorized', message: 'A key is needed.', requestId: '1', retryable: false }
    return route.fulfill({ status: 401, json: { error, detail: error.message } })
  })
  await app.reload()
  const dialog = app.getByRole('dialog', { name: 'This service asks for a key' })
  await dialog.getByLabel('Key', { exact: true }).fill('wrong')
  await dialog.getByRole('button', { name: 'Continue' }).click()
  await expect(dialog.getByText('does not know this key')).toBeVisible()
  await dialog.getByLabel('Key', { exact: true }).fill('open')
  await dialog.getByRole('button', { name: 'Continue' }).click()
  await expect(dialog).toHaveCount(0)
  await give(app, picture)
  await expect(app.getByText(/Read in/)).toBeVisible()
})

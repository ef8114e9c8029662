import AxeBuilder from '@axe-core/playwright'
import type { Page } from '@playwright/test'
import { readFile } from 'node:fs/promises'
import { answerWith, expect, give, readPdf, readPicture, test, textOf } from './fixtures'

test('a box and its text light up together, by pointer and by keyboard', async ({ app, picture }) => {
  await readPicture(app, picture)
  const block = textOf(app).locator('[data-block]').filter({ hasText: 'eleven countries' })
  const id = await block.getAttribute('data-block')
  const box = app.locator(`[data-box="${id}"]`)
  await block.hover()
  await expect(box).toHaveAttribute('data-active')
  await app.getByRole('heading', { level: 1, name: 'harbour.png' }).hover()
  await box.hover()
  await expect(block).toHaveAttribute('data-active')
  await app.keyboard.press('j')
  await app.getByRole('heading', { level: 1, name: 'harbour.png' }).hover()
  await expect(textOf(app).locator('[data-active]')).toHaveCount(1)
  await app.locator('[data-box][tabindex="0"]').focus()
  await app.keyboard.press('ArrowDown')
  await expect(app.locator('[data-box]:focus')).toHaveAttribute('aria-current', 'true')
})

test('labels can be hidden, words be found, the page be zoomed', async ({ app, picture }) => {
  await readPicture(app, picture)
  await app.keyboard.press('/')
  await app.keyboard.type('ledger')
  await expect(app.locator('[data-box][data-found]')).toHaveCount(1)
  await expect(textOf(app).locator('[data-found]')).toContainText('ledger')
  await app.keyboard.press('Escape')
  await app.getByRole('button', { name: 'Labels' }).click()
  await app.getByRole('checkbox', { name: 'Show boxes' }).click()
  await expect(app.locator('[data-box]')).toHaveCount(0)
  await app.keyboard.press('Escape')
  const sheet = app.locator('img[alt^="Page 1"]')
  await expect(app.getByRole('button', { name: 'Fit the page' })).toHaveAttribute('aria-pressed', 'true')
  const before = await sheet.boundingBox()
  await app.getByRole('button', { name: 'Zoom in' }).click()
  await expect.poll(async () => (await sheet.boundingBox())?.width).toBeGreaterThan(before?.width ?? 0)
})

test('the bar between page and text is moved by keyboard and by pointer', async ({ app, picture }) => {
  await readPicture(app, picture)
  const bar = app.getByRole('separator', { name: 'Width of the picture' })
  await bar.focus()
  await app.keyboard.press('ArrowLeft')
  await expect(bar).toHaveAttribute('aria-valuenow', '47')
  const place = await bar.boundingBox()
  await app.mouse.move((place?.x ?? 0) + 1, 400)
  await app.mouse.down()
  await app.mouse.move(400, 400)
  await app.mouse.up()
  await expect(bar).toHaveAttribute('aria-valuenow', '31')
})

test('what the reader is not sure of is tinted, on the page and in the text', async ({ app, picture }) => {
  const item = (id: number, text: string, confidence: number) => ({
    id,
    label: 'text',
    text,
    confidence,
    boxes: [{ index: 0, absolute: [0, 0, 9, 9], normalized: [0.1, 0.1 + id / 10, 0.9, 0.15 + id / 10] }],
  })
  const items = [item(0, 'Clear words.', 0.98), item(1, 'Faint words.', 0.4)]
  await answerWith(app, { text: 'Clear words.\n\nFaint words.', items })
  await give(app, picture)
  await expect(textOf(app).locator('[data-block][data-unsure]')).toHaveText(/Faint words/)
  await expect(app.locator('[data-box][data-unsure]')).toHaveCount(1)
})

test('a result has four views', async ({ app, picture }) => {
  await readPicture(app, picture)
  await app.keyboard.press('2')
  await expect(textOf(app).locator('pre')).toContainText('Harbour report')
  await app.keyboard.press('3')
  await expect(textOf(app).getByRole('row').nth(1)).toBeVisible() // below the row of headings
  await app.keyboard.press('4')
  await expect(textOf(app).locator('pre')).toContainText('<|ref|>')
})

test('a correction flows into the copy and the file', async ({ app, pdf, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  await readPdf(app, pdf)
  const block = textOf(app).locator('[data-block]').filter({ hasText: 'First page' }).first()
  await block.hover()
  await block.getByRole('button', { name: 'Edit' }).click()
  await app.getByRole('textbox', { name: /Text of block/ }).fill('# Corrected title')
  await app.getByRole('button', { name: 'Save' }).click()
  await expect(textOf(app).getByRole('heading', { name: 'Corrected title' })).toBeVisible()
  await app.getByRole('button', { name: 'Copy' }).click()
  await app.getByRole('menuitem', { name: 'Markdown' }).click()
  await expect.poll(() => app.evaluate(() => navigator.clipboard.readText())).toContain('# Corrected title')
  await app.getByRole('button', { name: 'Download' }).click()
  const saving = app.waitForEvent('download')
  await app.getByRole('menuitem', { name: 'Markdown', exact: true }).first().click()
  const saved = await saving
  expect(saved.suggestedFilename()).toBe('harbour.md')
  expect(await readFile(await saved.path(), 'utf8')).toContain('# Corrected title')
  await app.reload()
  await expect(textOf(app).getByRole('heading', { name: 'Corrected title' })).toBeVisible()
})

async function correctTitle(app: Page) {
  const block = textOf(app).locator('[data-block]').first()
  await block.hover()
  await block.getByRole('button', { name: 'Edit' }).click()
  await app.getByRole('textbox', { name: /Text of block/ }).fill('# Corrected title')
  await app.getByRole('button', { name: 'Save' }).click()
  await expect(textOf(app).getByRole('heading', { name: 'Corrected title' })).toBeVisible()
}

async function readAgain(app: Page) {
  await app.getByRole('button', { name: 'Read again with' }).click()
  await app.getByRole('menuitem', { name: /Small/ }).click()
}

for (const [kept, from] of [['the service keeps', readPdf], ['this tab has', readPicture]] as const) {
  test(`a correction that ${kept} goes only when one says so`, async ({ app, pdf, picture }) => {
    await from(app, from === readPdf ? pdf : picture)
    await correctTitle(app)
    await readAgain(app)
    const question = app.getByRole('dialog', { name: /discards your corrections/ })
    await expect(question.getByRole('button', { name: 'Discard and read again' })).toBeFocused()
    const axe = new AxeBuilder({ page: app }).include('[role=dialog]').withTags(['wcag2a', 'wcag2aa'])
    expect((await axe.analyze()).violations).toEqual([])
    await app.keyboard.press('Escape')
    await expect(question).toBeHidden()
    await expect(textOf(app).getByRole('heading', { name: 'Corrected title' })).toBeVisible()
    await readAgain(app)
    await question.getByRole('button', { name: 'Discard and read again' }).click()
    await expect(question).toBeHidden()
    await expect(textOf(app).getByText('Corrected title')).toBeHidden()
    await expect(app.getByText(/Read in/)).toBeVisible()
    const sent = app.waitForRequest((request) => request.method() === 'POST')
    await readAgain(app) // no correction is left: not asked
    await sent
    await expect(question).toBeHidden()
    await expect(app.getByText(/Read in/)).toBeVisible()
  })
}

test('a result that only this tab has can be downloaded in every format', async ({ app, picture }) => {
  await readPicture(app, picture)
  await app.getByRole('button', { name: 'Download' }).click()
  const names = await app.getByRole('menuitem').allInnerTexts()
  await app.keyboard.press('Escape')
  for (const name of names) {
    await app.getByRole('button', { name: 'Download' }).click()
    const saving = app.waitForEvent('download')
    await app.getByRole('menuitem', { name, exact: true }).click()
    expect((await readFile(await (await saving).path())).length).toBeGreaterThan(20)
  }
})

test('a page can be read again another way', async ({ app, picture }) => {
  await readPicture(app, picture)
  const again = app.waitForResponse((response) => response.url().endsWith('/api/ocr'))
  await app.getByRole('button', { name: 'Read again with' }).click()
  await app.getByRole('menuitem', { name: /Small/ }).click()
  expect(await (await again).text()).toContain('"mode":"small"')
  await expect(app.getByText(/Read in/)).toBeVisible()
})

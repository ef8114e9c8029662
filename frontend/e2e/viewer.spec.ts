import AxeBuilder from '@axe-core/playwright'
import type { Locator, Page } from '@playwright/test'
import { readFile } from 'node:fs/promises'
import { respondWith, expect, upload, processFile, secretOf, test, textOf } from './fixtures'

test('a box and its text are highlighted together, by pointer and by keyboard', async ({ app, image }) => {
  await processFile(app, image)
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
  await expect(app.locator('[data-box][tabindex="0"]')).toHaveCount(1) // the boxes are one tab stop
  await app.locator('[data-box][tabindex="0"]').focus()
  await app.keyboard.press('ArrowDown')
  await expect(app.locator('[data-box]:focus')).toHaveAttribute('aria-current', 'true')
})

test('a result has four views, labels can be hidden, text found and the page zoomed', async ({ app, image }) => {
  await processFile(app, image)
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
  await expect(app.getByRole('button', { name: 'Fit page' })).toHaveAttribute('aria-pressed', 'true')
  const before = await sheet.boundingBox()
  await app.getByRole('button', { name: 'Zoom in' }).click()
  await expect.poll(async () => (await sheet.boundingBox())?.width).toBeGreaterThan(before?.width ?? 0)
  await app.keyboard.press('2')
  await expect(textOf(app).locator('pre')).toContainText('Harbour report')
  await app.keyboard.press('3')
  await expect(textOf(app).getByRole('row').nth(1)).toBeVisible() // below the row of headings
  await app.keyboard.press('4')
  await expect(textOf(app).locator('pre')).toContainText('<|ref|>')
})

test('text is found on all pages, and each match is gone to', async ({ app, pdf }) => {
  await processFile(app, pdf)
  await app.keyboard.press('/')
  await app.keyboard.type('page of the report')
  const field = app.getByRole('searchbox', { name: 'Find in document' })
  const count = app.getByRole('status').filter({ hasText: /^\d of \d$/ })
  await expect(count).toHaveText('1 of 3')
  await expect(app.locator('[data-box][data-found][data-active]')).toHaveCount(1)
  await field.press('Enter')
  await expect(textOf(app)).toContainText('Second page of')
  await expect(count).toHaveText('2 of 3')
  await expect(textOf(app).locator('[data-found][data-active]')).toContainText('Second page of')
  await app.getByRole('button', { name: 'Previous match' }).click()
  await app.getByRole('button', { name: 'Previous match' }).click()
  await expect(count).toHaveText('3 of 3')
  await expect(textOf(app)).toContainText('Third page of')
  await app.getByRole('button', { name: 'Read the whole document' }).click()
  const whole = app.getByRole('dialog', { name: 'harbour.pdf' })
  await expect(whole.getByRole('region', { name: 'Page 1' })).toContainText('First page of')
  await whole.getByRole('region', { name: 'Page 3' }).scrollIntoViewIfNeeded()
  await expect(whole.getByRole('region', { name: 'Page 3' })).toContainText('Third page of')
})

test('pages scroll on with their text in step, words are selected on them, and a zoomed one is sharper', async ({ app, pdf }) => {
  await processFile(app, pdf)
  const number = app.getByRole('textbox', { name: 'Page number' })
  await number.focus() // selects its number, which is replaced by what is typed also when the page changes
  await app.locator('img[alt^="Page 1"]').hover()
  await app.mouse.wheel(0, 700)
  await expect(number).toHaveValue('2')
  await app.keyboard.type('2')
  await expect(number).toHaveValue('2')
  await expect(textOf(app)).toContainText('Second page')
  const line = app.locator('[data-page="1"] svg text').filter({ hasText: 'eleven countries' })
  // The pages may still scroll after the wheel, and the line with them.
  await expect(async () => {
    await selectWithMouse(app, line)
    expect(await app.evaluate(() => getSelection()?.toString())).toContain('eleven countries')
  }).toPass()
  await app.keyboard.press('Home')
  await expect(number).toHaveValue('1')
  const sheet = app.locator('img[alt^="Page 1"]')
  const width = () => sheet.evaluate((image: HTMLImageElement) => image.naturalWidth)
  await expect.poll(width).toBeGreaterThan(0)
  const usual = await width()
  for (let step = 0; step < 8; step++) await app.getByRole('button', { name: 'Zoom in' }).click()
  await expect.poll(width).toBeGreaterThan(1.5 * usual)
})

test('a scroll is kept when the layout changes before its event', async ({ app, pdf }) => {
  await processFile(app, pdf)
  await expect(app.locator('img[alt^="Page 2"]')).toBeVisible()
  await app.getByRole('button', { name: 'Fit width' }).evaluate((button: HTMLElement) => {
    const scroller = document.querySelector('[data-page="0"]')?.parentElement?.parentElement
    if (!scroller) throw new Error('The page is not shown.')
    scroller.dispatchEvent(new WheelEvent('wheel'))
    scroller.scrollTop = scroller.scrollHeight
    button.click()
  })
  await expect(app.getByRole('textbox', { name: 'Page number' })).toHaveValue('3')
  await app.getByRole('button', { name: 'Fit page' }).click()
  await expect(app.locator('[data-page="2"]')).toBeInViewport({ ratio: 0.9 })
})

async function selectWithMouse(app: Page, line: Locator): Promise<void> {
  const box = await line.boundingBox()
  if (box === null) throw new Error('The line is not shown.')
  const middle = box.y + box.height / 2
  await app.mouse.move(box.x + 1, middle)
  await app.mouse.down()
  await app.mouse.move(box.x + box.width - 1, middle, { steps: 4 })
  await app.mouse.up()
}

test('blocks of low confidence are marked on the page and in the text', async ({ app, image }) => {
  const block = (id: number, text: string, confidence: number) => ({
    id,
    label: 'text',
    text,
    confidence,
    review: false,
    boxes: [{ index: 0, absolute: [0, 0, 9, 9], normalized: [0.1, 0.1 + id / 10, 0.9, 0.15 + id / 10] }],
  })
  const items = [block(0, 'Clear words.', 0.98), block(1, 'Faint words.', 0.4)]
  await respondWith(app, { text: 'Clear words.\n\nFaint words.', items })
  await upload(app, image)
  await expect(textOf(app).locator('[data-block][data-low-confidence]')).toHaveText(/Faint words/)
  await expect(app.locator('[data-box][data-low-confidence]')).toHaveCount(1)
  const queue = app.getByRole('group', { name: 'Doubtful text' })
  await expect(queue).toContainText('1 to check')
  await app.keyboard.press('n')
  await expect(textOf(app).locator('[data-block][data-active]')).toContainText('Faint words')
  const sent = app.waitForRequest((request) => request.method() === 'PATCH')
  await queue.getByRole('button', { name: 'Mark as correct' }).click()
  expect((await sent).postDataJSON()).toEqual({ blocks: [{ id: 1, text: 'Faint words.' }] })
  await expect(textOf(app).locator('[data-block]').nth(1)).toContainText('checked')
  await expect(queue).toHaveCount(0)
})

test('a table is copied with its spans, and corrected cell by cell', async ({ app, image, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  const text = '<table><tr><td>Grain</td><td>12</td></tr><tr><td colspan="2">Timber</td></tr></table>'
  const boxes = [{ index: 0, absolute: [0, 0, 9, 9], normalized: [0.1, 0.1, 0.9, 0.2] }]
  await respondWith(app, { text, items: [{ id: 0, label: 'table', text, confidence: 0.9, review: false, boxes }] })
  await upload(app, image)
  const block = textOf(app).locator('[data-block]').filter({ has: app.getByRole('table') })
  await block.hover()
  await block.getByRole('button', { name: 'Copy block' }).click()
  await expect.poll(() => clipboardOf(app, 'text/plain')).toBe('Grain\t12\nTimber\tTimber')
  expect(await clipboardOf(app, 'text/html')).toMatch(/<td colspan="2"[^>]*>Timber/)
  await block.getByRole('button', { name: 'Edit' }).click()
  await app.getByRole('textbox', { name: 'Row 1, column 2' }).fill('13 & more')
  const sent = app.waitForRequest((request) => request.method() === 'PATCH')
  await app.keyboard.press('Control+Enter')
  const [correction] = (await sent).postDataJSON().blocks
  expect(correction.text).toContain('<td>Grain</td><td>13 &amp; more</td>')
  expect(correction.text).toContain('<td colspan="2">Timber</td>')
})

async function clipboardOf(app: Page, type: string): Promise<string> {
  return app.evaluate(async (type) => {
    const [item] = await navigator.clipboard.read()
    return item?.types.includes(type) ? (await item.getType(type)).text() : ''
  }, type)
}

test('a correction appears in the copied text and in the downloaded file', async ({ app, pdf, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  await processFile(app, pdf)
  const block = textOf(app).locator('[data-block]').filter({ hasText: 'First page' }).first()
  await block.hover()
  await block.getByRole('button', { name: 'Edit' }).click()
  await app.getByRole('textbox', { name: /Text of block/ }).fill('# Corrected title')
  await app.getByRole('button', { name: 'Save', exact: true }).click()
  await expect(textOf(app).getByRole('heading', { name: 'Corrected title' })).toBeVisible()
  await app.getByRole('button', { name: 'Copy', exact: true }).click()
  await app.getByRole('menuitem', { name: 'Markdown' }).click()
  const copied = expect.poll(() => app.evaluate(() => navigator.clipboard.readText()))
  await copied.toContain('# Corrected title')
  const other = textOf(app).locator('[data-block]').filter({ hasText: 'eleven countries' })
  await other.hover()
  await other.getByRole('button', { name: 'Copy block' }).click()
  await copied.toMatch(/Ships from eleven countries .*timber\.$/)
  await other.getByRole('button', { name: 'Copy link to block' }).click()
  await copied.toMatch(/#\/jobs\/\w+\?block=\d+$/)
  await app.getByRole('button', { name: 'Copy', exact: true }).click()
  await app.getByRole('menuitem', { name: 'Show as curl' }).click()
  await expect(app.getByRole('dialog')).toContainText("-F 'file=@harbour.pdf' --form-string 'mode=auto'")
  await app.keyboard.press('Escape')
  await app.getByRole('button', { name: 'Download' }).click()
  const download = app.waitForEvent('download')
  await app.getByRole('menuitem', { name: 'Markdown', exact: true }).first().click()
  const file = await download
  expect(file.suggestedFilename()).toBe('harbour.md')
  expect(await readFile(await file.path(), 'utf8')).toContain('# Corrected title')
  await app.getByRole('button', { name: 'Download' }).click()
  await app.getByRole('textbox', { name: 'Black out' }).fill('corrected\nharbour')
  const redacted = app.waitForEvent('download')
  await app.getByRole('menuitem', { name: 'Markdown', exact: true }).first().click()
  const clean = await redacted
  expect(clean.suggestedFilename()).toBe('█████.md')
  expect(await readFile(await clean.path(), 'utf8')).toContain('# █████ title')
  await app.reload()
  await expect(textOf(app).getByRole('heading', { name: 'Corrected title' })).toBeVisible()
})

async function correctTitle(app: Page) {
  const block = textOf(app).locator('[data-block]').first()
  await block.hover()
  await block.getByRole('button', { name: 'Edit' }).click()
  await app.getByRole('textbox', { name: /Text of block/ }).fill('# Corrected title')
  await app.getByRole('button', { name: 'Save', exact: true }).click()
  await expect(textOf(app).getByRole('heading', { name: 'Corrected title' })).toBeVisible()
}

async function retryInSmallMode(app: Page) {
  await app.getByRole('button', { name: 'Retry with' }).click()
  await app.getByRole('menuitem', { name: /Small/ }).click()
}

test('a page read again keeps its former version, which can be compared and taken', async ({ app, image }) => {
  await processFile(app, image)
  await correctTitle(app)
  await retryInSmallMode(app)
  await expect(textOf(app).getByText('Corrected title')).toBeHidden()
  await app.getByRole('button', { name: 'Versions of the page' }).click()
  const dialog = app.getByRole('dialog', { name: 'Versions of page 1' })
  await expect(dialog.getByRole('radio', { name: / · Auto · / }).first()).toBeVisible()
  await expect(dialog.getByRole('region', { name: 'Present version' })).toContainText('Harbour report')
  await expect(dialog.getByRole('region', { name: 'Former version' })).toContainText('Corrected title')
  const axe = new AxeBuilder({ page: app }).include('[role=dialog]').withTags(['wcag2a', 'wcag2aa'])
  expect((await axe.analyze()).violations).toEqual([])
  await dialog.getByRole('button', { name: 'Take the former version' }).click()
  await expect(textOf(app).getByRole('heading', { name: 'Corrected title' })).toBeVisible()
})

test('a correction is kept on the device while the server is away, and is sent when it is back', async ({ app, image }) => {
  await processFile(app, image)
  await app.route(/\/pages\/0$/, (route) => (route.request().method() === 'PATCH' ? route.abort() : route.continue()))
  await correctTitle(app)
  await expect(app.getByText('1 correction is not stored yet')).toBeVisible()
  await app.reload()
  await expect(textOf(app).getByRole('heading', { name: 'Corrected title' })).toBeVisible()
  await app.getByRole('button', { name: 'Versions of the page' }).click()
  const versions = app.getByRole('dialog', { name: 'Versions of page 1' })
  await expect(versions).toContainText('This page has one version')
  await app.unrouteAll()
  await expect(versions.getByRole('radio')).toHaveCount(1) // what the correction has replaced
  await expect(app.getByText('not stored yet')).toHaveCount(0)
  const address = `/api/jobs/${/jobs\/(\w+)/.exec(app.url())?.[1]}/pages/0`
  const stored = expect.poll(async () => (await app.request.get(address)).json())
  await stored.toMatchObject({ corrections: [{ id: 0, text: '# Corrected title' }] })
})

test('typed text outlives Escape, a reload and a page change, and corrections are undone and redone', async ({ app, image }) => {
  await processFile(app, image)
  const block = textOf(app).locator('[data-block]').first()
  const before = await block.innerText()
  const editor = app.getByRole('textbox', { name: /Text of block/ })
  await block.dblclick() // selects a word
  await expect(editor).toHaveCount(0)
  await block.getByRole('button', { name: 'Edit' }).click()
  await editor.fill('Half a sen')
  await app.keyboard.press('Escape')
  await expect(block).toContainText('draft, not saved')
  await expect(block.getByRole('button', { name: 'Edit' })).toBeFocused()
  await app.reload()
  await expect(block).toContainText('draft, not saved')
  await block.hover()
  await block.getByRole('button', { name: 'Edit' }).click()
  await expect(editor).toHaveValue('Half a sen')
  await editor.press('Control+Enter')
  await expect(block).toContainText('Half a sen')
  await app.keyboard.press('Control+z')
  await expect(block).toHaveText(before)
  await app.reload()
  await expect(block).toHaveText(before)
  await app.keyboard.press('Control+Shift+z')
  await expect(block).toContainText('Half a sen')
})

test('a correction made elsewhere appears', async ({ app, image }) => {
  await processFile(app, image)
  const jobId = /jobs\/(\w+)/.exec(app.url())?.[1]
  const data = { blocks: [{ id: 0, text: '# By another' }] }
  await app.request.patch(`/api/jobs/${jobId}/pages/0`, { data, headers: await secretOf(app) })
  await expect(textOf(app).getByRole('heading', { name: 'By another' })).toBeVisible()
})

test('a menu stays open while a page is fetched again for its correction', async ({ app, image }) => {
  await processFile(app, image)
  let fetched = 0
  let release = () => {}
  const released = new Promise<void>((resolve) => (release = resolve))
  await app.route(/\/pages\/0$/, async (route) => {
    if (route.request().method() === 'GET') {
      fetched++
      await released
    }
    await route.continue()
  })
  await correctTitle(app)
  await app.getByRole('button', { name: 'Download' }).click()
  await expect.poll(() => fetched).toBeGreaterThan(0) // the event of the correction has come
  await app.getByRole('textbox', { name: 'Black out' }).fill('title')
  release()
  const download = app.waitForEvent('download')
  await app.getByRole('menuitem', { name: 'Markdown', exact: true }).click()
  expect(await readFile(await (await download).path(), 'utf8')).toContain('# Corrected █████')
})

test('an image can be downloaded in every format that it can be had as', async ({ app, image }) => {
  await processFile(app, image)
  await app.getByRole('button', { name: 'Download' }).click()
  await expect(app.getByRole('menuitem', { name: 'Excel (tables)' })).toBeDisabled()
  const names = await app.getByRole('menuitem', { disabled: false }).allInnerTexts()
  await app.keyboard.press('Escape')
  for (const name of names) {
    await app.getByRole('button', { name: 'Download' }).click()
    const download = app.waitForEvent('download')
    await app.getByRole('menuitem', { name, exact: true }).click()
    expect((await readFile(await (await download).path())).length).toBeGreaterThan(20)
  }
})

/** Records the notifications of a tab that is not looked at. */
async function recordNotifications(app: Page): Promise<() => Promise<string[]>> {
  await app.addInitScript(() => {
    const told: string[] = []
    class Recorded {
      static permission = 'granted'
      constructor(title: string, { body }: NotificationOptions) {
        told.push(`${title}: ${body}`)
      }
    }
    Object.defineProperty(document, 'hidden', { get: () => true })
    Object.assign(window, { Notification: Recorded, told })
  })
  await app.reload()
  return () => app.evaluate(() => Reflect.get(window, 'told'))
}

test('a page can be retried in another mode, and a tab in the background tells when it is done', async ({ app, image }) => {
  const told = await recordNotifications(app)
  await processFile(app, { ...image, name: 'again.png' })
  await expect.poll(told).toEqual(['again.png: The document is read.'])
  const retried = app.waitForResponse((response) => response.url().endsWith('/retry'))
  await app.getByRole('button', { name: 'Retry with' }).click()
  await app.getByRole('menuitem', { name: /Small/ }).click()
  expect((await retried).request().postDataJSON()).toMatchObject({ mode: 'small' })
  await expect(app.getByText(/Finished in/)).toBeVisible()
})

import AxeBuilder from '@axe-core/playwright'
import type { Locator, Page } from '@playwright/test'
import { expect, expectResult, processFile, test, textOf } from './fixtures'

async function seriousViolations(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze()
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 160)}`))
}

for (const colorScheme of ['light', 'dark'] as const) {
  test(`every screen has no serious accessibility violation, ${colorScheme}`, async ({ app, image, pdf }) => {
    await app.emulateMedia({ colorScheme })
    await expect(app.locator('html')).toHaveAttribute('data-mantine-color-scheme', colorScheme)
    expect(await seriousViolations(app)).toEqual([])
    await processFile(app, image)
    expect(await seriousViolations(app)).toEqual([])
    await app.keyboard.press('3')
    await expect(textOf(app).getByRole('table')).toBeVisible()
    expect(await seriousViolations(app)).toEqual([])
    await app.goto('/#/')
    await processFile(app, pdf)
    expect(await seriousViolations(app)).toEqual([])
    await app.getByRole('button', { name: 'Read the whole document' }).click()
    await expect(app.getByRole('dialog').getByRole('region', { name: 'Page 2' })).toContainText('Second page')
    expect(await seriousViolations(app)).toEqual([])
    await app.keyboard.press('Escape')
    await expect(app.getByRole('dialog')).toHaveCount(0)
    await app.keyboard.press('?')
    await expect(app.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeVisible()
    expect(await seriousViolations(app)).toEqual([])
    await app.keyboard.press('Escape')
    await expect(app.getByRole('dialog')).toHaveCount(0)
    await app.keyboard.press('h')
    await expect(app.getByRole('listitem').first()).toBeVisible()
    await app.getByRole('searchbox').fill('harbour')
    await expect(app.locator('mark').first()).toBeVisible()
    expect(await seriousViolations(app)).toEqual([])
  })
}

test('every screen fits into a width of 360 px', async ({ app, image }) => {
  await app.setViewportSize({ width: 360, height: 700 })
  const expectNoOverflow = () =>
    expect.poll(() => app.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360)
  await expectNoOverflow()
  await expect(app.getByRole('button', { name: 'Take a photo' })).toBeVisible()
  await processFile(app, image)
  await expectNoOverflow()
  const sheet = app.locator('img[alt^="Page 1"]')
  const before = Number((await sheet.boundingBox())?.width)
  await pinch(app, 2)
  await expect.poll(async () => (await sheet.boundingBox())?.width).toBeGreaterThan(1.5 * before)
  await expectNoOverflow()
  await app.getByText('Text', { exact: true }).click()
  await expect(textOf(app)).toContainText('harbour')
  await expectNoOverflow()
})

/** Two fingers on the picture move apart by a factor. */
async function pinch(app: Page, factor: number): Promise<void> {
  const cdp = await app.context().newCDPSession(app)
  const fingers = (distance: number) => [-1, 1].map((side) => ({ x: 180 + (side * distance) / 2, y: 320 }))
  await cdp.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: fingers(60) })
  await cdp.send('Input.dispatchTouchEvent', { type: 'touchMove', touchPoints: fingers(60 * factor) })
  await cdp.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] })
}

test('the toolbar of a result has two rows on a phone', async ({ app, pdf }) => {
  await app.setViewportSize({ width: 360, height: 700 })
  await processFile(app, pdf)
  const top = async (name: string) => (await app.getByRole('button', { name }).first().boundingBox())?.y
  const distance = async () => Math.abs(Number(await top('Next page')) - Number(await top('Retry with')))
  await expect.poll(distance).toBeLessThan(20)
})

test('a document is read, corrected, downloaded and found again by keyboard alone', async ({ app, image }) => {
  const choosing = app.waitForEvent('filechooser')
  await tabTo(app, app.getByRole('button', { name: 'Choose files' }))
  await app.keyboard.press('Enter')
  await (await choosing).setFiles({ ...image, name: 'by-keyboard.png' })
  await expectResult(app)
  await expect(textOf(app)).toContainText('harbour')
  await app.keyboard.press('j')
  await app.keyboard.press('e')
  await expect(app.locator('textarea:focus')).toBeVisible()
  await app.keyboard.press('Control+A')
  await app.keyboard.type('Corrected without a mouse')
  await app.keyboard.press('Control+Enter')
  await expect(textOf(app)).toContainText('Corrected without a mouse')
  await tabTo(app, app.getByRole('button', { name: 'Download' }))
  await app.keyboard.press('Enter')
  const downloading = app.waitForEvent('download')
  await expect(app.getByRole('menuitem', { name: 'Markdown', exact: true })).toBeVisible()
  await tabTo(app, app.getByRole('menuitem', { name: 'Markdown', exact: true }), 'ArrowDown')
  await app.keyboard.press('Enter')
  expect((await downloading).suggestedFilename()).toBe('by-keyboard.md')
  await expect(app.getByRole('menu')).toHaveCount(0)
  await app.keyboard.press('h')
  await tabTo(app, app.getByRole('link', { name: 'by-keyboard.png' }))
  await app.keyboard.press('Enter')
  await expect(textOf(app)).toContainText('Corrected without a mouse')
})

/** Moves the focus with a key until the element has it. */
async function tabTo(page: Page, element: Locator, key = 'Tab'): Promise<void> {
  for (let step = 0; step < 80; step++) {
    if (await element.first().evaluate((node) => node === document.activeElement)) return
    await page.keyboard.press(key)
  }
  throw new Error('The element cannot be reached by keyboard.')
}

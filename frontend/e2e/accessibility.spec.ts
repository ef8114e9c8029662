import AxeBuilder from '@axe-core/playwright'
import type { Page } from '@playwright/test'
import { expect, processFile, test, textOf } from './fixtures'

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

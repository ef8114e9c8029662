import { expect, processFile, test, textOf } from './fixtures'

test('the panes are parted by keyboard and by pointer, kept by the browser, also from right to left', async ({ app, image }) => {
  await processFile(app, image)
  const bar = app.getByRole('separator', { name: 'Width of the image pane' })
  await bar.focus()
  await app.keyboard.press('ArrowLeft')
  await expect(bar).toHaveAttribute('aria-valuenow', '47')
  const position = await bar.boundingBox()
  await app.mouse.move((position?.x ?? 0) + 1, 400)
  await app.mouse.down()
  await app.mouse.move(400, 400)
  await app.mouse.up()
  await expect(bar).toHaveAttribute('aria-valuenow', '31')
  await app.reload()
  await expect(bar).toHaveAttribute('aria-valuenow', '31')
  await app.evaluate(() => (document.documentElement.dir = 'rtl'))
  await bar.focus()
  await app.keyboard.press('ArrowLeft') // to the left the pane on the right grows
  await expect(bar).toHaveAttribute('aria-valuenow', '34')
  const [picture, text] = [app.locator('[data-page="0"]'), textOf(app)]
  await expect.poll(async () => ((await picture.boundingBox())?.x ?? 0) - ((await text.boundingBox())?.x ?? 0)).toBeGreaterThan(0)
  expect(await app.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth)).toBe(true)
})

test('documents of the history have a picture and their time, and several are deleted together', async ({ app, image }) => {
  for (const name of ['together-a.png', 'together-b.png']) {
    await processFile(app, { ...image, name })
    await app.goto('/#/')
  }
  await app.getByRole('button', { name: 'History' }).click()
  await app.getByRole('searchbox', { name: 'Search names and texts' }).fill('together-')
  const rows = app.getByRole('listitem')
  await expect(rows).toHaveCount(2)
  await expect(rows.locator('img')).toHaveCount(2)
  await expect(rows.first()).toContainText('7 days left')
  for (const name of ['together-a.png', 'together-b.png']) await app.getByRole('checkbox', { name: `Select ${name}` }).check()
  await app.getByRole('button', { name: 'Delete', exact: true }).click()
  const dialog = app.getByRole('dialog', { name: 'Delete 2 documents and their results?' })
  await dialog.getByRole('button', { name: 'Delete' }).click()
  await expect(rows).toHaveCount(0)
  await expect(app.getByText('No document name matches')).toBeVisible()
})

import { expect, processFile, test, textOf } from './fixtures'

test('pages are chosen for one document, are shown on it, and do not apply to the next', async ({ app, pdf }) => {
  await app.getByRole('button', { name: 'More options' }).click()
  const pages = app.getByRole('textbox', { name: 'Pages' })
  await pages.fill('1')
  await app.getByRole('button', { name: 'Take off: Pages: 1' }).click()
  await expect(pages).toHaveValue('')
  await pages.fill('2')
  await processFile(app, { ...pdf, name: 'one-page.pdf' })
  await expect(textOf(app)).toContainText('Second page')
  const chips = app.getByRole('group', { name: 'Options' })
  await expect(chips).toContainText('1 of 3 pages')
  await app.goto('/#/')
  await processFile(app, { ...pdf, name: 'all-pages.pdf' })
  await expect(app.getByText('1 / 3')).toBeVisible()
  await expect(chips).toHaveText('Gundam')
})

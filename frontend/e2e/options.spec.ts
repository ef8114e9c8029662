import { expect, processFile, test, textOf, upload } from './fixtures'

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
  await expect(app.getByText('/ 3', { exact: true })).toBeVisible()
  await expect(chips).toHaveText(/^Auto · \w+PP-OCR/)
})

test('a model is chosen where the server has several, and its modes and tasks are offered', async ({ app, image }) => {
  await app.route(/\/api\/modes$/, async (route) => {
    const answer = await (await route.fetch()).json()
    const [first] = answer.models
    const second = { ...first, name: 'second', model: 'Second-OCR', default: false, modes: ['base'], tasks: ['text'] }
    const broken = { ...second, name: 'broken', reason: 'The weights are missing.' }
    await route.fulfill({ json: { ...answer, models: [first, second, broken] } })
  })
  await app.reload()
  await app.getByRole('button', { name: 'More options' }).click()
  await app.getByRole('combobox', { name: 'Model' }).click()
  await expect(app.getByRole('option', { name: 'broken' })).toBeDisabled()
  await app.getByRole('option', { name: 'second (Second-OCR)' }).click()
  await expect(app.getByRole('radiogroup', { name: 'Resolution' }).getByRole('radio')).toHaveCount(1)
  await expect(app.getByRole('radio', { name: 'Auto' })).toBeChecked()
  await app.getByRole('combobox', { name: 'Task' }).click()
  await expect(app.getByRole('option', { name: 'Document to Markdown' })).toBeDisabled()
  await app.keyboard.press('Escape')
  await app.route(/\/api\/jobs$/, (route) => route.abort())
  const sent = app.waitForRequest(/\/api\/jobs$/)
  await upload(app, image)
  expect((await sent).postDataBuffer()?.toString('latin1')).toMatch(/name="model"\s+second\s/)

  // A document that is dropped before the modes are known has the mode that was used last.
  let release = () => {}
  const held = new Promise<void>((resolve) => (release = resolve))
  await app.route(/\/api\/modes$/, async (route) => {
    await held
    await route.fallback()
  })
  await app.evaluate(() => localStorage.setItem('dsocr-mode', 'tiny'))
  await app.reload()
  await upload(app, image)
  await expect(app.getByRole('status').filter({ hasText: 'Waiting to upload' })).toBeVisible()
  const later = app.waitForRequest(/\/api\/jobs$/)
  release()
  expect((await later).postDataBuffer()?.toString('latin1')).toMatch(/name="mode"\s+tiny\s/)
})

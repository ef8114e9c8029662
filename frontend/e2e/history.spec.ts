import { readFile } from 'node:fs/promises'
import { expect, processFile, secretOf, test, textOf } from './fixtures'

test('the history renames, searches, opens and deletes documents', async ({ app, pdf }) => {
  await processFile(app, { ...pdf, name: 'first-name.pdf' })
  await app.getByRole('button', { name: 'History' }).click()
  await app.getByRole('button', { name: 'Rename first-name.pdf' }).click()
  await app.getByRole('textbox', { name: 'New name' }).fill('to-be-removed.pdf')
  await app.keyboard.press('Enter')
  await expect(app.getByRole('link', { name: 'to-be-removed.pdf' })).toBeVisible()
  await app.getByRole('searchbox', { name: 'Search names and texts' }).fill('to-be-removed')
  await expect(app.getByRole('listitem')).toHaveCount(1)
  await app.getByRole('searchbox', { name: 'Search names and texts' }).fill('third page harbour')
  const found = app.getByRole('region', { name: 'In the texts' })
  await expect(found.locator('mark').filter({ hasText: 'Third' }).first()).toBeVisible()
  await expect(app.getByText('No document name matches')).toHaveCount(0) // what was searched for is there
  await found.getByRole('link', { name: 'to-be-removed.pdf · Page 3' }).click()
  await expect(textOf(app).locator('[data-block][data-active]')).toContainText('Third page of')
  await expect(app.getByRole('searchbox', { name: 'Find in document' })).toHaveValue('Third')
  await app.goBack()
  await app.getByRole('searchbox', { name: 'Search names and texts' }).fill('to-be-removed')
  await app.getByRole('link', { name: 'to-be-removed.pdf' }).click()
  await expect(textOf(app)).toContainText('First page')
  const address = app.url()
  await app.goBack()
  await app.getByRole('button', { name: 'Delete to-be-removed.pdf' }).click()
  await app.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  await expect(app.getByRole('link', { name: 'to-be-removed.pdf' })).toHaveCount(0)
  await app.goto(address)
  await expect(app.getByRole('heading', { name: 'Document not found' })).toBeVisible()
})

test('a job deleted elsewhere is reported on the next page change', async ({ app, pdf }) => {
  await processFile(app, pdf)
  const jobId = /jobs\/([\w-]+)/.exec(app.url())?.[1]
  await app.request.delete(`/api/jobs/${jobId}`, { headers: await secretOf(app) })
  await app.getByRole('banner').getByRole('button', { name: 'Next page' }).click()
  await expect(app.getByRole('heading', { name: 'Document not found' })).toBeVisible()
})

test('several documents are downloaded as one zip', async ({ app, pdf }) => {
  for (const name of ['bundled-a.pdf', 'bundled-b.pdf']) {
    await processFile(app, { ...pdf, name })
    await app.goto('/#/')
  }
  await app.getByRole('button', { name: 'History' }).click()
  await app.getByRole('searchbox', { name: 'Search names and texts' }).fill('bundled-')
  await expect(app.getByRole('listitem')).toHaveCount(2)
  for (const name of ['bundled-a.pdf', 'bundled-b.pdf']) {
    await app.getByRole('checkbox', { name: `Select ${name}` }).check()
  }
  await app.getByText('2 documents selected').waitFor()
  await app.getByRole('button', { name: 'Download' }).click()
  const download = app.waitForEvent('download')
  await app.getByRole('menuitem', { name: 'Markdown', exact: true }).click()
  const file = await download
  expect(file.suggestedFilename()).toBe('documents.zip')
  const content = await readFile(await file.path(), 'latin1')
  expect(content).toContain('001-bundled-a.md')
  expect(content).toContain('002-bundled-b.md')
})

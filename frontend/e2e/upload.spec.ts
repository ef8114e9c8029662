import AxeBuilder from '@axe-core/playwright'
import type { Page } from '@playwright/test'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { dispatchFiles, expect, processFile, test, textOf, upload, type Document } from './fixtures'

async function makeFolder(folder: string, image: Document): Promise<string> {
  await mkdir(join(folder, 'deeper'), { recursive: true })
  await writeFile(join(folder, 'a.png'), image.buffer)
  await writeFile(join(folder, 'deeper', 'b.png'), image.buffer)
  await writeFile(join(folder, 'notes.txt'), 'not a document')
  return folder
}

test('an image is a document of the history, as a PDF is', async ({ app, image }) => {
  await processFile(app, { ...image, name: 'kept-image.png' })
  await expect(textOf(app)).toContainText('harbour opened in the spring of 1887')
  await expect(app.getByRole('group', { name: 'Show boxes' }).getByRole('button').first()).toBeVisible()
  await app.reload()
  await expect(textOf(app)).toContainText('harbour opened in the spring of 1887')
  await app.getByRole('button', { name: 'History' }).click()
  await expect(app.getByRole('link', { name: 'kept-image.png' })).toBeVisible()
})

test('the text of a page is shown while it is read', async ({ app, image }) => {
  await app.route(/\/events/, async (route) => {
    const index = { pageIndex: 0 }
    const events: [string, object][] = [
      ['page', { ...index, width: 900, height: 800, pagesTotal: 1 }],
      ['delta', { ...index, text: 'A wrong beginning' }],
      ['page_reset', { ...index, reason: 'again' }],
      ['delta', { ...index, text: 'Words as they come' }],
    ]
    const body = events.map(([name, data]) => `id: 0\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`)
    await route.fulfill({ contentType: 'text/event-stream', body: body.join('') })
  })
  await upload(app, image)
  await expect(textOf(app)).toHaveText('Words as they come')
  await expect(app.getByRole('region', { name: 'Text', exact: true })).toHaveAttribute('aria-busy', 'true')
})

test('a document that is not kept is deleted when it is left', async ({ app, image }) => {
  await processFile(app, { ...image, name: 'secret.png' })
  const address = app.url()
  await app.getByRole('button', { name: 'Do not keep' }).click()
  await app.getByRole('button', { name: 'History' }).click()
  await expect(app.getByRole('heading', { name: 'History' })).toBeVisible()
  await app.goto(address)
  await expect(app.getByRole('heading', { name: 'Document not found' })).toBeVisible()
})

test('another browser does not list a document, and opens it by its link', async ({ app, image, browser }) => {
  await processFile(app, { ...image, name: 'mine.png' })
  const other = await browser.newContext({ locale: 'en-US' })
  const page = await other.newPage()
  await page.goto(app.url())
  await expect(textOf(page)).toContainText('eleven countries')
  await expect(page.getByText('Read only')).toBeVisible() // the browser that made it alone changes it
  await textOf(page).locator('[data-block]').first().hover()
  await expect(page.getByRole('button', { name: /^(Edit|Undo|Retry with…|Do not keep|Versions of the page)$/ })).toHaveCount(0)
  await page.keyboard.press('h')
  await page.getByRole('searchbox').fill('mine')
  await expect(page.getByText('No document name matches')).toBeVisible()
  await other.close()
})

test('the first load is small, the viewer is loaded later, and scripts are compressed', async ({ app, image }) => {
  const resources = (extension: string) =>
    app.evaluate(
      (extension) =>
        performance
          .getEntriesByType('resource')
          .filter((entry) => entry instanceof PerformanceResourceTiming)
          .filter(({ name }) => name.endsWith(extension))
          .map(({ encodedBodySize, decodedBodySize }) => ({ encodedBodySize, decodedBodySize })),
      extension,
    )
  const sum = (sizes: number[]) => sizes.reduce((all, size) => all + size, 0)
  const first = await resources('.js')
  const scriptBytes = sum(first.map((script) => script.encodedBodySize))
  const styleBytes = sum((await resources('.css')).map((style) => style.encodedBodySize))
  expect(styleBytes).toBeGreaterThan(0)
  expect(scriptBytes).toBeLessThan(220_000)
  expect(scriptBytes + styleBytes).toBeLessThanOrEqual(250_000)
  await processFile(app, image)
  const all = await resources('.js')
  expect(all.length).toBeGreaterThan(first.length)
  expect(sum(all.map((script) => script.encodedBodySize))).toBeLessThan(
    sum(all.map((script) => script.decodedBodySize)) / 2,
  )
})

test('an image can be dropped or pasted', async ({ app, image }) => {
  await dispatchFiles(app, 'drop', image)
  await expect(textOf(app)).toContainText('eleven countries')
  await app.goto('/#/')
  await dispatchFiles(app, 'paste', image)
  await expect(app).toHaveURL(/#\/jobs\/\w/)
  await expect(textOf(app)).toContainText('eleven countries')
})

test('a PDF becomes a job that marks each finished page', async ({ app, pdf }) => {
  await processFile(app, pdf)
  const pages = app.getByRole('navigation', { name: 'Pages' })
  await expect(pages.locator('[data-mark=done]')).toHaveCount(3)
  await expect(pages.locator('img').first()).toBeVisible()
  await pages.getByRole('button', { name: 'Page 3' }).click()
  await expect(textOf(app)).toContainText('Third page of')
  await app.keyboard.press('ArrowLeft')
  await expect(textOf(app)).toContainText('Second page of')
  await app.reload()
  await expect(textOf(app)).toContainText('Second page of')
})

test('several files become documents of their own, or one by choice', async ({ app, image }) => {
  const files = ['pair-1.png', 'pair-2.png'].map((name) => ({ ...image, name }))
  await holdFirstList(app, files.length)
  await upload(app, ...files)
  await expect(app.getByRole('heading', { name: 'History' })).toBeVisible()
  for (const { name } of files) await expect(app.getByRole('link', { name })).toBeVisible()
  await app.goto('/#/')
  await app.getByRole('checkbox', { name: 'Several files become one document' }).check()
  await upload(app, ...files)
  await expect(app.getByRole('heading', { name: 'pair-1.png and 1 more' })).toBeVisible()
})

/** Holds the first list of jobs, requested before the uploads have ended, until they have. */
async function holdFirstList(app: Page, uploads: number): Promise<void> {
  const isUpload = (url: string, method: string) => method === 'POST' && url.endsWith('/api/jobs')
  let ended = 0
  const allEnded = app.waitForResponse(
    (response) => isUpload(response.url(), response.request().method()) && ++ended === uploads,
  )
  await app.route(/\/api\/jobs\?/, async (route) => {
    const response = await route.fetch()
    await allEnded
    await route.fulfill({ response }).catch(() => undefined) // the page asks again
  }, { times: 1 })
}

test('the files of a folder become documents, and the others are named', async ({ app, image }, info) => {
  const folder = await makeFolder(info.outputPath('letters'), image)
  await app.locator('input[webkitdirectory]').setInputFiles(folder)
  for (const name of ['a.png', 'b.png']) await expect(app.getByRole('link', { name }).first()).toBeVisible()
  await expect(app.getByRole('alert')).toContainText('notes.txt is not a supported file')
  await app.getByRole('alert').getByRole('button', { name: 'Close' }).click()
  await expect(app.getByRole('alert')).toHaveCount(0)
})

test('a folder can be dropped', async ({ app, image }, info) => {
  const files = [await makeFolder(info.outputPath('dropped'), image)]
  const zone = await app.getByRole('group', { name: 'Drop a document' }).boundingBox()
  const browser = await app.context().newCDPSession(app)
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
    const position = { x: (zone?.x ?? 0) + 20, y: (zone?.y ?? 0) + 20 }
    await browser.send('Input.dispatchDragEvent', { type, ...position, data: { items: [], files, dragOperationsMask: 1 } })
  }
  await expect(app.getByRole('link', { name: 'b.png' }).first()).toBeVisible()
})

test('a phone takes a photo and processes it', async ({ app, image }) => {
  await app.setViewportSize({ width: 360, height: 700 })
  await expect(app.locator('input[capture=environment]')).toHaveCount(1)
  const choosing = app.waitForEvent('filechooser')
  await app.getByRole('button', { name: 'Take a photo' }).click()
  await (await choosing).setFiles(image)
  await expect(app.getByText(/Finished in/)).toBeVisible()
})

test('an upload is shown on every screen, and leaves nothing behind when cancelled', async ({ app, image }) => {
  const network = await app.context().newCDPSession(app)
  const slow = { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 100_000 }
  await network.send('Network.emulateNetworkConditions', slow)
  await upload(app, { ...image, name: 'cancelled.png', buffer: Buffer.concat([image.buffer, Buffer.alloc(4 << 20)]) })
  await app.getByRole('button', { name: 'History' }).click()
  await expect(app.getByRole('heading', { name: 'History' })).toBeVisible()
  await expect(app.getByText(/Uploading [1-9]/)).toBeVisible()
  const question = app.waitForEvent('dialog') // of the browser: a reload would end the upload
  const reloading = app.reload({ timeout: 3_000 }).catch(() => undefined)
  const dialog = await question
  expect(dialog.type()).toBe('beforeunload')
  await dialog.dismiss()
  await reloading
  await app.getByRole('button', { name: 'Cancel' }).click()
  await expect(app.getByText(/Uploading/)).toHaveCount(0)
  await network.send('Network.emulateNetworkConditions', { ...slow, uploadThroughput: -1 })
  await app.getByRole('searchbox').fill('cancelled')
  await expect(app.getByText('No document name matches')).toBeVisible()
})

test('limits are shown in advance, and unsupported files are not uploaded', async ({ app }) => {
  await app.getByRole('button', { name: 'More options' }).click()
  await expect(app.getByText('Up to 512 MB')).toBeVisible()
  let sent = 0
  app.on('request', (request) => {
    sent += request.method() === 'POST' ? 1 : 0
  })
  await upload(app, { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('x') })
  await expect(app.getByRole('alert')).toContainText('notes.txt is not a supported file')
  await upload(app, { name: 'empty.png', mimeType: 'image/png', buffer: Buffer.alloc(0) })
  await expect(app.getByRole('alert')).toContainText('empty.png is empty')
  expect(sent).toBe(0)
})

test('a file that fails is named with the reason until it is taken off', async ({ app }) => {
  await upload(app, { name: 'broken.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.7 and no more') })
  const failed = app.getByRole('alert').filter({ hasText: 'broken.pdf' })
  await expect(failed).toContainText('The PDF is broken')
  await app.getByRole('button', { name: 'History' }).click()
  await expect(failed).toBeVisible()
  const { violations } = await new AxeBuilder({ page: app }).include('[role=alert]').analyze()
  expect(violations).toEqual([])
  await failed.getByRole('button', { name: 'Take off broken.pdf' }).click()
  await expect(failed).toHaveCount(0)
})

test('refused files are named while the others are read', async ({ app, image }) => {
  await upload(app, { ...image, name: 'taken.png' }, { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('x') })
  await expect(textOf(app)).toContainText('eleven countries')
  await expect(app.getByRole('alert')).toContainText('notes.txt is not a supported file')
})

test('the password of a protected PDF is asked for, and a wrong one again', async ({ app, protectedPdf }) => {
  await upload(app, protectedPdf)
  const asked = app.getByLabel('Password of protected.pdf')
  await asked.fill('wrong')
  await app.getByRole('button', { name: 'Continue' }).click()
  await expect(app.getByRole('alert')).toContainText('The password is wrong')
  await asked.fill('open')
  await app.getByRole('button', { name: 'Continue' }).click()
  await expect(textOf(app)).toContainText('Protected words')
})

test('modes, tasks and the prompt are those of the server', async ({ app, image }) => {
  const request = app.waitForRequest((request) => request.method() === 'POST' && request.url().endsWith('/api/jobs'))
  await app.getByRole('button', { name: 'More options' }).click()
  await app.getByRole('radio', { name: 'Tiny' }).click()
  await app.getByRole('combobox', { name: 'Task' }).click()
  for (const name of ['Parse a figure', 'Describe the image', 'Custom prompt'])
    await expect(app.getByRole('option', { name })).toBeDisabled() // the embedded engine does not support it
  await expect(app.getByRole('option', { name: 'Locate in the image' })).toBeEnabled()
  await app.getByRole('option', { name: 'Plain text' }).click()
  await expect(app.getByRole('textbox', { name: 'Prompt' })).toHaveValue('<image>\nFree OCR.')
  await upload(app, image)
  await request
  await expect(app.getByText(/Finished in/)).toBeVisible()
  await expect(textOf(app)).toContainText('harbour')
  await app.getByRole('button', { name: 'Retry with' }).click()
  await expect(app.getByRole('menuitem', { name: /Text lines with boxes/ })).toBeVisible()
  await expect(app.getByRole('menuitem', { name: /Describe the image/ })).toBeHidden()
})

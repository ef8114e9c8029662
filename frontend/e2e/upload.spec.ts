import AxeBuilder from '@axe-core/playwright'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { dispatchFiles, expect, give, readPdf, readPicture, test, textOf, type Document } from './fixtures'

async function makeFolder(folder: string, picture: Document): Promise<string> {
  await mkdir(join(folder, 'deeper'), { recursive: true })
  await writeFile(join(folder, 'a.png'), picture.buffer)
  await writeFile(join(folder, 'deeper', 'b.png'), picture.buffer)
  await writeFile(join(folder, 'notes.txt'), 'no document')
  return folder
}

test('a picture is read before one’s eyes', async ({ app, picture }) => {
  await readPicture(app, picture)
  await expect(textOf(app)).toContainText('harbour opened in the spring of 1887')
  await expect(app.getByRole('group', { name: 'Show boxes' }).getByRole('button').first()).toBeVisible()
})

test('the viewer is loaded with the first result, and all scripts packed', async ({ app, picture }) => {
  const scripts = () =>
    app.evaluate(() =>
      performance
        .getEntriesByType('resource')
        .filter((entry) => entry instanceof PerformanceResourceTiming)
        .filter(({ name }) => name.endsWith('.js'))
        .map(({ encodedBodySize, decodedBodySize }) => ({ encodedBodySize, decodedBodySize })),
    )
  const sum = (sizes: number[]) => sizes.reduce((all, size) => all + size, 0)
  const first = await scripts()
  expect(sum(first.map((script) => script.encodedBodySize))).toBeLessThan(220_000)
  await readPicture(app, picture)
  const all = await scripts()
  expect(all.length).toBeGreaterThan(first.length)
  expect(sum(all.map((script) => script.encodedBodySize))).toBeLessThan(
    sum(all.map((script) => script.decodedBodySize)) / 2,
  )
})

test('a picture can be dropped, and pasted', async ({ app, picture }) => {
  await dispatchFiles(app, 'drop', picture)
  await expect(textOf(app)).toContainText('eleven countries')
  await app.goto('/#/')
  await dispatchFiles(app, 'paste', picture)
  await expect(app).toHaveURL(/#\/result/)
  await expect(textOf(app)).toContainText('eleven countries')
})

test('a PDF becomes a job whose pages tick off', async ({ app, pdf }) => {
  await readPdf(app, pdf)
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

test('several pictures are one job', async ({ app, picture }) => {
  await give(app, picture, { ...picture, name: 'harbour2.png' })
  await expect(app.getByRole('heading', { name: 'harbour.png and 1 more' })).toBeVisible()
  await expect(app.getByText(/Read in/)).toBeVisible()
})

test('a folder is one job, without what is no document in it', async ({ app, picture }, info) => {
  const folder = await makeFolder(info.outputPath('letters'), picture)
  await app.locator('input[webkitdirectory]').setInputFiles(folder)
  await expect(app.getByRole('heading', { name: 'a.png and 1 more' })).toBeVisible()
  await expect(app.getByText(/Read in/)).toBeVisible()
})

test('a folder can be dropped', async ({ app, picture }, info) => {
  const files = [await makeFolder(info.outputPath('letters'), picture)]
  const zone = await app.getByRole('group', { name: 'Drop a document' }).boundingBox()
  const browser = await app.context().newCDPSession(app)
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
    const place = { x: (zone?.x ?? 0) + 20, y: (zone?.y ?? 0) + 20 }
    await browser.send('Input.dispatchDragEvent', { type, ...place, data: { items: [], files, dragOperationsMask: 1 } })
  }
  await expect(app.getByRole('heading', { name: 'a.png and 1 more' })).toBeVisible()
})

test('a phone takes a photo and reads it', async ({ app, picture }) => {
  await app.setViewportSize({ width: 360, height: 700 })
  await expect(app.locator('input[capture=environment]')).toHaveCount(1)
  const choosing = app.waitForEvent('filechooser')
  await app.getByRole('button', { name: 'Take a photo' }).click()
  await (await choosing).setFiles(picture)
  await expect(app.getByText(/Read in/)).toBeVisible()
})

test('an upload shows how far it is and can be cancelled; nothing of it is kept', async ({ app, picture }) => {
  const network = await app.context().newCDPSession(app)
  const slow = { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 100_000 }
  await network.send('Network.emulateNetworkConditions', slow)
  const padded = Buffer.concat([picture.buffer, Buffer.alloc(4 << 20)])
  const names = ['given-up-1.png', 'given-up-2.png']
  await give(app, ...names.map((name) => ({ ...picture, name, buffer: padded })))
  await expect(app.getByText(/Uploading, [1-9]/)).toBeVisible()
  await app.getByRole('button', { name: 'Cancel' }).click()
  await expect(app.getByText(/Uploading/)).toHaveCount(0)
  await network.send('Network.emulateNetworkConditions', { ...slow, uploadThroughput: -1 })
  const kept = await app.request.get('/api/jobs?search=given-up')
  expect(await kept.json()).toMatchObject({ total: 0 })
})

test('limits are told before, and what breaks them is not sent', async ({ app }) => {
  await expect(app.getByText('An image up to 15 MB')).toBeVisible()
  let sent = 0
  app.on('request', (request) => {
    sent += request.method() === 'POST' ? 1 : 0
  })
  await give(app, { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('x') })
  await expect(app.getByRole('alert')).toContainText('notes.txt is neither an image nor a PDF')
  await give(app, { name: 'empty.png', mimeType: 'image/png', buffer: Buffer.alloc(0) })
  await expect(app.getByRole('alert')).toContainText('empty.png is empty')
  expect(sent).toBe(0)
})

test('a reading can be cancelled', async ({ app, picture }) => {
  await app.route('**/api/ocr', () => undefined) // never answered
  await give(app, picture)
  await app.getByRole('button', { name: 'Cancel' }).click()
  await expect(app.getByRole('heading', { name: 'Cancelled' })).toBeVisible()
  await app.unroute('**/api/ocr')
  await app.getByRole('button', { name: 'Try again' }).click()
  await expect(app.getByText(/Read in/)).toBeVisible()
})

test('a broken file is refused in words', async ({ app }) => {
  await give(app, { name: 'broken.png', mimeType: 'image/png', buffer: Buffer.from('\x89PNG\r\n') })
  await expect(app.getByRole('heading', { name: 'That did not work' })).toBeVisible()
  await expect(app.getByText(/broken\.png:/)).toBeVisible()
})

test('a broken PDF is refused in words that can be read', async ({ app }) => {
  await give(app, { name: 'broken.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.7 and no more') })
  const told = app.getByRole('alert').filter({ hasText: 'That did not work: broken.pdf' })
  await told.hover() // a notification under the pointer does not close by itself
  await expect(told).toContainText('The PDF is broken')
  const { violations } = await new AxeBuilder({ page: app }).withRules(['color-contrast']).analyze()
  expect(violations).toEqual([])
  await expect(told).toBeVisible()
})

test('modes, tasks and the prompt are what the service offers', async ({ app, picture }) => {
  const asked = app.waitForRequest((request) => request.url().endsWith('/api/ocr'))
  await app.getByRole('radio', { name: 'Tiny' }).click()
  await app.getByRole('combobox', { name: 'Task' }).click()
  for (const name of ['Parse a figure', 'Describe the image', 'Own prompt'])
    await expect(app.getByRole('option', { name })).toBeDisabled() // by the embedded engine
  await expect(app.getByRole('option', { name: 'Locate in the image' })).toBeEnabled()
  await app.getByRole('option', { name: 'Plain text' }).click()
  await app.getByRole('button', { name: 'More options' }).click()
  await expect(app.getByRole('textbox', { name: 'Prompt' })).toHaveValue('<image>\nFree OCR.')
  await give(app, picture)
  await asked
  await expect(app.getByText(/Read in/)).toBeVisible()
  await expect(textOf(app)).toContainText('harbour')
  await app.getByRole('button', { name: 'Read again with' }).click()
  await expect(app.getByRole('menuitem', { name: /Text lines with boxes/ })).toBeVisible()
  await expect(app.getByRole('menuitem', { name: /Describe the image/ })).toBeHidden()
})

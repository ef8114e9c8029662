import AxeBuilder from '@axe-core/playwright'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { dispatchFiles, expect, upload, processPdf, processImage, test, textOf, type Document } from './fixtures'

async function makeFolder(folder: string, image: Document): Promise<string> {
  await mkdir(join(folder, 'deeper'), { recursive: true })
  await writeFile(join(folder, 'a.png'), image.buffer)
  await writeFile(join(folder, 'deeper', 'b.png'), image.buffer)
  await writeFile(join(folder, 'notes.txt'), 'not a document')
  return folder
}

test('an image is processed with a streamed result', async ({ app, image }) => {
  await processImage(app, image)
  await expect(textOf(app)).toContainText('harbour opened in the spring of 1887')
  await expect(app.getByRole('group', { name: 'Show boxes' }).getByRole('button').first()).toBeVisible()
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
  await processImage(app, image)
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
  await expect(app).toHaveURL(/#\/result/)
  await expect(textOf(app)).toContainText('eleven countries')
})

test('a PDF becomes a job that marks each finished page', async ({ app, pdf }) => {
  await processPdf(app, pdf)
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

test('several images become one job', async ({ app, image }) => {
  await upload(app, image, { ...image, name: 'harbour2.png' })
  await expect(app.getByRole('heading', { name: 'harbour.png and 1 more' })).toBeVisible()
  await expect(app.getByText(/Finished in/)).toBeVisible()
})

test('a folder becomes one job without its other files', async ({ app, image }, info) => {
  const folder = await makeFolder(info.outputPath('letters'), image)
  await app.locator('input[webkitdirectory]').setInputFiles(folder)
  await expect(app.getByRole('heading', { name: 'a.png and 1 more' })).toBeVisible()
  await expect(app.getByText(/Finished in/)).toBeVisible()
})

test('a folder can be dropped', async ({ app, image }, info) => {
  const files = [await makeFolder(info.outputPath('letters'), image)]
  const zone = await app.getByRole('group', { name: 'Drop a document' }).boundingBox()
  const browser = await app.context().newCDPSession(app)
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
    const position = { x: (zone?.x ?? 0) + 20, y: (zone?.y ?? 0) + 20 }
    await browser.send('Input.dispatchDragEvent', { type, ...position, data: { items: [], files, dragOperationsMask: 1 } })
  }
  await expect(app.getByRole('heading', { name: 'a.png and 1 more' })).toBeVisible()
})

test('a phone takes a photo and processes it', async ({ app, image }) => {
  await app.setViewportSize({ width: 360, height: 700 })
  await expect(app.locator('input[capture=environment]')).toHaveCount(1)
  const choosing = app.waitForEvent('filechooser')
  await app.getByRole('button', { name: 'Take a photo' }).click()
  await (await choosing).setFiles(image)
  await expect(app.getByText(/Finished in/)).toBeVisible()
})

test('an upload shows its progress and leaves nothing behind when cancelled', async ({ app, image }) => {
  const network = await app.context().newCDPSession(app)
  const slow = { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 100_000 }
  await network.send('Network.emulateNetworkConditions', slow)
  const padded = Buffer.concat([image.buffer, Buffer.alloc(4 << 20)])
  const names = ['cancelled-1.png', 'cancelled-2.png']
  await upload(app, ...names.map((name) => ({ ...image, name, buffer: padded })))
  await expect(app.getByText(/Uploading [1-9]/)).toBeVisible()
  await app.getByRole('button', { name: 'Cancel' }).click()
  await expect(app.getByText(/Uploading/)).toHaveCount(0)
  await network.send('Network.emulateNetworkConditions', { ...slow, uploadThroughput: -1 })
  const kept = await app.request.get('/api/jobs?search=cancelled')
  expect(await kept.json()).toMatchObject({ total: 0 })
})

test('limits are shown in advance, and unsupported files are not uploaded', async ({ app }) => {
  await expect(app.getByText('Images: up to 15 MB')).toBeVisible()
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

test('a recognition can be cancelled and started again', async ({ app, image }) => {
  await app.route('**/api/ocr', () => undefined) // never responds
  await upload(app, image)
  await app.getByRole('button', { name: 'Cancel' }).click()
  await expect(app.getByRole('heading', { name: 'Cancelled' })).toBeVisible()
  await app.unroute('**/api/ocr')
  await app.getByRole('button', { name: 'Try again' }).click()
  await expect(app.getByText(/Finished in/)).toBeVisible()
})

test('a broken image is rejected with its file name', async ({ app }) => {
  await upload(app, { name: 'broken.png', mimeType: 'image/png', buffer: Buffer.from('\x89PNG\r\n') })
  await expect(app.getByRole('heading', { name: 'Something went wrong' })).toBeVisible()
  await expect(app.getByText(/broken\.png:/)).toBeVisible()
})

test('a broken PDF is rejected with a readable notification', async ({ app }) => {
  await upload(app, { name: 'broken.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.7 and no more') })
  const notification = app.getByRole('alert').filter({ hasText: 'Something went wrong: broken.pdf' })
  await notification.hover() // a notification under the pointer does not close by itself
  await expect(notification).toContainText('The PDF is broken')
  const { violations } = await new AxeBuilder({ page: app }).withRules(['color-contrast']).analyze()
  expect(violations).toEqual([])
  await expect(notification).toBeVisible()
})

test('modes, tasks and the prompt are those of the server', async ({ app, image }) => {
  const request = app.waitForRequest((request) => request.url().endsWith('/api/ocr'))
  await app.getByRole('radio', { name: 'Tiny' }).click()
  await app.getByRole('combobox', { name: 'Task' }).click()
  for (const name of ['Parse a figure', 'Describe the image', 'Custom prompt'])
    await expect(app.getByRole('option', { name })).toBeDisabled() // the embedded engine does not support it
  await expect(app.getByRole('option', { name: 'Locate in the image' })).toBeEnabled()
  await app.getByRole('option', { name: 'Plain text' }).click()
  await app.getByRole('button', { name: 'More options' }).click()
  await expect(app.getByRole('textbox', { name: 'Prompt' })).toHaveValue('<image>\nFree OCR.')
  await upload(app, image)
  await request
  await expect(app.getByText(/Finished in/)).toBeVisible()
  await expect(textOf(app)).toContainText('harbour')
  await app.getByRole('button', { name: 'Retry with' }).click()
  await expect(app.getByRole('menuitem', { name: /Text lines with boxes/ })).toBeVisible()
  await expect(app.getByRole('menuitem', { name: /Describe the image/ })).toBeHidden()
})

import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from './fixtures'

test.use({ serviceWorkers: 'allow' })

test('below a path of a proxy the page takes shared files and deletes what is not kept, and without the server it says so', async ({ page, image, baseURL }) => {
  const { proxy, address } = await proxyBelow('/ocr', baseURL ?? '')
  await page.goto(address)
  await expect(page.getByRole('heading', { name: 'Drop a document to extract its text' })).toBeVisible()
  await page.evaluate(async () => void (await navigator.serviceWorker.ready))
  await page.reload() // now by the worker
  await share(page, image.buffer.toString('base64'))
  await expect(page.getByText(/Finished in/)).toBeVisible()
  const stored = await page.evaluate(async () => {
    const caches_ = await Promise.all((await caches.keys()).map((name) => caches.open(name)))
    return (await Promise.all(caches_.map((cache) => cache.keys()))).flat().map(({ url }) => new URL(url).pathname)
  })
  expect(stored).toContain('/ocr/')
  expect(stored.filter((path) => !/^\/ocr\/(assets\/[^/]+|icon[^/]*|manifest.json)?$/.test(path))).toEqual([])
  const notKept = page.getByRole('button', { name: 'Do not keep' })
  await notKept.click()
  await expect(notKept).toHaveAttribute('aria-pressed', 'true')
  const job = new URL(`api/jobs/${/jobs\/(\w+)/.exec(page.url())?.[1]}`, address).href
  await page.reload() // leaves the document
  await expect.poll(async () => (await page.request.get(job)).status()).toBe(404)
  await page.goto(`${address}#/`)
  const closed = new Promise((resolve) => proxy.close(resolve))
  proxy.closeAllConnections()
  await closed
  await page.reload()
  await expect(page.getByRole('heading', { name: 'Drop a document to extract its text' })).toBeVisible()
  await expect(page.getByRole('alert')).toContainText('not responding')
})

/** Sends a file as a phone does that shares it with the installed page. */
async function share(page: import('@playwright/test').Page, content: string): Promise<void> {
  await page.evaluate((base64) => {
    const form = document.createElement('form')
    form.method = 'POST'
    form.enctype = 'multipart/form-data'
    form.action = 'share-target'
    const input = document.createElement('input')
    input.type = 'file'
    input.name = 'file'
    const files = new DataTransfer()
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))
    files.items.add(new File([bytes], 'shared.png', { type: 'image/png' }))
    input.files = files.files
    form.append(input)
    document.body.append(form)
    form.submit()
  }, content)
}

async function proxyBelow(path: string, target: string): Promise<{ proxy: Server; address: string }> {
  const proxy = createServer((incoming, outgoing) => {
    const url = new URL((incoming.url ?? '').slice(path.length) || '/', target)
    const forwarded = request(url, { method: incoming.method, headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    })
    forwarded.on('error', () => outgoing.destroy())
    incoming.pipe(forwarded)
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  return { proxy, address: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}${path}/` }
}

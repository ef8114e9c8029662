// How fast the web page is with a document of 300 pages, on a processor slowed down 4 times: the first
// load, scrolling, a jump after a fast scroll, the heap, and the time until a correction is stored on
// the device. Any service will do; with the fake engine of the tests the pages are read in seconds:
//
//     python -m tests.jobs.serve /tmp/runs 8123 0 &
//     node bench/scroll.mjs http://127.0.0.1:8123
//
// On a machine with other load use SLOWDOWN=1 and multiply `processor` by 4.
import { chromium } from '../frontend/node_modules/@playwright/test/index.mjs'

const PAGES = 300
const SLOWDOWN = Number(process.env.SLOWDOWN ?? 4)
const LONG = { timeout: 600_000 }
const address = process.argv[2] ?? 'http://127.0.0.1:8000'
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox'],
})
const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, locale: 'en-US' })
const cdp = await page.context().newCDPSession(page)

const words = 'Of the long ledger of the harbour, which every cargo was written into. '.repeat(12)
await page.setContent(
  Array.from({ length: PAGES }, (_, index) => `<h1>Sheet ${index + 1}</h1><p>${words}</p>`).join(
    '<div style="break-after:page"></div>',
  ),
)
const buffer = await page.pdf({ format: 'A4' })
const slow = (rate) => cdp.send('Emulation.setCPUThrottlingRate', { rate })

await slow(SLOWDOWN)
await page.goto(address)
await page.getByRole('heading', { level: 1 }).first().waitFor(LONG)
const load = await page.evaluate(() => {
  const sizes = performance.getEntriesByType('resource').filter(({ name }) => /\.(js|css)$/.test(name))
  return {
    kB: Math.round(sizes.reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0) / 1000),
    firstPaint: Math.round(performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0),
  }
})

await slow(1)
await page
  .locator('input[type=file]')
  .first()
  .setInputFiles({ name: 'ledger.pdf', mimeType: 'application/pdf', buffer })
await page.getByText(/Finished in/).waitFor(LONG)
await page.locator('[data-page="0"] img').last().waitFor(LONG)
await slow(SLOWDOWN)

await cdp.send('Performance.enable')
async function metric(name) {
  const { metrics } = await cdp.send('Performance.getMetrics')
  return metrics.find((each) => each.name === name)?.value ?? 0
}

/** Milliseconds between frames while an element is scrolled as by a wheel, some pixels a frame; and the
 * processor time of the main thread a frame, which other load on the machine does not change. */
async function scroll(locator, pixels, frames) {
  const before = await metric('ThreadTime')
  const times = await scrolled(locator, pixels, frames)
  const processor = (1000 * ((await metric('ThreadTime')) - before)) / frames
  return { ...times, processor: Number(processor.toFixed(1)) }
}

const scrolled = (locator, pixels, frames) =>
  locator.evaluate(
    async (scroller, { pixels, frames }) => {
      const times = []
      let before = await new Promise(requestAnimationFrame)
      for (let frame = 0; frame < frames; frame++) {
        scroller.dispatchEvent(new WheelEvent('wheel', { deltaY: pixels }))
        scroller.scrollTop += pixels
        const now = await new Promise(requestAnimationFrame)
        times.push(now - before)
        before = now
      }
      const perSecond = (1000 * times.length) / times.reduce((sum, time) => sum + time, 0)
      times.sort((a, b) => a - b)
      const at = (share) => Number(times[Math.floor(share * (times.length - 1))].toFixed(1))
      return { perSecond: Math.round(perSecond), median: at(0.5), p95: at(0.95), longest: at(1) }
    },
    { pixels, frames },
  )

const pictures = page.locator('[data-page]').first().locator('xpath=../..')
const steady = await scroll(pictures, 30, 600)
const thumbnails = await scroll(page.getByRole('navigation', { name: 'Pages' }), 60, 600)
const fast = await scroll(pictures, 1500, 90)

/** Milliseconds until the picture of a page that is jumped to is shown in its full size. */
async function jump(number) {
  await page.evaluate(() => {
    const seen = () => {
      const image = document.querySelector(`[data-page="${Reflect.get(window, 'wanted') - 1}"] img[alt^="Page"]`)
      if (image?.complete && image.naturalWidth > 200) Reflect.set(window, 'seenAt', performance.now())
      else requestAnimationFrame(seen)
    }
    Reflect.set(window, 'look', seen)
  })
  const field = page.getByRole('textbox', { name: 'Page number' })
  await field.fill(String(number))
  const from = await page.evaluate((wanted) => {
    Object.assign(window, { wanted, seenAt: undefined })
    window.look()
    return performance.now()
  }, number)
  await field.press('Enter')
  const until = await page.waitForFunction(() => Reflect.get(window, 'seenAt'), undefined, LONG)
  return Math.round((await until.jsonValue()) - from)
}
const jumps = []
for (const number of [290, 41, 177, 250, 3]) jumps.push(await jump(number))

const block = page.getByRole('region', { name: 'Text', exact: true }).locator('[data-block]').first()
await block.hover()
await block.getByRole('button', { name: 'Edit' }).click()
const editor = page.getByRole('textbox', { name: /Text of block/ })
await editor.waitFor()
await editor.press('End')
/** Milliseconds from a key to the draft in the device's database. */
const stored = await editor.evaluate(async (field) => {
  const opened = await new Promise((resolve) => {
    const request = indexedDB.open('dsocr')
    request.onsuccess = () => resolve(request.result)
  })
  const drafts = () =>
    new Promise((resolve) => {
      const request = opened.transaction('drafts').objectStore('drafts').getAll()
      request.onsuccess = () => resolve(request.result)
    })
  const from = performance.now()
  document.execCommand('insertText', false, ' stored')
  while (!(await drafts()).some(({ text }) => text === field.value)) await null
  return Math.round(performance.now() - from)
})

await cdp.send('HeapProfiler.collectGarbage')
const heap = await metric('JSHeapUsedSize')
await browser.close()
console.log({
  'first load': load,
  'frames while the pages scroll': steady,
  'frames in a fast scroll': fast,
  'frames while the thumbnails scroll': thumbnails,
  'jumps, ms': jumps,
  'correction on the device, ms': stored,
  'heap, MB': Number((heap / 1e6).toFixed(1)),
})

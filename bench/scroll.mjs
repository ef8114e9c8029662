// How smoothly a document of 300 pages scrolls on the web page: times between frames while its page
// list is scrolled from end to end, pictures of the pages being loaded on the way.
//
//     ./start.sh --prod &          then: node bench/scroll.mjs http://127.0.0.1:8000
import { chromium } from '../frontend/node_modules/@playwright/test/index.mjs'

const PAGES = 300
const address = process.argv[2] ?? 'http://127.0.0.1:8000'
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox'],
})
const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
await page.setContent(
  Array.from({ length: PAGES }, (_, index) => `<h1>Sheet ${index + 1}</h1><p>Of the long ledger.</p>`).join(
    '<div style="break-after:page"></div>',
  ),
)
const buffer = await page.pdf({ format: 'A4' })
await page.goto(address)
await page.getByRole('radio', { name: 'Tiny' }).click()
await page.locator('input[type=file]').first().setInputFiles({ name: 'ledger.pdf', mimeType: 'application/pdf', buffer })
const list = page.getByRole('navigation', { name: 'Pages' })
await list.locator('[data-mark=done]').first().waitFor()

const measured = await list.evaluate(async (scroller) => {
  const times = []
  let before = await new Promise(requestAnimationFrame)
  for (let top = 0; top < scroller.scrollHeight; top += 60) {
    scroller.scrollTop = top
    const now = await new Promise(requestAnimationFrame)
    times.push(now - before)
    before = now
  }
  times.sort((a, b) => a - b)
  const at = (share) => times[Math.floor(share * (times.length - 1))]
  return { frames: times.length, median: at(0.5), p95: at(0.95), p99: at(0.99), longest: at(1) }
})
await page.getByRole('button', { name: 'Cancel' }).click().catch(() => undefined)
await browser.close()
console.log('milliseconds between frames:', measured)

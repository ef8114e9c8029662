// Measures the first load of the built page: what comes compressed, and the time to the first paint
// on a core that is slowed down 4 times.
//
//     node bench/first-load.mjs http://127.0.0.1:8000/
import { chromium } from '@playwright/test'

const url = process.argv[2] ?? 'http://127.0.0.1:8000/'
const RUNS = 5
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu'],
})
const paints = []
let sizes = { page: 0, font: 0 }
for (let run = 0; run < RUNS; run++) {
  const context = await browser.newContext({ serviceWorkers: 'block' })
  const page = await context.newPage()
  const network = await context.newCDPSession(page)
  await network.send('Emulation.setCPUThrottlingRate', { rate: 4 })
  await network.send('Network.enable')
  sizes = { page: 0, font: 0 }
  const types = new Map()
  network.on('Network.responseReceived', ({ requestId, response }) => types.set(requestId, response.url))
  network.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    const loaded = types.get(requestId) ?? ''
    if (/\/assets\/|\/$/.test(loaded)) sizes[loaded.endsWith('.woff2') ? 'font' : 'page'] += encodedDataLength
  })
  await page.goto(url)
  await page.waitForSelector('h1')
  await page.waitForLoadState('networkidle')
  const paint = () => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null
  paints.push(await page.evaluate(paint))
  await context.close()
}
await browser.close()
const sorted = paints.toSorted((a, b) => a - b).map(Math.round)
console.log(`first load ${(sizes.page / 1000).toFixed(0)} kB compressed, font ${(sizes.font / 1000).toFixed(0)} kB`)
console.log(`first paint ${sorted[RUNS >> 1]} ms (${sorted[0]} to ${sorted.at(-1)}), 4 times slowed`)

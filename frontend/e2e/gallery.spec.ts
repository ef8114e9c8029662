import AxeBuilder from '@axe-core/playwright'
import { expect, test, type Page } from '@playwright/test'
import { build, preview, type PreviewServer } from 'vite'
import { STATES } from '../src/gallery/states'

const root = new URL('..', import.meta.url).pathname
const outDir = 'node_modules/.gallery'
let gallery: PreviewServer

test.use({ reducedMotion: 'reduce' })

test.beforeAll(async () => {
  test.setTimeout(300_000) // a build on a busy machine
  await build({ root, mode: 'gallery', logLevel: 'error', build: { outDir } })
  gallery = await preview({ root, logLevel: 'error', build: { outDir }, preview: { port: 0, host: '127.0.0.1' } })
})
test.afterAll(() => gallery.close())

/** What a state shows last. */
const READY: Record<string, string | RegExp> = {
  empty: 'Accurate',
  starting: 'loading',
  recent: 'ledger.pdf',
  offline: 'The server is not responding',
  key: 'API key required',
  queued: /Queued/,
  reading: 'eleven coun',
  done: 'eleven countries',
  doubtful: 'Low confidence',
  failed: 'The engine crashed',
  cancelled: /Cancelled/,
  gone: 'Document not found',
  history: '2 pages failed',
  'empty-history': 'No documents yet',
}

async function openState(page: Page, name: string, direction = ''): Promise<void> {
  await page.goto(`${gallery.resolvedUrls?.local[0]}?gallery&state=${name}${direction}`)
  await expect(page.getByText(READY[name] ?? '').first()).toBeVisible()
  await page.evaluate(() => document.fonts.ready)
}

for (const colorScheme of ['light', 'dark'] as const) {
  test(`every state of the page is photographed without an accessibility finding, ${colorScheme}`, { tag: '@slow' }, async ({ page }, info) => {
    test.setTimeout(400_000)
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    const findings: string[] = []
    expect(Object.keys(READY).sort()).toEqual(Object.keys(STATES).sort())
    for (const name of Object.keys(STATES)) {
      await openState(page, name)
      await page.screenshot({ path: info.outputPath(`${name}.png`) })
      const { violations } = await new AxeBuilder({ page }).analyze()
      findings.push(
        ...violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${name} ${id}: ${html.slice(0, 160)}`)),
      )
    }
    expect(findings).toEqual([])
  })
}

test('every state of the page fits from right to left and on a phone', { tag: '@slow' }, async ({ page }, info) => {
  test.setTimeout(400_000)
  for (const [width, height, direction] of [[1280, 800, '&rtl'], [390, 844, '&rtl'], [390, 844, '']] as const) {
    await page.setViewportSize({ width, height })
    for (const name of Object.keys(STATES)) {
      const phone = width < 400
      await page.goto(`${gallery.resolvedUrls?.local[0]}?gallery&state=${name}${direction}`)
      if (phone && ['reading', 'done', 'doubtful', 'failed'].includes(name)) await page.getByText('Text', { exact: true }).click()
      await expect(page.locator('html')).toHaveAttribute('dir', direction === '' ? 'ltr' : 'rtl')
      const ready = page.getByText(READY[name] ?? '').first()
      if (phone) await expect(ready).toBeAttached() // some words are hidden there
      else await expect(ready).toBeVisible()
      await page.screenshot({ path: info.outputPath(`${name}-${width}${direction.slice(1)}.png`) })
      const tooWide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth)
      expect(tooWide, `${name} at ${width} px`).toBe(false)
    }
  }
})

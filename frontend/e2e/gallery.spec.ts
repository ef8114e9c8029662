import AxeBuilder from '@axe-core/playwright'
import { createServer, type ViteDevServer } from 'vite'
import { expect, test } from '@playwright/test'
import { STATES } from '../src/gallery/states'

let gallery: ViteDevServer

test.beforeAll(async () => {
  gallery = await createServer({ root: new URL('..', import.meta.url).pathname, server: { port: 0 }, logLevel: 'error' })
  await gallery.listen()
})
test.afterAll(() => gallery.close())

test('every state of the page is photographed, without an accessibility finding in light and dark', async ({ page }, info) => {
  test.setTimeout(180_000)
  const address = gallery.resolvedUrls?.local[0] ?? ''
  const findings: string[] = []
  for (const name of Object.keys(STATES)) {
    await page.goto(`${address}?gallery&state=${name}`)
    await expect(page.getByText(READY[name] ?? 'harbour').first()).toBeVisible()
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      await expect(page.locator('html')).toHaveAttribute('data-mantine-color-scheme', colorScheme)
      await page.screenshot({ path: info.outputPath(`${name}-${colorScheme}.png`) })
      const { violations } = await new AxeBuilder({ page }).analyze()
      findings.push(
        ...violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${name} ${colorScheme} ${id}: ${html.slice(0, 160)}`)),
      )
    }
  }
  expect(findings).toEqual([])
})

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

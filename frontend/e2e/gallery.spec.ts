import AxeBuilder from '@axe-core/playwright'
import { createServer, type ViteDevServer } from 'vite'
import { expect, test } from '@playwright/test'
import { STATES } from '../src/gallery/states'

let gallery: ViteDevServer

test.beforeAll(async () => {
  const root = new URL('..', import.meta.url).pathname
  const server = { port: 0, hmr: false as const, watch: null } // a page is not loaded again meanwhile
  gallery = await createServer({ root, server, logLevel: 'error' })
  await gallery.listen()
})
test.afterAll(() => gallery.close())

test('every state of the page is photographed, without an accessibility finding in light and dark', async ({ page }, info) => {
  test.setTimeout(240_000)
  const address = gallery.resolvedUrls?.local[0] ?? ''
  const findings: string[] = []
  for (const name of Object.keys(STATES)) {
    await page.goto(`${address}?gallery&state=${name}`)
    await expect(page.getByText(READY[name] ?? 'harbour').first()).toBeVisible()
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      await expect(page.locator('html')).toHaveAttribute('data-mantine-color-scheme', colorScheme)
      await page.screenshot({ path: info.outputPath(`${name}-${colorScheme}.png`) })
      // The rest does not depend on the colors.
      const axe = new AxeBuilder({ page }).options(colorScheme === 'dark' ? { runOnly: ['color-contrast'] } : {})
      const { violations } = await axe.analyze()
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

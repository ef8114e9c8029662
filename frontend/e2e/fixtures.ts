import { expect, test as base, type Browser, type Page } from '@playwright/test'
import type { Block } from '../src/lib/result'

type Fixtures = {
  /** The page, opened on the start screen; uncaught errors and CSP violations fail the test. */
  app: Page
  image: Document
  pdf: Document
}
export type Document = { name: string; mimeType: string; buffer: Buffer }

const PARAGRAPHS = [
  'The harbour opened in the spring of 1887 and closed in the winter.',
  'Ships from eleven countries came to load grain and timber.',
  'A ledger of every cargo has been kept to this day.',
]

function html(title: string): string {
  const body = [`${title} of the report of the harbour.`, ...PARAGRAPHS].map((text) => `<p>${text}</p>`).join('')
  return `<body style="font:28px/1.5 serif;margin:60px;width:760px"><h1>${title}</h1>${body}</body>`
}

export const test = base.extend<Fixtures>({
  app: async ({ page }, use) => {
    const problems: string[] = []
    page.on('pageerror', (error) => problems.push(error.message))
    page.on('console', (message) => {
      if (/Content Security Policy|Refused to/.test(message.text())) problems.push(message.text())
    })
    await page.goto('/')
    await expect(page.getByRole('heading', { name: 'Drop a document to extract its text' })).toBeVisible()
    await use(page)
    expect(problems).toEqual([])
  },
  image: async ({ browser }, use) => {
    const page = await browser.newPage({ viewport: { width: 900, height: 800 } })
    await page.setContent(html('Harbour report'))
    const buffer = await page.screenshot()
    await page.close()
    await use({ name: 'harbour.png', mimeType: 'image/png', buffer })
  },
  pdf: async ({ browser }, use) => {
    await use(await pdfOf(browser, ['First page', 'Second page', 'Third page'].map(html)))
  },
})

/** A PDF with a page for each HTML document. */
export async function pdfOf(browser: Browser, pages: string[]): Promise<Document> {
  const page = await browser.newPage()
  await page.setContent(pages.join('<div style="break-after:page"></div>'))
  const buffer = await page.pdf({ format: 'A4' })
  await page.close()
  return { name: 'harbour.pdf', mimeType: 'application/pdf', buffer }
}

export { expect } from '@playwright/test'

export async function upload(page: Page, ...files: Document[]): Promise<void> {
  await page.locator('input[type=file]').first().setInputFiles(files)
}

export async function processImage(page: Page, image: Document): Promise<void> {
  await upload(page, image)
  await expect(page.getByText(/Finished in/)).toBeVisible()
}

export async function processPdf(page: Page, pdf: Document): Promise<void> {
  await upload(page, pdf)
  await expect(page).toHaveURL(/#\/jobs\//)
  await expect(page.getByText(/Finished in/)).toBeVisible()
}

/** Drops or pastes a file with the events that a browser sends. */
export async function dispatchFiles(page: Page, event: 'drop' | 'paste', file: Document) {
  const transfer = await page.evaluateHandle(
    ({ bytes, name, mimeType }) => {
      const data = new DataTransfer()
      const content = Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0))
      data.items.add(new File([content], name, { type: mimeType }))
      return data
    },
    { bytes: file.buffer.toString('base64'), name: file.name, mimeType: file.mimeType },
  )
  if (event === 'drop') {
    const zone = page.getByRole('group', { name: 'Drop a document to extract its text' })
    await zone.dispatchEvent('dragenter', { dataTransfer: transfer })
    await zone.dispatchEvent('drop', { dataTransfer: transfer })
  } else {
    await page.evaluate((clipboardData) => {
      const pasted = new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true })
      document.body.dispatchEvent(pasted)
    }, transfer)
  }
}

type PageOutput = { text: string; items?: Block[]; finishReason?: string; flags?: string[] }

/** Makes the server respond with a page as a model might output it. */
export async function respondWith(page: Page, output: PageOutput, name = 'page.png'): Promise<void> {
  const { text, items = [], finishReason = 'stop', flags = [] } = output
  const layout = { width: 900, height: 800, items }
  const result = { pageIndex: 0, text, rawText: text, layout, lines: [], reviewShare: null, durationMs: 1, finishReason, flags, error: null }
  const request = { mode: 'gundam', prompt: '', fileName: name, fileSize: 1, engine: 'x', model: '' }
  const response = { ...request, text, rawText: text, durationMs: 1, layout, pages: [result] }
  const body = `id: 1\nevent: done\ndata: ${JSON.stringify(response)}\n\n`
  await page.route('**/api/ocr', (route) => route.fulfill({ contentType: 'text/event-stream', body }))
}

export function textOf(page: Page) {
  return page.getByRole('region', { name: 'Text', exact: true })
}

import { expect, test as base, type Browser, type Page } from '@playwright/test'
import type { Item } from '../src/lib/result'

type Fixtures = {
  /** The page, opened on the start screen; errors in its console fail the test. */
  app: Page
  picture: Document
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
    await expect(page.getByRole('heading', { name: 'Drop a document' })).toBeVisible()
    await use(page)
    expect(problems).toEqual([])
  },
  picture: async ({ browser }, use) => {
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

/** One page a piece of HTML. */
export async function pdfOf(browser: Browser, pages: string[]): Promise<Document> {
  const page = await browser.newPage()
  await page.setContent(pages.join('<div style="break-after:page"></div>'))
  const buffer = await page.pdf({ format: 'A4' })
  await page.close()
  return { name: 'harbour.pdf', mimeType: 'application/pdf', buffer }
}

export { expect } from '@playwright/test'

export async function give(page: Page, ...files: Document[]): Promise<void> {
  await page.locator('input[type=file]').first().setInputFiles(files)
}

export async function readPicture(page: Page, picture: Document): Promise<void> {
  await give(page, picture)
  await expect(page.getByText(/Read in/)).toBeVisible()
}

export async function readPdf(page: Page, pdf: Document): Promise<void> {
  await give(page, pdf)
  await expect(page).toHaveURL(/#\/jobs\//)
  await expect(page.getByText(/Read in/)).toBeVisible()
}

/** Dropped or pasted as a browser does it, with files in the event. */
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
    const zone = page.getByRole('group', { name: 'Drop a document' })
    await zone.dispatchEvent('dragenter', { dataTransfer: transfer })
    await zone.dispatchEvent('drop', { dataTransfer: transfer })
  } else {
    await page.evaluate((clipboardData) => {
      const pasted = new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true })
      document.body.dispatchEvent(pasted)
    }, transfer)
  }
}

type Written = { text: string; items?: Item[]; finishReason?: string; flags?: string[] }

/** Lets the service answer with a page as a model might have written it. */
export async function answerWith(page: Page, written: Written, name = 'page.png'): Promise<void> {
  const { text, items = [], finishReason = 'stop', flags = [] } = written
  const layout = { width: 900, height: 800, items }
  const read = { pageIndex: 0, text, rawText: text, layout, durationMs: 1, finishReason, flags, error: null }
  const about = { mode: 'gundam', prompt: '', fileName: name, fileSize: 1, engine: 'x', model: '' }
  const answer = { ...about, text, rawText: text, durationMs: 1, layout, pages: [read] }
  const body = `id: 1\nevent: done\ndata: ${JSON.stringify(answer)}\n\n`
  await page.route('**/api/ocr', (route) => route.fulfill({ contentType: 'text/event-stream', body }))
}

export function textOf(page: Page) {
  return page.getByRole('region', { name: 'Text', exact: true })
}

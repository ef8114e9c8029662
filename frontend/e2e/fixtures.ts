import { readFile } from 'node:fs/promises'
import { expect, test as base, type Browser, type Page } from '@playwright/test'
import type { Block } from '../src/lib/result'
import { slowDown } from './slowdown'

type Fixtures = {
  /** The page, opened on the start screen; uncaught errors and CSP violations fail the test. */
  app: Page
  /** Its password is `open`. */
  protectedPdf: Document
}
/** Made once for all tests of a worker. */
type Documents = { image: Document; pdf: Document }
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

export const test = base.extend<Fixtures, Documents>({
  app: async ({ page }, use) => {
    const problems: string[] = []
    page.on('pageerror', (error) => problems.push(error.message))
    page.on('console', (message) => {
      if (/Content Security Policy|Refused to/.test(message.text())) problems.push(message.text())
    })
    await slowDown(page)
    await page.goto('/')
    await expect(page.getByRole('heading', { name: 'Drop a document to extract its text' })).toBeVisible()
    await use(page)
    expect(problems).toEqual([])
  },
  image: [
    async ({ browser }, use) => {
      const page = await browser.newPage({ viewport: { width: 900, height: 800 } })
      await page.setContent(html('Harbour report'))
      const buffer = await page.screenshot()
      await page.close()
      await use({ name: 'harbour.png', mimeType: 'image/png', buffer })
    },
    { scope: 'worker' },
  ],
  pdf: [
    async ({ browser }, use) => {
      await use(await pdfOf(browser, ['First page', 'Second page', 'Third page'].map(html)))
    },
    { scope: 'worker' },
  ],
  protectedPdf: async ({}, use) => {
    await use({ name: 'protected.pdf', mimeType: 'application/pdf', buffer: await readFile(PROTECTED) })
  },
})

const PROTECTED = new URL('protected.pdf', import.meta.url)

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

export async function processFile(page: Page, file: Document): Promise<void> {
  await upload(page, file)
  await expect(page).toHaveURL(/#\/jobs\/\w/)
  await expectResult(page)
}

/** The document is read, and the page that is shown was fetched. */
export async function expectResult(page: Page): Promise<void> {
  await expect(page.getByText(/Finished in/)).toBeVisible()
  await expect(page.getByRole('button', { name: 'Copy', exact: true })).toBeEnabled()
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
export async function respondWith(page: Page, output: PageOutput): Promise<void> {
  const { text, items = [], finishReason = 'stop', flags = [] } = output
  await page.route(/\/api\/jobs\/\w+\/pages\/0$/, async (route) => {
    const read = await route.fetch().then((answer) => answer.json()).catch(() => null)
    if (read === null) return // the test has ended
    const layout = { width: 900, height: 800, items }
    await route.fulfill({ json: { ...read, text, correctedText: text, rawText: text, layout, finishReason, flags } })
  })
}

/** What requests need to change a job of this browser. */
export async function secretOf(page: Page): Promise<Record<string, string>> {
  return { 'X-Dsocr-Browser': (await page.evaluate(() => localStorage.getItem('dsocr-browser'))) ?? '' }
}

export function textOf(page: Page) {
  return page.getByRole('region', { name: 'Text', exact: true })
}

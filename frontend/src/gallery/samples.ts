// Answers of a service as the gallery needs them.
import type { Health, Job, JobPage, Modes } from '../api/client'

type Block = JobPage['layout']['items'][number]
const WIDTH = 800
const HEIGHT = 1000

export const HEALTH = {
  status: 'ok',
  engine: {
    ...{ name: 'ppocr', model: 'PP-OCRv6 small', device: 'cpu', state: 'ready', reason: 'There are no weights.' },
    ...{ advice: '', trouble: '', progress: null, details: { threads: '2' }, workers: [], tasks: ['markdown', 'text'] },
  },
  queue: { running: 0, waiting: 0, maxRequests: 64, jobs: 0 },
  version: '1.0.0',
} as unknown as Health

const mode = (image_size: number) => ({
  ...{ label: '', description: '', base_size: image_size, image_size, crop_mode: false, test_compress: false },
  ...{ speed: 'fast', quality: 'good' },
})
export const MODES = {
  defaultPrompt: '<image>\n<|grounding|>Convert the document to markdown.',
  modes: { gundam: mode(640), base: mode(1024), small: mode(640) },
  visionTokens: { gundam: [256, 1156], base: [256], small: [100] },
  autoMode: { key: 'auto', label: 'Auto', description: '' },
  maxImageMb: 15,
  tasks: [{ key: 'markdown', label: '', prompt: '<image>\n<|grounding|>Convert the document to markdown.' }],
  formats: [{ key: 'markdown', label: 'Markdown', extension: 'md', mediaType: 'text/markdown', needs: [] }],
  engines: [],
  models: [],
  limits: {
    ...{ maxImageMb: 15, maxPages: 100, maxImageMegapixels: 60, maxPromptBytes: 20000, maxOutputTokens: 8192 },
    ...{ maxJobMb: 512, maxJobPages: 10000, maxJobFiles: 1000, retentionDays: 7 },
  },
} satisfies Modes

export function jobOf(id: string, changes: Partial<Job> = {}): Job {
  return {
    ...{ jobId: id, status: 'succeeded', pagesTotal: 1, pagesDone: 1, pagesFailed: 0, mode: 'auto' },
    ...{ prompt: MODES.defaultPrompt, engine: 'ppocr', model: 'PP-OCRv6 small', error: null },
    files: [{ fileName: `${id}.pdf`, fileSize: 184832, pages: changes.pagesTotal ?? 1 }],
    ...{ createdAt: '2026-01-31T12:00:00Z', startedAt: '2026-01-31T12:00:00Z', finishedAt: '2026-01-31T12:00:02Z' },
    ...{ queuePosition: null, etaSeconds: null, editable: true },
    ...changes,
  } as Job
}

function block(id: number, label: string, text: string, top: number, bottom: number): Block {
  const normalized = [0.1, top, 0.9, bottom]
  const absolute = normalized.map((side, place) => side * (place % 2 === 0 ? WIDTH : HEIGHT))
  return { id, label, text, confidence: 0.98, score: 0.99, review: id === 2, boxes: [{ index: 0, absolute, normalized }] }
}

export const BLOCKS = [
  block(0, 'title', '# The harbour in 1887', 0.06, 0.12),
  block(1, 'text', 'The harbour opened in the spring and closed in the winter of the same year.', 0.15, 0.3),
  block(2, 'text', 'Ships from eleven countries came to load grain and timber.', 0.33, 0.45),
  block(3, 'table', '<table><tr><th>Cargo</th><th>Tons</th></tr><tr><td>Grain</td><td>1,204</td></tr></table>', 0.5, 0.7),
]

export function pageOf(changes: Partial<JobPage> = {}): JobPage {
  const text = BLOCKS.map((each) => each.text).join('\n\n')
  return {
    ...{ pageIndex: 0, text, rawText: text, lines: [], durationMs: 1900, finishReason: 'stop', flags: [], mode: 'base' },
    ...{ error: null, fileName: 'harbour.pdf', fileIndex: 0, filePageIndex: 0, corrections: [], correctedText: text },
    layout: { width: WIDTH, height: HEIGHT, items: BLOCKS },
    ...changes,
  } as JobPage
}

/** A sheet with lines, as an image. */
export const SHEET = `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}"><rect width="100%" height="100%" fill="#fff"/>${BLOCKS.map(
  ({ boxes }) => {
    const [x0 = 0, y0 = 0, x1 = 0, y1 = 0] = boxes[0]?.absolute ?? []
    return `<rect x="${x0 + 8}" y="${y0 + 12}" width="${x1 - x0 - 40}" height="${y1 - y0 - 24}" fill="#cfcbc1"/>`
  },
).join('')}</svg>`

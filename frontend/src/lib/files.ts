// Which files can be read, and what a browser can show of them. Knows names and types only.

export type Refusal = { why: 'tooLarge' | 'notDocument' | 'empty'; name: string; size: number }
export type Limits = { imageBytes: number; jobBytes: number }

const SHOWN = /^image\/(png|jpeg|webp|gif|bmp|avif)$/
const EXTENSIONS =
  /\.(pdf|png|jpe?g|jfif|webp|gif|bmp|dib|tiff?|heic|heif|avif|jp2|j2k|ppm|pgm|pbm|pnm|tga|ico)$/i
export const ACCEPT = 'image/*,application/pdf,.pdf,.tif,.tiff,.heic,.heif,.jp2,.bmp'

export function isDocument(file: File): boolean {
  return /^image\/(?!svg)/.test(file.type) || file.type === 'application/pdf' || EXTENSIONS.test(file.name)
}

/** Whether the browser can draw it as it is, so that it can be read before one's eyes. */
export function isShown(file: File): boolean {
  return SHOWN.test(file.type)
}

/** One picture is read at once and streamed; all else is a job, where there are jobs. */
export function goesAtOnce(files: File[], hasJobs: boolean, limits: Limits): boolean {
  const [first] = files
  if (first === undefined || files.length !== 1) return false
  return !hasJobs || (isShown(first) && first.size <= limits.imageBytes)
}

/** Those that can be sent, and why the others cannot. */
export function sorted(files: File[], most: number): { good: File[]; refused: Refusal[] } {
  const good: File[] = []
  const refused: Refusal[] = []
  for (const file of files) {
    const why = refusal(file, most)
    if (why === null) good.push(file)
    else refused.push({ why, name: file.name, size: file.size })
  }
  good.sort((a, b) => pathOf(a).localeCompare(pathOf(b), undefined, { numeric: true }))
  return { good, refused }
}

function refusal(file: File, most: number): Refusal['why'] | null {
  if (!isDocument(file)) return 'notDocument'
  if (file.size === 0) return 'empty'
  return file.size > most ? 'tooLarge' : null
}

function pathOf(file: File): string {
  return file.webkitRelativePath || file.name
}

// Which files are accepted, by name, type and size alone, and which documents they become.

export type Rejection = { reason: 'tooLarge' | 'notDocument' | 'empty'; name: string; size: number }

const EXTENSIONS =
  /\.(pdf|png|jpe?g|jfif|webp|gif|bmp|dib|tiff?|heic|heif|avif|jp2|j2k|ppm|pgm|pbm|pnm|tga|ico)$/i
export const ACCEPT = 'image/*,application/pdf,.pdf,.tif,.tiff,.heic,.heif,.jp2,.bmp'

export function isDocument(file: File): boolean {
  return /^image\/(?!svg)/.test(file.type) || file.type === 'application/pdf' || EXTENSIONS.test(file.name)
}

/** The documents that files become: each its own, or all together one. */
export function documentsOf(files: File[], together: boolean): File[][] {
  return together && files.length > 0 ? [files] : files.map((file) => [file])
}

/** Splits files into accepted ones, sorted by path, and rejected ones with the reason. */
export function validateFiles(
  files: File[],
  maxBytes: number,
): { accepted: File[]; rejected: Rejection[] } {
  const accepted: File[] = []
  const rejected: Rejection[] = []
  for (const file of files) {
    const reason = rejectionReason(file, maxBytes)
    if (reason === null) accepted.push(file)
    else rejected.push({ reason, name: file.name, size: file.size })
  }
  accepted.sort((a, b) => pathOf(a).localeCompare(pathOf(b), undefined, { numeric: true }))
  return { accepted, rejected }
}

function rejectionReason(file: File, maxBytes: number): Rejection['reason'] | null {
  if (!isDocument(file)) return 'notDocument'
  if (file.size === 0) return 'empty'
  return file.size > maxBytes ? 'tooLarge' : null
}

function pathOf(file: File): string {
  return file.webkitRelativePath || file.name
}

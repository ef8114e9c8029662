// Engine names as shown to the user.

/** The embedded engine, and the name it has in jobs of earlier versions. */
const EMBEDDED = ['ppocr', 'rapidocr']

export function isEmbedded(engine: string): boolean {
  return EMBEDDED.includes(engine)
}

export function engineLabel(engine: string): string {
  return isEmbedded(engine) ? 'PP-OCR' : engine
}

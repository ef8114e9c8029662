// The languages of the page: a line here, and a file of texts in `languages/`.
type Direction = 'ltr' | 'rtl'

export const LANGUAGES: Record<string, { name: string; dir: Direction }> = {
  en: { name: 'English', dir: 'ltr' },
  zh: { name: '中文', dir: 'ltr' },
}

/** The first of codes such as `zh-CN` whose language is available; else English. */
export function firstSupported(codes: readonly string[]): string {
  const known = codes.map((code) => code.toLowerCase().split('-')[0] ?? '')
  return known.find((code) => code in LANGUAGES) ?? 'en'
}

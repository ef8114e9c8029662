// The page's texts in the user's language. Each file in `languages/` is one language.
import { createContext, useContext, useEffect, useState, type ReactNode } from 'react'
import { name as english, texts as en } from './languages/en'

export type Texts = typeof en
type Language = { name: string; texts: Texts }

const modules = import.meta.glob<Language>('./languages/*.ts', { eager: true })
export const LANGUAGES: Record<string, Language> = {
  en: { name: english, texts: en },
  ...Object.fromEntries(
    Object.entries(modules).map(([path, language]) => [path.replace(/^.*\/|\.ts$/g, ''), language]),
  ),
}
const STORAGE_KEY = 'dsocr-language'

type Translation = { t: Texts; language: string; setLanguage: (code: string) => void }
const TranslationContext = createContext<Translation>({
  t: en,
  language: 'en',
  setLanguage: () => undefined,
})

export function TranslationProvider({ children }: { children: ReactNode }) {
  const [language, setLanguage] = useState(() =>
    firstSupported([localStorage.getItem(STORAGE_KEY) ?? '', ...navigator.languages]),
  )
  useEffect(() => {
    document.documentElement.lang = language
  }, [language])
  const storeLanguage = (code: string) => {
    localStorage.setItem(STORAGE_KEY, code)
    setLanguage(code)
  }
  const t = LANGUAGES[language]?.texts ?? en
  return (
    <TranslationContext value={{ t, language, setLanguage: storeLanguage }}>
      {children}
    </TranslationContext>
  )
}

/** The texts of the current language as `t`, its code, and a setter. */
export function useTranslation(): Translation {
  return useContext(TranslationContext)
}

/** The first of codes such as `zh-CN` whose language is available; else English. */
export function firstSupported(codes: readonly string[]): string {
  const known = codes.map((code) => code.toLowerCase().split('-')[0] ?? '')
  return known.find((code) => code in LANGUAGES) ?? 'en'
}

// The words of the page in the reader's language. A language is one file in `languages/`.
import { createContext, useContext, useEffect, useState, type ReactNode } from 'react'
import { name as english, words as en } from './languages/en'

export type Words = typeof en
type Language = { name: string; words: Words }

const others = import.meta.glob<Language>('./languages/*.ts', { eager: true })
export const LANGUAGES: Record<string, Language> = {
  en: { name: english, words: en },
  ...Object.fromEntries(
    Object.entries(others).map(([path, language]) => [path.replace(/^.*\/|\.ts$/g, ''), language]),
  ),
}
const STORED = 'dsocr-language'

type Choice = { words: Words; language: string; setLanguage: (code: string) => void }
const Chosen = createContext<Choice>({ words: en, language: 'en', setLanguage: () => undefined })

export function WordsProvider({ children }: { children: ReactNode }) {
  const [language, setLanguage] = useState(() =>
    firstKnown([localStorage.getItem(STORED) ?? '', ...navigator.languages]),
  )
  useEffect(() => {
    document.documentElement.lang = language
  }, [language])
  const choose = (code: string) => {
    localStorage.setItem(STORED, code)
    setLanguage(code)
  }
  const words = LANGUAGES[language]?.words ?? en
  return <Chosen value={{ words, language, setLanguage: choose }}>{children}</Chosen>
}

export function useWords(): Choice {
  return useContext(Chosen)
}

/** Of codes such as `zh-CN`, the first whose language there is; else English. */
export function firstKnown(codes: readonly string[]): string {
  const known = codes.map((code) => code.toLowerCase().split('-')[0] ?? '')
  return known.find((code) => code in LANGUAGES) ?? 'en'
}

// The page's texts in the user's language. English comes with the page, the others are loaded.
import { DirectionProvider, useDirection } from '@mantine/core'
import { createContext, useContext, useEffect, useState, type ReactNode } from 'react'
import { firstSupported, LANGUAGES } from './languages'
import { texts as en } from './languages/en'

export type Texts = typeof en
export type Language = { language: string; t: Texts }

const STORAGE_KEY = 'dsocr-language'
const files = import.meta.glob<{ texts: Texts }>(['./languages/*.ts', '!./languages/en.ts'])
const ENGLISH: Language = { language: 'en', t: en }

type Translation = Language & { setLanguage: (code: string) => void }
const TranslationContext = createContext<Translation>({ ...ENGLISH, setLanguage: () => undefined })

/** The language that was chosen here, else the browser's. */
export function storedLanguage(): string {
  return firstSupported([localStorage.getItem(STORAGE_KEY) ?? '', ...navigator.languages])
}

/** The texts of a language; English where they cannot be loaded. */
export async function loadLanguage(code: string): Promise<Language> {
  const file = files[`./languages/${code}.ts`]
  if (file === undefined) return ENGLISH
  return file().then(({ texts }) => ({ language: code, t: texts }), () => ENGLISH)
}

export function TranslationProvider({ initial, children }: { initial: Language; children: ReactNode }) {
  const [current, setCurrent] = useState(initial)
  const setLanguage = (code: string) => {
    localStorage.setItem(STORAGE_KEY, code)
    void loadLanguage(code).then(setCurrent)
  }
  return (
    <DirectionProvider detectDirection={false}>
      <DocumentLanguage language={current.language} />
      <TranslationContext value={{ ...current, setLanguage }}>{children}</TranslationContext>
    </DirectionProvider>
  )
}

/** Sets the language and the direction of the document. */
function DocumentLanguage({ language }: { language: string }) {
  const { setDirection } = useDirection()
  useEffect(() => {
    document.documentElement.lang = language
    setDirection(LANGUAGES[language]?.dir ?? 'ltr')
  }, [language])
  return null
}

/** The texts of the current language as `t`, its code, and a setter. */
export function useTranslation(): Translation {
  return useContext(TranslationContext)
}

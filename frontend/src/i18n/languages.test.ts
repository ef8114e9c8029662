import { expect, test } from 'vitest'
import { firstSupported, LANGUAGES } from './languages'
import { texts as en } from './languages/en'
import { loadLanguage } from './translation'

const files = Object.keys(import.meta.glob('./languages/*.ts')).map((path) => path.replace(/^.*\/|\.ts$/g, ''))

test('every language has a file, and every file a language', () => {
  expect(files.sort()).toEqual(Object.keys(LANGUAGES).sort())
})

test('the first language of the browser that is there is taken', () => {
  expect(firstSupported(['', 'zh-TW', 'en'])).toBe('zh')
  expect(firstSupported(['xx'])).toBe('en')
})

test('a language that cannot be loaded is English', async () => {
  expect((await loadLanguage('xx')).t).toBe(en)
})

for (const code of Object.keys(LANGUAGES).filter((known) => known !== 'en')) {
  test(`${code} has a text for each text, and for the words of the server`, async () => {
    const { t } = await loadLanguage(code)
    expect(keysOf(t).filter((key) => !key.startsWith('errors.codes'))).toEqual(
      keysOf(en).filter((key) => !key.startsWith('errors.codes')),
    )
    expect(Object.keys(t.errors.codes)).toContain('bad_pdf')
  })
}

/** The paths of all texts, sorted; records by key are as complete as the rest. */
function keysOf(value: object, path = ''): string[] {
  return Object.entries(value)
    .flatMap(([key, inner]) =>
      typeof inner === 'object' && inner !== null ? keysOf(inner, `${path}${key}.`) : [`${path}${key}`],
    )
    .sort()
}

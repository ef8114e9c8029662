import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import type { IndexHtmlTransformContext, Plugin } from 'vite'
import { defineConfig } from 'vitest/config'
import { DARK_MODE, LIGHT } from './src/tokens.ts'

const backend = process.env.DSOCR_BACKEND ?? 'http://127.0.0.1:8000'
const client = fileURLToPath(new URL('../clients/js', import.meta.url))
const routes = ['/api', '/health', '/ready', '/live', '/openapi.json']

// KaTeX offers each font in three formats; every browser that runs this page supports woff2.
const woff2Only: Plugin = {
  name: 'woff2-only',
  enforce: 'pre',
  transform(code, id) {
    if (!/katex.*\.css$/.test(id)) return
    return code.replace(/,\s*url\([^)]*\.(?:woff|ttf)\)\s*format\([^)]*\)/g, '')
  },
}

/** The colors of the first paint, and the files of the page that its first script executes. */
const firstPaint: Plugin = {
  name: 'first-paint',
  transformIndexHtml: {
    order: 'post',
    handler: (_, { bundle = {} }) => [
      { tag: 'style', children: firstColors(), injectTo: 'head' },
      ...filesOf(bundle, 'src/main.tsx').map((file) => {
        const as = file.endsWith('.css') ? { rel: 'preload', as: 'style' } : { rel: 'modulepreload' }
        const attrs = { ...as, crossorigin: true, href: `./${file}` }
        return { tag: 'link', attrs, injectTo: 'head' as const }
      }),
    ],
  },
}

function firstColors(): string {
  const rule = (tokens: object) =>
    Object.entries(tokens)
      .filter(([name]) => ['--ground', '--surface', '--line', '--ink'].includes(name))
      .map(([name, value]) => `${name}:${value}`)
      .join(';')
  const dark = rule(DARK_MODE)
  return `:root{${rule(LIGHT)}}@media (prefers-color-scheme:dark){:root:not([data-mantine-color-scheme=light]){${dark}}}
:root[data-mantine-color-scheme=dark]{${dark}}`
}

/** A module's chunk, the chunks that it imports at once, and its styles. */
function filesOf(bundle: OutputBundle, module: string): string[] {
  const chunks = Object.values(bundle).filter((each) => each.type === 'chunk')
  const first = chunks.find(({ facadeModuleId }) => facadeModuleId?.endsWith(module))
  const found = new Set(first === undefined ? [] : [first.fileName])
  for (const name of found) { // a set is gone through to what was added last
    const chunk = chunks.find(({ fileName }) => fileName === name)
    for (const imported of chunk?.imports ?? []) found.add(imported)
    for (const style of chunk?.viteMetadata?.importedCss ?? []) found.add(style)
  }
  return [...found].filter((name) => !chunks.some(({ fileName, isEntry }) => isEntry && fileName === name))
}

type OutputBundle = NonNullable<IndexHtmlTransformContext['bundle']>

export default defineConfig({
  base: './', // the page may lie below any path of a proxy
  plugins: [react(), woff2Only, firstPaint],
  resolve: { alias: { '@dsocr/client': `${client}/src/index.ts` } },
  build: { target: 'es2022', chunkSizeWarningLimit: 700 },
  server: {
    fs: { allow: ['.', client] },
    proxy: Object.fromEntries(routes.map((route) => [route, { target: backend }])),
  },
  test: {
    environment: 'node',
    include: ['src/**/*.test.{ts,tsx}'],
    testTimeout: 60_000, // a loaded machine imports slowly
  },
})

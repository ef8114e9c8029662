import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

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

export default defineConfig({
  base: './', // the page may lie below any path of a proxy
  plugins: [react(), woff2Only],
  resolve: { alias: { '@dsocr/client': `${client}/src/index.ts` } },
  build: { target: 'es2022', chunkSizeWarningLimit: 700 },
  server: {
    fs: { allow: ['.', client] },
    proxy: Object.fromEntries(routes.map((route) => [route, { target: backend }])),
  },
  test: {
    environment: 'jsdom',
    include: ['src/**/*.test.{ts,tsx}'],
    testTimeout: 60_000, // a loaded machine imports slowly
  },
})

import react from '@vitejs/plugin-react'
import { defineConfig } from 'vitest/config'

const backend = process.env.DSOCR_BACKEND ?? 'http://127.0.0.1:8000'
const routes = ['/api', '/health', '/ready', '/live', '/openapi.json']

export default defineConfig({
  base: './', // the page may lie below any path of a proxy
  plugins: [react()],
  build: { target: 'es2022', chunkSizeWarningLimit: 700 },
  server: {
    proxy: Object.fromEntries(routes.map((route) => [route, { target: backend }])),
  },
  test: { environment: 'jsdom', include: ['src/**/*.test.{ts,tsx}'] },
})

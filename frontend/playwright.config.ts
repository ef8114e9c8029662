import { defineConfig } from '@playwright/test'

const port = Number(process.env.DSOCR_E2E_PORT ?? '8790')

export default defineConfig({
  testDir: 'e2e',
  outputDir: 'node_modules/.e2e',
  workers: 2, // files share one server; a test finds its own documents by name
  fullyParallel: false,
  forbidOnly: Boolean(process.env.CI),
  ...(process.env.DSOCR_E2E_SLOW ? {} : { grepInvert: /@slow/ }),
  timeout: 600_000, // readings share the processor with everything else on the machine
  expect: { timeout: 180_000 },
  reporter: [['list']],
  use: {
    baseURL: `http://127.0.0.1:${port}`,
    locale: 'en-US',
    serviceWorkers: 'block', // tests change answers, which a worker would bypass
    contextOptions: { reducedMotion: 'reduce' }, // dialogs open without a fade
    trace: 'off',
    viewport: { width: 1280, height: 800 },
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
  webServer: {
    command: `node e2e/serve.mjs ${port}`,
    url: `http://127.0.0.1:${port}/ready`,
    reuseExistingServer: false,
    timeout: 300_000,
    gracefulShutdown: { signal: 'SIGTERM', timeout: 15_000 },
  },
})

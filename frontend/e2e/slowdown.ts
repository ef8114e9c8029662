import type { Page } from '@playwright/test'

const CPU_RATE = 4
const MAX_DELAY_MILLISECONDS = 800

/** With `DSOCR_E2E_SLOWDOWN=1` the page computes slowly, and answers of the server come late and in any order. */
export async function slowDown(page: Page): Promise<void> {
  if (!process.env.DSOCR_E2E_SLOWDOWN) return
  const browser = await page.context().newCDPSession(page)
  await browser.send('Emulation.setCPUThrottlingRate', { rate: CPU_RATE })
  // Routes of a test are asked before those of the context that were there before it.
  await page.context().route(/\/(api\/|health$)/, async (route) => {
    const isStream = /\/events/.test(route.request().url())
    const isLateAnswer = route.request().method() === 'GET' && !isStream && Math.random() < 0.5
    // The page may have cancelled the request, or the test may have ended.
    const answer = isLateAnswer ? await route.fetch().catch(() => undefined) : undefined
    await new Promise((resolve) => setTimeout(resolve, Math.random() * MAX_DELAY_MILLISECONDS))
    const sent = answer === undefined ? route.continue() : route.fulfill({ response: answer })
    await sent.catch(() => undefined)
  })
}

// When a failed call is sent again, and after which pause.
import { ServiceError, ServiceUnreachable } from './errors.js'
import type { Call, Retry } from './http.js'

const FIRST_PAUSE_MS = 500
const MAX_PAUSE_MS = 60_000

/** At most `count` more attempts. Pauses double, unless the service names one. */
export function upTo(count: number): Retry {
  return (attempt, error, call) => {
    if (attempt > 1 + count || !isWorthwhile(error, call)) return null
    const asked = error instanceof ServiceError ? error.retryAfter : null
    if (asked !== null) return Math.min(asked * 1000, MAX_PAUSE_MS)
    return Math.min(FIRST_PAUSE_MS * 2 ** (attempt - 2), MAX_PAUSE_MS) * (0.75 + Math.random() / 4)
  }
}

/** Whether a call can be sent again without having its effect twice, and may then succeed. */
function isWorthwhile(error: unknown, { method, repeatable }: Call): boolean {
  const harmless = repeatable ?? method === undefined
  if (error instanceof ServiceUnreachable) return harmless
  if (!(error instanceof ServiceError) || !error.retryable) return false
  if (error.status === 429 || error.status === 503) return true
  return harmless && (error.status === 502 || error.status === 504)
}

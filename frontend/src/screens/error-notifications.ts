import { notifications } from '@mantine/notifications'
import { ApiError, Unreachable } from '../api/client'
import type { Words } from '../i18n/translation'

/** What went wrong, for people; nothing for what they did themselves. */
export function problemText(error: unknown, words: Words): string | null {
  if (error instanceof DOMException && error.name === 'AbortError') return null
  if (error instanceof Unreachable) return words.problem.unreachable
  if (error instanceof ApiError) {
    if (error.status === 401) return null // the key is asked for
    if (error.status === 429) return words.problem.busy(error.retryAfter ?? 5)
    return error.message
  }
  return error instanceof Error ? error.message : String(error)
}

export function tell(error: unknown, words: Words, title = words.problem.title): void {
  const message = problemText(error, words)
  if (message !== null) notifications.show({ title, message, color: 'red', autoClose: 8000 })
}

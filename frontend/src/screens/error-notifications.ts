import { notifications } from '@mantine/notifications'
import { ApiError, ServerUnreachable } from '../api/client'
import type { Texts } from '../i18n/translation'

/** The message for an error; null if the user aborted, or if the key dialog opens anyway. */
export function errorMessage(error: unknown, t: Texts): string | null {
  if (error instanceof DOMException && error.name === 'AbortError') return null
  if (error instanceof ServerUnreachable) return t.errors.offline
  if (error instanceof ApiError) {
    if (error.status === 401) return null // the key dialog opens
    if (error.status === 429) return t.errors.busy(error.retryAfter ?? 5)
    return messageOf(error, t)
  }
  return error instanceof Error ? error.message : String(error)
}

/** The server's message in the user's language, by its code; as it came where there is none. */
export function messageOf({ code, message }: { code: string; message: string }, t: Texts): string {
  return t.errors.codes[code] ?? message
}

export function notifyError(error: unknown, t: Texts, title = t.errors.title): void {
  const message = errorMessage(error, t)
  if (message !== null) notifications.show({ title, message, color: 'red', autoClose: 8000 })
}

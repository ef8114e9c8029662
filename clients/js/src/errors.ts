import type { ErrorAnswer } from './types.js'

/** An error that the service answered with. `code` is that of docs/api.md. */
export class ServiceError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    /** Seconds that the service asks to wait. */
    readonly retryAfter: number | null = null,
    /** Also in the log of the service. */
    readonly requestId: string | null = null,
    readonly retryable = false,
  ) {
    super(message)
  }
}

/** No answer: the connection failed, or a proxy found no service behind it. */
export class ServiceUnreachable extends Error {
  constructor(message = 'There is no answer from the service.', options?: ErrorOptions) {
    super(message, options)
  }
}

/** The error that a response stands for. */
export function errorOf(
  status: number,
  text: string,
  headers: Headers,
): ServiceError | ServiceUnreachable {
  const retryAfter = Number(headers.get('Retry-After')) || null
  try {
    const { error } = JSON.parse(text) as ErrorAnswer
    return new ServiceError(
      status,
      error.code,
      error.message,
      retryAfter,
      error.requestId,
      error.retryable,
    )
  } catch {
    // Not the service's error body: a proxy answered instead.
    if (status >= 502) return new ServiceUnreachable(`A proxy answered ${status}.`)
    return new ServiceError(status, 'unknown', `HTTP ${status}`, retryAfter)
  }
}

/** The error of an event `error`; it has no status of its own. */
export function errorOfEvent(data: string): ServiceError {
  const { error } = JSON.parse(data) as ErrorAnswer
  return new ServiceError(0, error.code, error.message, null, error.requestId, error.retryable)
}

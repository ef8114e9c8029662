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
  const retryAfter = secondsOf(headers.get('Retry-After'))
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

/** Of a successful answer that is not JSON: it comes from another service. */
export function unexpectedAnswer(status: number): ServiceError {
  const message = 'The answer is none of the dsocr API. Is this the URL of a dsocr service?'
  return new ServiceError(status, 'unexpected', message)
}

/** The header Retry-After, a number of seconds or a date, in seconds from now. */
export function secondsOf(retryAfter: string | null): number | null {
  if (retryAfter === null) return null
  if (/^\s*\d+\s*$/.test(retryAfter)) return Number(retryAfter)
  const then = Date.parse(retryAfter)
  return Number.isNaN(then) ? null : Math.max(0, (then - Date.now()) / 1000)
}

/** The error of an event `error`; it has no status of its own. */
export function errorOfEvent(data: string): ServiceError {
  const { error } = JSON.parse(data) as ErrorAnswer
  return new ServiceError(0, error.code, error.message, null, error.requestId, error.retryable)
}

// A request, its headers and its errors.
import { errorOf, ServiceUnreachable, unexpectedAnswer } from './errors.js'
import { upload } from './upload.js'

export type ClientOptions = {
  /** The address of the service, and of any path below which a proxy has it. */
  url?: string
  /** An API key, or a function that returns the one to use now. */
  key?: string | (() => string | null)
  /** Headers of every request. */
  headers?: () => Record<string, string>
  /** Is called for every answer with the status 401. */
  onUnauthorized?: () => void
}

/** Milliseconds before the attempt of this number, from 1, or null if there is none. */
export type Retry = (attempt: number, error: unknown, call: Call) => number | null

/** What every call takes beside its arguments. */
export type CallOptions = {
  signal?: AbortSignal
  /** The request is completed also when the page is closed meanwhile. */
  keepalive?: boolean
}
export type UploadOptions = CallOptions & {
  /** The part of the body that was sent, 0 to 1. Only browsers report it. */
  onUploadProgress?: (fraction: number) => void
}

export type Call = UploadOptions & {
  method?: 'POST' | 'PATCH' | 'DELETE'
  body?: FormData | object
  headers?: Record<string, string>
  /** Whether it has the same effect when it is sent twice. */
  repeatable?: boolean
}

export class Http {
  readonly #base: URL
  readonly #options: ClientOptions

  readonly #retry: Retry

  constructor(options: ClientOptions, retry: Retry) {
    const url = options.url ?? 'http://127.0.0.1:8000'
    this.#base = new URL(url.endsWith('/') ? url : `${url}/`)
    this.#options = options
    this.#retry = retry
  }

  async json<T>(path: string, call: Call = {}): Promise<T> {
    const response = await this.send(path, call)
    try {
      return (await response.json()) as T
    } catch (error) {
      if (error instanceof SyntaxError) throw unexpectedAnswer(response.status)
      throw error
    }
  }

  async blob(path: string, call: Call = {}): Promise<Blob> {
    return (await this.send(path, call)).blob()
  }

  /** The content as a file, with the name that the service gives it. */
  async file(path: string, call: Call = {}): Promise<File> {
    const response = await this.send(path, call)
    const disposition = response.headers.get('Content-Disposition') ?? ''
    const name = /filename\*=UTF-8''([^;]+)/.exec(disposition)?.[1] ?? 'document'
    return new File([await response.blob()], decodeURIComponent(name))
  }

  /** A successful response. Throws `ServiceError`, `ServiceUnreachable`, or an AbortError. */
  async send(path: string, call: Call = {}): Promise<Response> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#attempt(path, call)
      } catch (error) {
        const wait = this.#retry(attempt + 1, error, call)
        if (wait === null) throw error
        await pause(wait, call.signal)
        call.signal?.throwIfAborted()
      }
    }
  }

  async #attempt(path: string, call: Call): Promise<Response> {
    const response = await this.#request(new URL(path, this.#base), call)
    if (response.ok) return response
    if (response.status === 401) this.#options.onUnauthorized?.()
    throw errorOf(response.status, await response.text(), response.headers)
  }

  async #request(url: URL, call: Call): Promise<Response> {
    const { method = 'GET', body, signal, keepalive, onUploadProgress } = call
    const headers = this.#headers(call)
    const isForm = body instanceof FormData
    if (isForm && onUploadProgress !== undefined && typeof XMLHttpRequest === 'function') {
      return upload({ url, headers, body, signal, onUploadProgress })
    }
    const content = isForm || body === undefined ? body : JSON.stringify(body)
    try {
      return await fetch(url, { method, headers, body: content, signal, keepalive })
    } catch (error) {
      if (signal?.aborted) throw error
      throw new ServiceUnreachable(undefined, { cause: error })
    }
  }

  #headers({ body, headers: own }: Call): Headers {
    const headers = new Headers({ ...this.#options.headers?.(), ...own })
    if (body !== undefined && !(body instanceof FormData)) {
      headers.set('Content-Type', 'application/json')
    }
    const { key } = this.#options
    const given = typeof key === 'function' ? key() : key
    if (given) headers.set('Authorization', `Bearer ${given}`)
    return headers
  }
}

export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const timer = setTimeout(resolve, milliseconds)
    signal?.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true })
  })
}

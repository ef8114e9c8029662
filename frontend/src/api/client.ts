// The only module that sends requests to the backend. Uploads and queries can be aborted.
import type { components } from './schema'
import { createEventParser, type ServerEvent } from '../lib/sse'

type Schemas = components['schemas']
export type Health = Schemas['Health']
export type Modes = Schemas['Modes']
/** Tasks the engine supports; undefined until /health answers, and then every task is offered. */
export type SupportedTasks = Health['engine']['tasks'] | undefined
export type OcrResponse = Schemas['OcrAnswer']
export type Job = Schemas['JobAnswer']
export type JobPage = Schemas['JobPageAnswer']
export type JobList = Schemas['JobList']
export type FormatAvailability = Schemas['FormatAvailability']
export type OcrOptions = { mode: string; prompt: string; pages?: string; password?: string }

/** An error response of the backend. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly retryAfter: number | null = null,
  ) {
    super(message)
  }
}

/** No response: the connection failed, or a proxy found no backend behind it. */
export class ServerUnreachable extends Error {}

const KEY_STORAGE = 'dsocr-key'
const unauthorizedListeners = new Set<() => void>()

/** Stores the API key in this browser; requests send it in a header. */
export function setApiKey(key: string): void {
  localStorage.setItem(KEY_STORAGE, key)
}

export function hasApiKey(): boolean {
  return localStorage.getItem(KEY_STORAGE) !== null
}

export function forgetApiKey(): void {
  localStorage.removeItem(KEY_STORAGE)
}

const BROWSER_STORAGE = 'dsocr-browser'

/** The secret of this browser: without keys, the server lists the jobs of a browser to it alone. */
function browserSecret(): string {
  const stored = localStorage.getItem(BROWSER_STORAGE)
  if (stored !== null) return stored
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  const secret = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  localStorage.setItem(BROWSER_STORAGE, secret)
  return secret
}

/** Calls `listener` for every 401 response; returns a function that unsubscribes it. */
export function onUnauthorized(listener: () => void): () => void {
  unauthorizedListeners.add(listener)
  return () => unauthorizedListeners.delete(listener)
}

export const health = (signal: AbortSignal) => json<Health>('health', { signal })
export const modes = (signal: AbortSignal) => json<Modes>('api/modes', { signal })

/** A page of the job list, or null when jobs are disabled on the backend. */
export async function listJobs(
  query: { search: string; limit: number; offset: number },
  signal: AbortSignal,
): Promise<JobList | null> {
  const params = new URLSearchParams({
    search: query.search,
    limit: String(query.limit),
    offset: String(query.offset),
  })
  try {
    return await json<JobList>(`api/jobs?${params}`, { signal })
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null
    throw error
  }
}

export const job = (id: string, signal: AbortSignal) => json<Job>(`api/jobs/${id}`, { signal })
export const jobPage = (id: string, index: number, signal: AbortSignal) =>
  json<JobPage>(`api/jobs/${id}/pages/${index}`, { signal })
export const cancelJob = (id: string) => json<Job>(`api/jobs/${id}/cancel`, { method: 'POST' })
/** `keepalive`: the request is completed also when the page is closed meanwhile. */
export const deleteJob = async (id: string, keepalive = false) => {
  await request(`api/jobs/${id}`, { method: 'DELETE', keepalive })
}
export const retryPage = (id: string, index: number, options: Schemas['PageRetry']) =>
  json<Job>(`api/jobs/${id}/pages/${index}/retry`, jsonBody('POST', options))
export const correctPage = (
  id: string,
  index: number,
  blocks: { id: number; text: string | null }[],
) => json<JobPage>(`api/jobs/${id}/pages/${index}`, jsonBody('PATCH', { blocks }))

/** The pages of a job with a text, and in how many of their blocks. */
export const searchJob = async (id: string, text: string, signal: AbortSignal) => {
  const params = new URLSearchParams({ q: text })
  return (await json<Schemas['FoundPages']>(`api/jobs/${id}/search?${params}`, { signal })).pages
}
export const resumeJob = (id: string) => json<Job>(`api/jobs/${id}/resume`, { method: 'POST' })
export const pageVersions = (id: string, index: number, signal: AbortSignal) =>
  json<Schemas['PageVersions']>(`api/jobs/${id}/pages/${index}/versions`, { signal })
export const takeVersion = (id: string, index: number, version: number) =>
  json<JobPage>(`api/jobs/${id}/pages/${index}/versions/${version}/take`, { method: 'POST' })

/** `width`: the most pixels in a row; without it the image is as the engine gets it. */
export async function pageImage(
  id: string,
  index: number,
  signal: AbortSignal,
  width?: number,
): Promise<Blob> {
  const query = width === undefined ? '' : `?width=${width}`
  return (await request(`api/jobs/${id}/pages/${index}/image${query}`, { signal })).blob()
}

export async function exportJob(id: string, format: string, signal?: AbortSignal): Promise<Blob> {
  const params = new URLSearchParams({ format })
  return (await request(`api/jobs/${id}/export?${params}`, { signal })).blob()
}

/** The formats, each with what it needs and the job lacks. */
export async function jobFormats(id: string, signal: AbortSignal): Promise<FormatAvailability[]> {
  return (await json<Schemas['AvailableFormats']>(`api/jobs/${id}/formats`, { signal })).formats
}

/** One zip file with an export of each job. */
export async function exportJobs(jobIds: string[], format: string): Promise<Blob> {
  return (await request('api/jobs/export', jsonBody('POST', { jobIds, format }))).blob()
}

/** Exports a result that only this page has; `file` provides figures and page images. */
export async function exportResult(
  result: OcrResponse,
  format: string,
  file: File,
  signal?: AbortSignal,
): Promise<Blob> {
  const body = new FormData()
  body.set('format', format)
  body.set('result', new Blob([JSON.stringify(result)], { type: 'application/json' }))
  body.set('file', file)
  return (await request('api/export', { method: 'POST', body, signal })).blob()
}

type Upload = {
  signal: AbortSignal
  onProgress: (fraction: number) => void
}

/** Recognizes one document and passes on each event; resolves after the last one. */
export async function recognize(
  file: File,
  options: OcrOptions,
  { signal, onProgress, onEvent }: Upload & { onEvent: (event: ServerEvent) => void },
): Promise<void> {
  const parser = createEventParser()
  const onText = (text: string) => parser.feed(text).forEach(onEvent)
  await upload('api/ocr', form('image', [file], options), {
    signal,
    onProgress,
    onText,
    accept: 'text/event-stream',
  })
}

export async function submitJob(
  files: File[],
  options: OcrOptions,
  progress: Upload,
): Promise<Job> {
  const text = await upload('api/jobs', form('file', files, options), progress)
  return JSON.parse(text) as Job
}

const WATCH_MILLISECONDS = 3000 // between two looks for changes of a finished job

/** Follows a job's events after event `after`, also for corrections after its end; reconnects after
 * the last event received. */
export async function followJob(
  id: string,
  onEvent: (event: ServerEvent) => void,
  signal: AbortSignal,
  after = '',
): Promise<void> {
  let lastEventId = after
  while (!signal.aborted) {
    let finished = false
    try {
      const headers: Record<string, string> = { Accept: 'text/event-stream' }
      if (lastEventId !== '') headers['Last-Event-ID'] = lastEventId
      const response = await request(`api/jobs/${id}/events?live=true`, { signal, headers })
      finished = response.status === 204
      for await (const event of eventsOf(response)) {
        lastEventId = event.id
        finished ||= event.event === 'done'
        onEvent(event)
      }
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof ApiError && error.status < 500 && error.status !== 429) throw error
    }
    await pause(finished ? WATCH_MILLISECONDS : 1500, signal)
  }
}

async function* eventsOf(response: Response): AsyncGenerator<ServerEvent> {
  if (response.body === null) return
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  const parser = createEventParser()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    yield* parser.feed(value)
  }
}

async function json<T>(path: string, init: RequestInit): Promise<T> {
  return (await (await request(path, init)).json()) as T
}

function jsonBody(method: string, value: unknown): RequestInit {
  return { method, body: JSON.stringify(value), headers: { 'Content-Type': 'application/json' } }
}

async function request(path: string, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers)
  const key = localStorage.getItem(KEY_STORAGE)
  if (key !== null) headers.set('Authorization', `Bearer ${key}`)
  headers.set('X-Dsocr-Browser', browserSecret())
  let response: Response
  try {
    response = await fetch(urlOf(path), { ...init, headers })
  } catch (error) {
    if (init.signal?.aborted) throw error
    throw new ServerUnreachable()
  }
  if (!response.ok) throw errorOf(response.status, await response.text(), response.headers)
  return response
}

/** Uploads with XMLHttpRequest: fetch reports no upload progress. Returns the response text. */
function upload(
  path: string,
  body: FormData,
  options: Upload & { onText?: (text: string) => void; accept?: string },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    let delivered = 0
    const deliver = () => {
      if (request.status !== 200) return
      const text = request.responseText.slice(delivered)
      delivered += text.length
      if (text !== '') options.onText?.(text)
    }
    const abort = () => request.abort()
    request.open('POST', urlOf(path))
    if (options.accept !== undefined) request.setRequestHeader('Accept', options.accept)
    const key = localStorage.getItem(KEY_STORAGE)
    if (key !== null) request.setRequestHeader('Authorization', `Bearer ${key}`)
    request.setRequestHeader('X-Dsocr-Browser', browserSecret())
    request.upload.onprogress = ({ loaded, total }) => options.onProgress(loaded / total)
    request.onprogress = deliver
    request.onload = () => {
      deliver()
      if (request.status < 300) return resolve(request.responseText)
      const retryAfter = request.getResponseHeader('Retry-After')
      const headers = new Headers(retryAfter === null ? {} : { 'Retry-After': retryAfter })
      reject(errorOf(request.status, request.responseText, headers))
    }
    request.onerror = () => reject(new ServerUnreachable())
    request.onabort = () => reject(new DOMException('aborted', 'AbortError'))
    request.onloadend = () => options.signal.removeEventListener('abort', abort)
    options.signal.addEventListener('abort', abort)
    if (options.signal.aborted) request.abort()
    else request.send(body)
  })
}

function form(field: string, files: File[], options: OcrOptions): FormData {
  const body = new FormData()
  for (const [name, value] of Object.entries(options)) if (value) body.set(name, value)
  for (const file of files) body.append(field, file)
  return body
}

function errorOf(status: number, text: string, headers: Headers): Error {
  if (status === 401) unauthorizedListeners.forEach((listener) => listener())
  const retryAfter = Number(headers.get('Retry-After')) || null
  try {
    const { error } = JSON.parse(text) as Schemas['ErrorAnswer']
    return new ApiError(status, error.code, error.message, retryAfter)
  } catch {
    // Not the backend's error body: a proxy answered instead.
    return status >= 502 ? new ServerUnreachable() : new ApiError(status, 'unknown', `HTTP ${status}`)
  }
}

function urlOf(path: string): URL {
  return new URL(path, document.baseURI)
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds)
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true })
  })
}

// The only place that speaks to the backend. Every request can be aborted.
import type { components } from './schema'
import { createEventParser, type ServerEvent } from '../lib/sse'

type Schemas = components['schemas']
export type Health = Schemas['Health']
export type Modes = Schemas['Modes']
/** What the engine can be asked; nothing while that is not known, and then all may be tried. */
export type Tasks = Health['engine']['tasks'] | undefined
export type Answer = Schemas['OcrAnswer']
export type Job = Schemas['JobAnswer']
export type JobPage = Schemas['JobPageAnswer']
export type JobList = Schemas['JobList']
export type PageNews = Pick<JobPage, 'pageIndex' | 'fileName' | 'finishReason' | 'flags' | 'error'>
export type ReadOptions = { mode: string; prompt: string; pages?: string; password?: string }

/** What the backend answered instead of the thing. */
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

/** Nobody answered. */
export class Unreachable extends Error {}

const KEY = 'dsocr-key'
const lockedListeners = new Set<() => void>()

/** Kept for the tab, sent in a header only. */
export function setKey(key: string): void {
  sessionStorage.setItem(KEY, key)
}

/** Called whenever the backend asks for a key. */
export function onLocked(listener: () => void): () => void {
  lockedListeners.add(listener)
  return () => lockedListeners.delete(listener)
}

export const health = (signal: AbortSignal) => json<Health>('health', { signal })
export const modes = (signal: AbortSignal) => json<Modes>('api/modes', { signal })

/** Jobs, or null where the backend has none. */
export async function listJobs(
  query: { search: string; limit: number; offset: number },
  signal: AbortSignal,
): Promise<JobList | null> {
  const words = new URLSearchParams({
    search: query.search,
    limit: String(query.limit),
    offset: String(query.offset),
  })
  try {
    return await json<JobList>(`api/jobs?${words}`, { signal })
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null
    throw error
  }
}

export const job = (id: string, signal: AbortSignal) => json<Job>(`api/jobs/${id}`, { signal })
export const jobPage = (id: string, index: number, signal: AbortSignal) =>
  json<JobPage>(`api/jobs/${id}/pages/${index}`, { signal })
export const cancelJob = (id: string) => json<Job>(`api/jobs/${id}/cancel`, { method: 'POST' })
export const deleteJob = async (id: string) => {
  await ask(`api/jobs/${id}`, { method: 'DELETE' })
}
export const retryPage = (id: string, index: number, options: Schemas['PageRetry']) =>
  json<Job>(`api/jobs/${id}/pages/${index}/retry`, jsonBody('POST', options))
export const correctPage = (
  id: string,
  index: number,
  blocks: { id: number; text: string | null }[],
) => json<JobPage>(`api/jobs/${id}/pages/${index}`, jsonBody('PATCH', { blocks }))

export async function pageImage(id: string, index: number, signal: AbortSignal): Promise<Blob> {
  return (await ask(`api/jobs/${id}/pages/${index}/image`, { signal })).blob()
}

export async function exportJob(id: string, format: string, signal?: AbortSignal): Promise<Blob> {
  const words = new URLSearchParams({ format })
  return (await ask(`api/jobs/${id}/export?${words}`, { signal })).blob()
}

/** Several jobs as one zip. */
export async function exportJobs(jobIds: string[], format: string): Promise<Blob> {
  return (await ask('api/jobs/export', jsonBody('POST', { jobIds, format }))).blob()
}

/** A result that this page holds, as a file; `file` gives figures and page pictures. */
export async function exportResult(
  result: Answer,
  format: string,
  file: File,
  signal?: AbortSignal,
): Promise<Blob> {
  const body = new FormData()
  body.set('format', format)
  body.set('result', new Blob([JSON.stringify(result)], { type: 'application/json' }))
  body.set('file', file)
  return (await ask('api/export', { method: 'POST', body, signal })).blob()
}

type Upload = {
  signal: AbortSignal
  onProgress: (fraction: number) => void
}

/** Reads one document, telling what happens as it happens; ends after the last event. */
export async function read(
  file: File,
  options: ReadOptions,
  { signal, onProgress, onEvent }: Upload & { onEvent: (event: ServerEvent) => void },
): Promise<void> {
  const parser = createEventParser()
  const onText = (text: string) => parser.feed(text).forEach(onEvent)
  await send('api/ocr', form('image', [file], options), {
    signal,
    onProgress,
    onText,
    accept: 'text/event-stream',
  })
}

export async function submitJob(
  files: File[],
  options: ReadOptions,
  upload: Upload,
): Promise<Job> {
  const text = await send('api/jobs', form('file', files, options), upload)
  return JSON.parse(text) as Job
}

/** Events of a job until it is over; goes on by itself where a broken connection left off. */
export async function followJob(
  id: string,
  onEvent: (event: ServerEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  let last = ''
  let over = false
  while (!over && !signal.aborted) {
    try {
      const headers: Record<string, string> = { Accept: 'text/event-stream' }
      if (last !== '') headers['Last-Event-ID'] = last
      const response = await ask(`api/jobs/${id}/events`, { signal, headers })
      if (response.status === 204) return
      for await (const event of eventsOf(response)) {
        last = event.id
        over ||= event.event === 'done'
        onEvent(event)
      }
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof ApiError && error.status < 500 && error.status !== 429) throw error
    }
    if (!over) await pause(1500, signal)
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
  return (await (await ask(path, init)).json()) as T
}

function jsonBody(method: string, value: unknown): RequestInit {
  return { method, body: JSON.stringify(value), headers: { 'Content-Type': 'application/json' } }
}

async function ask(path: string, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers)
  const key = sessionStorage.getItem(KEY)
  if (key !== null) headers.set('Authorization', `Bearer ${key}`)
  let response: Response
  try {
    response = await fetch(address(path), { ...init, headers })
  } catch (error) {
    if (init.signal?.aborted) throw error
    throw new Unreachable()
  }
  if (!response.ok) throw refusal(response.status, await response.text(), response.headers)
  return response
}

/** By XMLHttpRequest, because fetch does not say how far an upload is. Returns the whole answer. */
function send(
  path: string,
  body: FormData,
  options: Upload & { onText?: (text: string) => void; accept?: string },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    let told = 0
    const tell = () => {
      if (request.status !== 200) return
      const text = request.responseText.slice(told)
      told += text.length
      if (text !== '') options.onText?.(text)
    }
    const abort = () => request.abort()
    request.open('POST', address(path))
    if (options.accept !== undefined) request.setRequestHeader('Accept', options.accept)
    const key = sessionStorage.getItem(KEY)
    if (key !== null) request.setRequestHeader('Authorization', `Bearer ${key}`)
    request.upload.onprogress = ({ loaded, total }) => options.onProgress(loaded / total)
    request.onprogress = tell
    request.onload = () => {
      tell()
      if (request.status < 300) return resolve(request.responseText)
      const retryAfter = request.getResponseHeader('Retry-After')
      const headers = new Headers(retryAfter === null ? {} : { 'Retry-After': retryAfter })
      reject(refusal(request.status, request.responseText, headers))
    }
    request.onerror = () => reject(new Unreachable())
    request.onabort = () => reject(new DOMException('aborted', 'AbortError'))
    request.onloadend = () => options.signal.removeEventListener('abort', abort)
    options.signal.addEventListener('abort', abort)
    if (options.signal.aborted) request.abort()
    else request.send(body)
  })
}

function form(field: string, files: File[], options: ReadOptions): FormData {
  const body = new FormData()
  for (const [name, value] of Object.entries(options)) if (value) body.set(name, value)
  for (const file of files) body.append(field, file)
  return body
}

function refusal(status: number, text: string, headers: Headers): Error {
  if (status === 401) lockedListeners.forEach((listener) => listener())
  const retryAfter = Number(headers.get('Retry-After')) || null
  try {
    const { error } = JSON.parse(text) as Schemas['ErrorAnswer']
    return new ApiError(status, error.code, error.message, retryAfter)
  } catch {
    // Not our backend's words: a proxy that found nobody behind it.
    return status >= 502 ? new Unreachable() : new ApiError(status, 'unknown', `HTTP ${status}`)
  }
}

function address(path: string): URL {
  return new URL(path, document.baseURI)
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds)
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true })
  })
}

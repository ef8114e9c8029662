// The only module that sends requests to the backend. Uploads and queries can be aborted.
import {
  DsocrRoutes,
  ServiceError,
  type components,
  type Document,
  type FormatAvailability,
  type FoundTexts,
  type Health,
  type Job,
  type JobList,
  type JobPage,
  type Modes,
  type ServerEvent,
} from '@dsocr/client'

export { ServiceError as ApiError, ServiceUnreachable as ServerUnreachable } from '@dsocr/client'
export type { FormatAvailability, Health, Job, JobList, JobPage, Modes }
export type OcrResponse = Document
/** Tasks the engine supports; undefined until /health answers, and then every task is offered. */
export type SupportedTasks = Health['engine']['tasks'] | undefined
export type OcrOptions = {
  /** The default one where it is empty. */
  model?: string
  mode: string
  prompt: string
  pages?: string
  password?: string
}

export const serviceUrl = () => new URL('.', document.baseURI).href

const KEY_STORAGE = 'dsocr-key'
const unauthorizedListeners = new Set<() => void>()
const client = new DsocrRoutes({
  url: serviceUrl(),
  key: () => localStorage.getItem(KEY_STORAGE),
  headers: ownHeaders,
  onUnauthorized: () => unauthorizedListeners.forEach((listener) => listener()),
})

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

function ownHeaders(): Record<string, string> {
  return { 'X-Dsocr-Browser': browserSecret() }
}

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

export const health = (signal: AbortSignal) => client.health({ signal })
export const modes = (signal: AbortSignal) => client.modes({ signal })

/** A page of the job list, or null when jobs are disabled on the backend. */
export async function listJobs(
  query: { search: string; limit: number; offset: number },
  signal: AbortSignal,
): Promise<JobList | null> {
  try {
    return await client.jobs(query, { signal })
  } catch (error) {
    if (error instanceof ServiceError && error.status === 404) return null
    throw error
  }
}

export const job = (id: string, signal: AbortSignal) => client.job(id, { signal })
export const jobPage = (id: string, index: number, signal: AbortSignal) =>
  client.page(id, index, { signal })
export const renameJob = (id: string, name: string) => client.renameJob(id, name)
export const cancelJob = (id: string) => client.cancelJob(id)
export const resumeJob = (id: string) => client.resumeJob(id)
export const deleteJob = (id: string) => client.deleteJob(id)

/**
 * Deletes a job while the page is closed or reloaded. The browser drops requests of a closing page that
 * pass a service worker, also with `keepalive`; so the worker sends this one where there is one.
 */
export function deleteJobOnClose(id: string): void {
  const worker = 'serviceWorker' in navigator ? navigator.serviceWorker.controller : null
  if (worker === null) {
    void client.deleteJob(id, { keepalive: true })
    return
  }
  const key = localStorage.getItem(KEY_STORAGE)
  const headers = { ...ownHeaders(), ...(key === null ? {} : { Authorization: `Bearer ${key}` }) }
  worker.postMessage({ toDelete: new URL(`api/jobs/${encodeURIComponent(id)}`, serviceUrl()).href, headers })
}
export const retryPage = (id: string, index: number, options: components['schemas']['PageRetry']) =>
  client.retryPage(id, index, options)
export const correctPage = (
  id: string,
  index: number,
  blocks: { id: number; text: string | null }[],
) => client.correct(id, index, blocks)
/** The pages of a job with a text, and in how many of their blocks. */
export const searchJob = (id: string, text: string, signal: AbortSignal) =>
  client.searchJob(id, text, { signal })
export type FoundText = FoundTexts['found'][number]
/** The pages of all listed jobs that have the words. */
export const searchTexts = (text: string, query: { limit: number; offset: number }, signal: AbortSignal) =>
  client.search(text, query, { signal })
export const pageVersions = (id: string, index: number, signal: AbortSignal) =>
  client.pageVersions(id, index, { signal })
export const takeVersion = (id: string, index: number, version: number) =>
  client.takeVersion(id, index, version)
/** `width`: the most pixels in a row; without it the image is as the engine gets it. `rotation`: degrees
 * clockwise; without it the page is turned as it was read. */
export const pageImage = (id: string, index: number, signal: AbortSignal, width?: number, rotation?: number) =>
  client.pageImage(id, index, { signal, width, rotation })
/** `redact`: patterns of what is taken out. */
export const exportJob = (
  id: string,
  format: string,
  redact: string[] = [],
  signal?: AbortSignal,
) => client.exportJob(id, format, { redact }, { signal })
/** The formats, each with what it needs and the job lacks. */
export const jobFormats = (id: string, signal: AbortSignal) => client.formats(id, { signal })
/** One zip file with an export of each job. */
export const exportJobs = (jobIds: string[], format: string, redact: string[] = []) =>
  client.exportJobs(jobIds, format, { redact })
/** Exports a result that only this page has; `file` provides figures and page images. */
export const exportResult = (
  result: OcrResponse,
  format: string,
  file: File,
  { redact = [], password }: { redact?: string[]; password?: string | undefined } = {},
  signal?: AbortSignal,
) => client.exportDocument(result, format, file, { redact, password }, { signal })

type Upload = {
  signal: AbortSignal
  onProgress: (fraction: number) => void
}

export const submitJob = (files: File[], options: OcrOptions, { signal, onProgress }: Upload) =>
  client.createJob(files, options, { signal, onUploadProgress: onProgress })

const WATCH_MILLISECONDS = 3000 // between two looks for changes of a finished job

/** Follows a job's events after event `after`, also for corrections after its end; reconnects after
 * the last event received. */
export async function followJob(
  id: string,
  onEvent: (event: ServerEvent) => void,
  signal: AbortSignal,
  after = '',
): Promise<void> {
  const live = { signal, after, live: true, watchMilliseconds: WATCH_MILLISECONDS }
  for await (const event of client.jobEventsText(id, live)) onEvent(event)
}

import { ServiceError } from './errors.js'
import { Http, pause, type CallOptions, type ClientOptions, type Retry, type UploadOptions } from './http.js'
import { eventsOf, type ServerEvent } from './sse.js'
import type {
  BlockCorrection,
  Document,
  ExportOptions,
  FormatAvailability,
  FoundPage,
  FoundTexts,
  Health,
  Job,
  JobList,
  JobOptions,
  JobPage,
  Modes,
  PageVersions,
  ReadOptions,
  RetryOptions,
  Source,
} from './types.js'

const RECONNECT_MS = 1500

type FollowOptions = CallOptions & {
  after?: string
  live?: boolean
  watchMilliseconds?: number
}
export type JobQuery = { status?: Job['status']; search?: string; limit?: number; offset?: number }

/** The routes of one service, a method each. Events have their data as text, and failed calls are not
 * sent again.
 *
 * Every method throws `ServiceError` and `ServiceUnreachable`. */
export class DsocrRoutes {
  protected readonly http: Http

  constructor(options: ClientOptions = {}, retry: Retry = () => null) {
    this.http = new Http(options, retry)
  }

  health(call?: CallOptions): Promise<Health> {
    return this.http.json('health', call)
  }

  modes(call?: CallOptions): Promise<Modes> {
    return this.http.json('api/modes', call)
  }

  /** The events of a document while it is read, `error` too. Leaving the loop cancels it. */
  async *streamText(
    source: Source,
    options: ReadOptions = {},
    call?: UploadOptions,
  ): AsyncGenerator<ServerEvent> {
    const body = form('image', [source], options)
    const headers = { Accept: 'text/event-stream' }
    yield* eventsOf(await this.http.send('api/ocr', { ...call, method: 'POST', body, headers }))
  }

  /** Submits all files as one job; the same request with the same key gives the same job. */
  createJob(
    sources: Source[],
    options: JobOptions = {},
    { idempotencyKey = randomKey(), ...call }: UploadOptions & { idempotencyKey?: string } = {},
  ): Promise<Job> {
    const body = form('file', sources, options)
    const headers = { 'Idempotency-Key': idempotencyKey }
    return this.http.json('api/jobs', { ...call, method: 'POST', body, headers, repeatable: true })
  }

  /** The jobs, newest first; `search` is a part of a file name. */
  jobs(query: JobQuery = {}, call?: CallOptions): Promise<JobList> {
    return this.http.json(`api/jobs?${params(query)}`, call)
  }

  job(id: string, call?: CallOptions): Promise<Job> {
    return this.http.json(jobPath(id), call)
  }

  /** The events of a job until it is finished, or the signal is aborted; resumes after a lost
   * connection. With `live` the text of its pages too, while it is written; with `watchMilliseconds`
   * later changes, such as corrections, which are looked for at that interval. */
  async *jobEventsText(
    id: string,
    { after = '', signal, live = false, watchMilliseconds }: FollowOptions = {},
  ): AsyncGenerator<ServerEvent> {
    let lastId = after
    const path = jobPath(id, live ? '/events?live=true' : '/events')
    while (!signal?.aborted) {
      let finished = false
      try {
        const headers: Record<string, string> = { Accept: 'text/event-stream' }
        if (lastId !== '') headers['Last-Event-ID'] = lastId
        const response = await this.http.send(path, { signal, headers })
        finished = response.status === 204
        for await (const event of eventsOf(response)) {
          lastId = event.id
          yield event
          finished ||= event.event === 'done'
          if (finished && watchMilliseconds === undefined) return
        }
      } catch (error) {
        if (signal?.aborted) return
        if (error instanceof ServiceError && error.status < 500 && error.status !== 429) throw error
      }
      if (finished && watchMilliseconds === undefined) return
      await pause((finished && watchMilliseconds) || RECONNECT_MS, signal)
    }
  }

  /** Names a job, which has the name of its first file. */
  renameJob(id: string, name: string, call?: CallOptions): Promise<Job> {
    return this.http.json(jobPath(id), { ...call, method: 'PATCH', body: { name }, repeatable: true })
  }

  /** Stops a job. Pages that were read are kept. */
  cancelJob(id: string, call?: CallOptions): Promise<Job> {
    return this.http.json(jobPath(id, '/cancel'), { ...call, method: 'POST' })
  }

  /** Reads the pages that a cancelled or failed job has left. */
  resumeJob(id: string, call?: CallOptions): Promise<Job> {
    return this.http.json(jobPath(id, '/resume'), { ...call, method: 'POST' })
  }

  /** The pages of a job with a text, and in how many of their blocks. */
  async searchJob(id: string, text: string, call?: CallOptions): Promise<FoundPage[]> {
    const path = jobPath(id, `/search?${params({ q: text })}`)
    return (await this.http.json<{ pages: FoundPage[] }>(path, call)).pages
  }

  /** The pages of all listed jobs that have the words, of the newest job first. */
  search(text: string, query: { limit?: number; offset?: number } = {}, call?: CallOptions): Promise<FoundTexts> {
    return this.http.json(`api/search?${params({ q: text, ...query })}`, call)
  }

  /** Deletes a job with its files and pages. */
  async deleteJob(id: string, call?: CallOptions): Promise<void> {
    await this.http.send(jobPath(id), { ...call, method: 'DELETE' })
  }

  /** `index` counts from 0 over all pages of the job. */
  page(id: string, index: number, call?: CallOptions): Promise<JobPage> {
    return this.http.json(jobPath(id, `/pages/${index}`), call)
  }

  /** The page as JPEG, also before it was read; `width`: the most pixels in a row. */
  pageImage(
    id: string,
    index: number,
    options: CallOptions & { width?: number | undefined; rotation?: number | undefined } = {},
  ): Promise<Blob> {
    const { width, rotation, ...call } = options
    const query = params({ width, rotation })
    return this.http.blob(jobPath(id, `/pages/${index}/image${query.size > 0 ? `?${query}` : ''}`), call)
  }

  /** What readings and corrections of a page have replaced. */
  pageVersions(id: string, index: number, call?: CallOptions): Promise<PageVersions> {
    return this.http.json(jobPath(id, `/pages/${index}/versions`), call)
  }

  /** Takes a version back; what it replaces becomes one. */
  takeVersion(id: string, index: number, version: number, call?: CallOptions): Promise<JobPage> {
    const path = jobPath(id, `/pages/${index}/versions/${version}/take`)
    return this.http.json(path, { ...call, method: 'POST' })
  }

  /** Stores a person's text or label of blocks beside the engine's; exports use them. */
  correct(
    id: string,
    index: number,
    blocks: BlockCorrection[],
    call?: CallOptions,
  ): Promise<JobPage> {
    const path = jobPath(id, `/pages/${index}`)
    return this.http.json(path, { ...call, method: 'PATCH', body: { blocks }, repeatable: true })
  }

  /** Reads a page again, with other options. */
  retryPage(id: string, index: number, options: RetryOptions = {}, call?: CallOptions): Promise<Job> {
    const path = jobPath(id, `/pages/${index}/retry`)
    return this.http.json(path, { ...call, method: 'POST', body: options })
  }

  /** The formats, each with what it needs and the job lacks. */
  async formats(id: string, call?: CallOptions): Promise<FormatAvailability[]> {
    const path = jobPath(id, '/formats')
    return (await this.http.json<{ formats: FormatAvailability[] }>(path, call)).formats
  }

  /** The job as a file, also before it is finished. */
  exportJob(
    id: string,
    format = 'markdown',
    options: ExportOptions = {},
    call?: CallOptions,
  ): Promise<File> {
    return this.http.file(...exportCall(id, format, options, call))
  }

  /** A zip with a file for each job. */
  exportJobs(
    jobIds: string[],
    format = 'markdown',
    options: ExportOptions = {},
    call?: CallOptions,
  ): Promise<File> {
    const body = { jobIds, format, ...options }
    return this.http.file('api/jobs/export', { ...call, method: 'POST', body, repeatable: true })
  }

  /** What `read` returned as a file. Formats with figures or page images need the source, and its
   * password if it has one. */
  exportDocument(
    document: Document,
    format: string,
    source?: Source,
    { redact, ...options }: ExportOptions & { password?: string | undefined } = {},
    call?: CallOptions,
  ): Promise<File> {
    const sources = source === undefined ? [] : [source]
    const body = form('file', sources, { ...options, format, redact: redact?.join('\n') })
    body.set('result', new Blob([JSON.stringify(document)], { type: 'application/json' }))
    return this.http.file('api/export', { ...call, method: 'POST', body, repeatable: true })
  }
}

function form(field: string, sources: Source[], options: object): FormData {
  const body = new FormData()
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && value !== null && value !== '') body.set(name, String(value))
  }
  const urls = sources.filter((source) => !(source instanceof Blob)).map(String)
  if (urls.length > 0) body.set('url', urls.join('\n'))
  for (const source of sources) if (source instanceof Blob) body.append(field, source)
  return body
}

function params(query: object): URLSearchParams {
  const found = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === null) continue
    for (const one of Array.isArray(value) ? value : [value]) found.append(name, String(one))
  }
  return found
}

const jobPath = (id: string, below = '') => `api/jobs/${encodeURIComponent(id)}${below}`
/** The options are in the body: a query may be logged, and what is to be redacted should not. */
export const exportCall = (
  id: string,
  format: string,
  options: ExportOptions,
  call?: CallOptions,
) => {
  const body = { format, ...options }
  const rest = { ...call, method: 'POST' as const, body, repeatable: true }
  return [jobPath(id, '/export'), rest] as const
}

/** `crypto.randomUUID` is missing on pages without https. */
function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

import { errorOfEvent, ServiceUnreachable } from './errors.js'
import type { CallOptions, ClientOptions, UploadOptions } from './http.js'
import { upTo } from './retries.js'
import { DsocrRoutes, exportCall } from './routes.js'
import type { ServerEvent } from './sse.js'
import type { Document, ExportOptions, Job, JobEvent, ReadEvent, ReadOptions, Source } from './types.js'

const READ_EVENTS = new Set(['page', 'delta', 'block', 'page_reset', 'page_done', 'done'])
const JOB_EVENTS = new Set(['page_done', 'job', 'done'])

/** One service: its routes, with typed events and the calls that wait for the last of them. */
export class DsocrClient extends DsocrRoutes {
  /** `retries`: how often a call that had no effect is sent again. */
  constructor({ retries = 2, ...options }: ClientOptions & { retries?: number } = {}) {
    super(options, upTo(retries))
  }

  /** Reads one document while the caller waits. */
  async read(source: Source, options: ReadOptions = {}, call?: UploadOptions): Promise<Document> {
    for await (const { event, data } of this.stream(source, options, call)) {
      if (event === 'done') return data
    }
    throw new ServiceUnreachable('The connection was closed before the document was read.')
  }

  /** The events of a document while it is read. Leaving the loop cancels the document. */
  async *stream(
    source: Source,
    options: ReadOptions = {},
    call?: UploadOptions,
  ): AsyncGenerator<ReadEvent> {
    for await (const event of this.streamText(source, options, call)) {
      if (event.event === 'error') throw errorOfEvent(event.data)
      if (READ_EVENTS.has(event.event)) yield parsed<ReadEvent>(event)
    }
  }

  /** The events of a job until it is finished; resumes after a lost connection. */
  async *jobEvents(id: string, call?: CallOptions & { after?: string }): AsyncGenerator<JobEvent> {
    for await (const event of this.jobEventsText(id, call)) {
      if (JOB_EVENTS.has(event.event)) yield parsed<JobEvent>(event)
    }
  }

  /** The job when it is finished. */
  async wait(id: string, call?: CallOptions): Promise<Job> {
    for await (const { event, data } of this.jobEvents(id, call)) if (event === 'done') return data
    call?.signal?.throwIfAborted()
    return this.job(id, call)
  }

  /** As `exportJob`, while it is received. */
  async exportStream(
    id: string,
    format = 'markdown',
    options: ExportOptions = {},
    call?: CallOptions,
  ): Promise<ReadableStream<Uint8Array>> {
    const { body } = await this.http.send(...exportCall(id, format, options, call))
    return body ?? new Blob().stream()
  }
}

function parsed<Event extends { id: string; event: string; data: unknown }>(event: ServerEvent): Event {
  return { ...event, data: JSON.parse(event.data) } as Event
}

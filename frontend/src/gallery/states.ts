// The states of the page: what the service answers, and the screen that is opened.
import type { Job, JobPage } from '../api/client'
import { BLOCKS, HEALTH, jobOf, MODES, pageOf } from './samples'

export type State = {
  hash: string
  /** null: the service does not respond. */
  health?: object | null
  jobs?: Job[]
  page?: JobPage
  /** Events of the job, by name; the stream stays open. */
  events?: [name: string, data: object][]
  unauthorized?: true
}

const job = '#/jobs/harbour'
const done = (page: JobPage): [string, object][] => [['page_done', page]]
const failure = { code: 'engine_crash', message: 'The engine crashed.', retryable: true }
const failedPage = pageOf({ error: failure, finishReason: 'error', text: '', layout: { width: 0, height: 0, items: [] } })
const started: [string, object] = ['page', { pageIndex: 0, width: 800, height: 1000, pagesTotal: 3 }]
const running = { status: 'running', pagesTotal: 3, pagesDone: 0, finishedAt: null, etaSeconds: 12 } as const
const doubtful = pageOf({ flags: ['low_confidence', 'hidden_text'] })

export const STATES: Record<string, State> = {
  empty: { hash: '#/' },
  starting: { hash: '#/', health: { ...HEALTH, engine: { ...HEALTH.engine, state: 'starting' } } },
  recent: { hash: '#/', jobs: ['harbour', 'ledger', 'letter'].map((id) => jobOf(id)), page: pageOf() },
  offline: { hash: '#/', health: null },
  key: { hash: '#/', unauthorized: true },
  queued: { hash: job, jobs: [jobOf('harbour', { ...running, status: 'queued', startedAt: null, queuePosition: 2 })] },
  reading: {
    hash: job,
    jobs: [jobOf('harbour', running)],
    events: [
      started,
      ...BLOCKS.slice(0, 2).map((block): [string, object] => ['block', { pageIndex: 0, block }]),
      ['delta', { pageIndex: 0, text: 'Ships from eleven coun' }],
    ],
  },
  done: { hash: job, jobs: [jobOf('harbour')], page: pageOf(), events: done(pageOf()) },
  doubtful: { hash: job, jobs: [jobOf('harbour')], page: doubtful, events: done(doubtful) },
  failed: {
    hash: job,
    jobs: [jobOf('harbour', { status: 'failed', pagesFailed: 1, error: failure })],
    page: failedPage,
    events: done(failedPage),
  },
  cancelled: { hash: job, jobs: [jobOf('harbour', { status: 'cancelled', pagesTotal: 3, pagesDone: 0 })] },
  gone: { hash: '#/jobs/gone' },
  history: {
    hash: '#/jobs',
    jobs: [
      jobOf('ledger', { ...running, pagesDone: 1 }),
      jobOf('harbour', { pagesTotal: 12, pagesDone: 12, pagesFailed: 2 }),
      jobOf('broken', { status: 'failed', error: failure }),
    ],
    page: pageOf(),
  },
  'empty-history': { hash: '#/jobs' },
}

export { HEALTH, MODES }

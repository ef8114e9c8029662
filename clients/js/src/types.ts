// The shapes of the HTTP API, by the names that this package gives them.
import type { components, paths } from './schema.js'

type Schemas = components['schemas']
export type { components, paths }
export type Health = Schemas['Health']
export type Modes = Schemas['Modes']
export type Document = Schemas['OcrAnswer']
export type Page = Schemas['PageAnswer']
export type LayoutItem = Schemas['LayoutItem']
export type Job = Schemas['JobAnswer']
export type JobList = Schemas['JobList']
export type JobPage = Schemas['JobPageAnswer']
export type FormatAvailability = Schemas['FormatAvailability']
export type FoundPage = Schemas['FoundPage']
export type FoundTexts = Schemas['FoundTexts']
export type PageVersions = Schemas['PageVersions']
export type RetryOptions = Partial<Schemas['PageRetry']>
export type BlockCorrection = Schemas['BlockCorrection']
export type ErrorAnswer = Schemas['ErrorAnswer']

type Form<Path extends '/api/ocr' | '/api/jobs'> =
  paths[Path]['post']['requestBody']['content']['multipart/form-data']
/** The fields of the form of `/api/ocr` beside its file. */
export type ReadOptions = Partial<Omit<Form<'/api/ocr'>, 'image' | 'file' | 'url'>>
/** The fields of the form of `/api/jobs` beside its files. */
export type JobOptions = Partial<Omit<Form<'/api/jobs'>, 'file' | 'url'>>
/** Options of an export: docs/exports.md describes them. */
export type ExportOptions = Omit<
  NonNullable<paths['/api/jobs/{job_id}/export']['get']['parameters']['query']>,
  'format'
>

/** A file, or a URL that the service fetches, if it is allowed to; data URLs always are. */
export type Source = Blob | string | URL

/** A page of a job without its text. */
export type PageSummary = Pick<
  JobPage,
  | 'pageIndex'
  | 'fileName'
  | 'fileIndex'
  | 'filePageIndex'
  | 'durationMs'
  | 'finishReason'
  | 'flags'
  | 'reviewShare'
  | 'error'
>

type Event<Name extends string, Data> = { id: string; event: Name; data: Data }

/** An event of a document that is read; `done` is the last. */
export type ReadEvent =
  | Event<'page', { pageIndex: number; width: number; height: number; pagesTotal: number }>
  | Event<'delta', { pageIndex: number; text: string }>
  | Event<'block', { pageIndex: number; block: LayoutItem }>
  | Event<'page_reset', { pageIndex: number; reason: string }>
  | Event<'page_done', Page>
  | Event<'done', Document>

/** An event of a job; `done` is the last. */
export type JobEvent =
  | Event<'page_done', PageSummary>
  | Event<'job', Job>
  | Event<'done', Job>

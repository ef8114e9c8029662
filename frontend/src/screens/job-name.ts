import type { Job } from '../api/client'
import type { Words } from '../i18n/translation'

/** What people call a job: its file, or the first of them. */
export function nameOf(job: Job, words: Words): string {
  return nameOfFiles(job.files.map(({ fileName }) => fileName), words) || job.jobId
}

export function nameOfFiles([first = '', ...others]: string[], words: Words): string {
  return others.length > 0 ? words.history.files(first, others.length) : first
}

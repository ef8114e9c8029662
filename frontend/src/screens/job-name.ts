import type { Job } from '../api/client'
import type { Words } from '../i18n/words'

/** What people call a job: its file, or the first of them. */
export function nameOf(job: Job, words: Words): string {
  const first = job.files[0]?.fileName ?? job.jobId
  return job.files.length > 1 ? words.history.files(first, job.files.length - 1) : first
}

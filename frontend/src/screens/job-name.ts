import type { Job } from '../api/client'
import type { Texts } from '../i18n/translation'

/** The display name of a job: its first file, and how many more there are. */
export function jobName(job: Job, t: Texts): string {
  return filesName(job.files.map(({ fileName }) => fileName), t) || job.jobId
}

export function filesName([first = '', ...others]: string[], t: Texts): string {
  return others.length > 0 ? t.history.files(first, others.length) : first
}

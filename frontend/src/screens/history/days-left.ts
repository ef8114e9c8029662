import type { Job } from '../../api/client'

const DAY_MILLISECONDS = 86_400_000

/** The days until the server deletes a job, rounded up, at least 1; null for one that is not finished. */
export function daysLeft(
  { finishedAt }: Pick<Job, 'finishedAt'>,
  retentionDays: number | undefined,
  now = Date.now(),
): number | null {
  if (finishedAt === null || retentionDays === undefined) return null
  return Math.max(1, Math.ceil((Date.parse(finishedAt) - now) / DAY_MILLISECONDS + retentionDays))
}

import { Button, Group, Progress, Text } from '@mantine/core'
import { useEffect, useState } from 'react'
import type { Job } from '../../api/client'
import { useTranslation, type Texts } from '../../i18n/translation'
import { duration, number } from '../../lib/format'
import { messageOf } from '../error-notifications'
import { isActive } from './use-job'

/** A job's progress, speed and time left; after its end, the duration or the error. */
export function JobStatus(props: {
  job: Job
  /** Undefined where the job cannot be changed. */
  onCancel: (() => void) | undefined
  onResume: (() => void) | undefined
}) {
  const { job } = props
  const { t, language } = useTranslation()
  const seconds = useElapsedSeconds(job.startedAt, job.finishedAt)
  const share = job.pagesTotal > 0 ? (100 * job.pagesDone) / job.pagesTotal : 0
  return (
    <Group gap="sm" wrap="nowrap" maw={620} data-long={job.status === 'succeeded' ? undefined : true}>
      <Text size="xs" c="dimmed" role="status" style={{ fontVariantNumeric: 'tabular-nums' }}>
        {statusParts(job, seconds, t, language).join(' · ')}
      </Text>
      {isActive(job) && (
        <>
          <Progress
            aria-label={t.status.progress(job.pagesDone, job.pagesTotal)}
            value={Math.max(3, share)}
            animated
            style={{ flex: 1, maxWidth: '10rem' }}
            miw={60}
          />
          {props.onCancel && (
            <Button size="compact-xs" variant="default" flex="none" onClick={props.onCancel}>
              {t.cancel}
            </Button>
          )}
        </>
      )}
      {!isActive(job) && job.pagesDone < job.pagesTotal && props.onResume && (
        <Button size="compact-xs" variant="default" flex="none" onClick={props.onResume}>
          {t.status.resume}
        </Button>
      )}
    </Group>
  )
}

function statusParts(job: Job, seconds: number, t: Texts, language: string): string[] {
  const parts: string[] = []
  if (job.status === 'queued') {
    parts.push(job.queuePosition === null ? t.status.queued : t.status.queuedAt(job.queuePosition))
  } else if (job.status === 'running') {
    const left = job.pagesTotal - job.pagesDone
    parts.push(left > 0 ? t.status.progress(job.pagesDone, job.pagesTotal) : t.status.readingAgain)
    if (left > 0 && job.etaSeconds) {
      parts.push(t.status.pagesPerSecond(number(left / job.etaSeconds, language, 2)))
    }
    if (job.etaSeconds !== null) parts.push(t.status.timeLeft(duration(job.etaSeconds, language)))
  } else if (job.status === 'cancelled') parts.push(t.status.cancelled)
  else if (job.error !== null) parts.push(messageOf(job.error, t))
  else parts.push(t.status.finishedIn(duration(seconds, language)))
  if (job.pagesFailed > 0) parts.push(t.status.failedPages(job.pagesFailed))
  return parts
}

function useElapsedSeconds(start: string | null, end: string | null): number {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    if (start === null || end !== null) return
    const timer = setInterval(() => setNow(Date.now()), 1000)
    return () => clearInterval(timer)
  }, [start, end])
  if (start === null) return 0
  return Math.max(0, ((end === null ? now : Date.parse(end)) - Date.parse(start)) / 1000)
}

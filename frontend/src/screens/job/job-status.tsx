import { Button, Group, Progress, Text } from '@mantine/core'
import { useState, useEffect } from 'react'
import type { Job } from '../../api/client'
import { useWords } from '../../i18n/translation'
import { duration, number } from '../../lib/format'
import { isRunning } from './use-job'

/** How far a job is, how fast it goes, and how it ended. */
export function JobStatus({ job, onCancel }: { job: Job; onCancel: () => void }) {
  const { words, language } = useWords()
  const running = isRunning(job)
  const seconds = useSecondsSince(job.startedAt, job.finishedAt)
  const read = words.read
  const said: string[] = []
  if (job.status === 'queued') {
    said.push(job.queuePosition === null ? read.queuedNext : read.queued(job.queuePosition))
  } else if (job.status === 'running') {
    said.push(read.progress(job.pagesDone, job.pagesTotal))
    if (job.pagesDone > 0 && seconds > 0) {
      said.push(read.pace(number(job.pagesDone / seconds, language, 2)))
    }
    if (job.etaSeconds !== null) said.push(read.left(duration(job.etaSeconds, language)))
  } else if (job.status === 'cancelled') said.push(read.cancelled)
  else if (job.error !== null) said.push(job.error.message)
  else said.push(read.took(duration(seconds, language)))
  if (job.pagesFailed > 0) said.push(read.failedPages(job.pagesFailed))
  const share = job.pagesTotal > 0 ? (100 * job.pagesDone) / job.pagesTotal : 0
  return (
    <Group gap="sm" wrap="nowrap" maw={620}>
      <Text size="xs" c="dimmed" role="status" style={{ fontVariantNumeric: 'tabular-nums' }}>
        {said.join(' · ')}
      </Text>
      {running && (
        <>
          <Progress
            aria-label={read.progress(job.pagesDone, job.pagesTotal)}
            value={Math.max(3, share)}
            animated
            style={{ flex: 1 }}
            miw={60}
          />
          <Button size="compact-xs" variant="default" onClick={onCancel}>
            {words.cancel}
          </Button>
        </>
      )}
    </Group>
  )
}

function useSecondsSince(start: string | null, end: string | null): number {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    if (start === null || end !== null) return
    const timer = setInterval(() => setNow(Date.now()), 1000)
    return () => clearInterval(timer)
  }, [start, end])
  if (start === null) return 0
  return Math.max(0, ((end === null ? now : Date.parse(end)) - Date.parse(start)) / 1000)
}

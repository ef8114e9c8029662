import { Anchor, Text, Title } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import * as api from '../../api/client'
import { useTranslation } from '../../i18n/translation'
import { shortMoment } from '../../lib/format'
import { formatRoute } from '../../lib/route'
import { jobName } from '../job-name'
import { JobThumbnail } from '../job-thumbnail'
import styles from './upload.module.css'

const SHOWN = 6

/** The newest documents, with a picture of their first page; nothing while there are none. */
export function RecentJobs() {
  const { t } = useTranslation()
  const { data: list } = useQuery({
    queryKey: ['jobs', 'recent'],
    queryFn: ({ signal }) => api.listJobs({ search: '', limit: SHOWN, offset: 0 }, signal),
  })
  if (list === undefined || list === null || list.jobs.length === 0) return null
  return (
    <section aria-label={t.start.recent} className={styles.recent}>
      <header>
        <Title order={2} size="h6">{t.start.recent}</Title>
        <Anchor size="sm" href={formatRoute({ screen: 'history' })}>{t.start.all}</Anchor>
      </header>
      <ul className={styles.cards}>
        {list.jobs.map((job) => (
          <RecentJob key={job.jobId} job={job} />
        ))}
      </ul>
    </section>
  )
}

function RecentJob({ job }: { job: api.Job }) {
  const { t, language } = useTranslation()
  const isDone = job.finishedAt !== null
  return (
    <li className={styles.card}>
      <JobThumbnail jobId={job.jobId} className={styles.thumbnail} />
      <a href={formatRoute({ screen: 'job', jobId: job.jobId, page: 0, tab: 'rendered' })}>{jobName(job, t)}</a>
      <Text size="xs" c="dimmed" truncate>
        {isDone ? shortMoment(job.createdAt, language) : t.status.progress(job.pagesDone, job.pagesTotal)}
      </Text>
    </li>
  )
}

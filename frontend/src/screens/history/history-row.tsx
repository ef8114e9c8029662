import { Badge, Checkbox, Paper, Progress, Text } from '@mantine/core'
import { IconPencil, IconTrash } from '@tabler/icons-react'
import { useRef, useState } from 'react'
import type { Job } from '../../api/client'
import { useTranslation } from '../../i18n/translation'
import { moment } from '../../lib/format'
import { formatRoute } from '../../lib/route'
import { IconButton } from '../../ui/icon-button'
import { isActive } from '../job/use-job'
import { jobName } from '../job-name'
import { JobThumbnail } from '../job-thumbnail'
import { daysLeft } from './days-left'
import styles from './history.module.css'
import { NameField } from './name-field'

const COLORS = { queued: 'gray', running: 'blue', succeeded: 'teal', failed: 'red', cancelled: 'gray' }

/** One job of the history: its name, progress and status, to open, select, rename or delete. */
export function HistoryRow(props: {
  job: Job
  /** How long the server keeps finished jobs; undefined where that is not known yet. */
  retentionDays: number | undefined
  selected: boolean
  onSelect: (selected: boolean) => void
  onRename: (name: string) => void
  onDelete: () => void
}) {
  const { job } = props
  const [renaming, setRenaming] = useState(false)
  const renameButton = useRef<HTMLButtonElement>(null)
  const { t, language } = useTranslation()
  const name = jobName(job, t)
  const progress = t.status.progress(job.pagesDone, job.pagesTotal)
  const days = daysLeft(job, props.retentionDays)
  return (
    <Paper withBorder p="sm" role="listitem" className={styles.row}>
      <Checkbox
        aria-label={t.history.select(name)}
        checked={props.selected}
        onChange={(event) => props.onSelect(event.currentTarget.checked)}
      />
      <JobThumbnail jobId={job.jobId} className={styles.thumbnail} />
      <div className={styles.document}>
        {renaming ? (
          <NameField
            name={job.files[0]?.fileName ?? name}
            onRename={props.onRename}
            onClose={(byKey) => {
              setRenaming(false)
              if (byKey) renameButton.current?.focus()
            }}
          />
        ) : (
          <a
            className={styles.link}
            href={formatRoute({ screen: 'job', jobId: job.jobId, page: 0, tab: 'rendered' })}
          >
            {name}
          </a>
        )}
        <Text size="xs" c="dimmed">
          {moment(job.createdAt, language)} · {progress}
          {job.pagesFailed > 0 && (
            <>
              {' · '}
              <span className={styles.failed}>{t.status.failedPages(job.pagesFailed)}</span>
            </>
          )}
          {days !== null && ` · ${t.history.daysLeft(days)}`}
        </Text>
        {isActive(job) && (
          <Progress
            mt={6}
            size="sm"
            animated
            aria-label={progress}
            value={Math.max(3, (100 * job.pagesDone) / Math.max(1, job.pagesTotal))}
          />
        )}
      </div>
      <Badge
        variant="light"
        className={styles.badge}
        data-usual={(job.status === 'succeeded' && job.pagesFailed === 0) || undefined}
        color={job.status === 'succeeded' && job.pagesFailed > 0 ? 'orange' : COLORS[job.status]}
        tt="none"
        c="var(--mantine-color-text)"
      >
        {t.history.status[job.status] ?? job.status}
      </Badge>
      <IconButton ref={renameButton} label={t.history.rename(name)} onClick={() => setRenaming(true)}>
        <IconPencil size={18} />
      </IconButton>
      <IconButton label={t.history.delete(name)} onClick={props.onDelete}>
        <IconTrash size={18} />
      </IconButton>
    </Paper>
  )
}

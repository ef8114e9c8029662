import { Button } from '@mantine/core'
import { IconEyeOff } from '@tabler/icons-react'
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { deleteJob, deleteJobOnClose } from '../../api/client'
import { useTranslation } from '../../i18n/translation'
import { refreshJobs } from '../refresh'
import styles from './status-button.module.css'

type NotKept = { notKept: boolean; setNotKept: (notKept: boolean) => void }

/** Whether a document is deleted from the server when the user leaves it. */
export function useNotKept(jobId: string): NotKept {
  const cache = useQueryClient()
  const [notKept, setNotKept] = useState(false)
  const latest = useRef(notKept)
  latest.current = notKept
  useEffect(() => {
    const close = () => {
      if (latest.current) deleteJobOnClose(jobId)
    }
    window.addEventListener('pagehide', close)
    return () => {
      window.removeEventListener('pagehide', close)
      if (latest.current) void deleteJob(jobId).then(() => refreshJobs(cache))
    }
  }, [cache, jobId])
  return { notKept, setNotKept }
}

export function NotKeptButton({ notKept, setNotKept }: NotKept) {
  const { t } = useTranslation()
  return (
    <Button
      size="compact-xs"
      className={styles.button}
      variant={notKept ? 'filled' : 'subtle'}
      color="gray"
      c={notKept ? undefined : 'var(--mantine-color-dimmed)'}
      leftSection={<IconEyeOff size={14} />}
      title={t.status.notKeptHint}
      aria-pressed={notKept}
      onClick={() => setNotKept(!notKept)}
    >
      {t.status.doNotKeep}
    </Button>
  )
}

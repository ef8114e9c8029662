import { Button } from '@mantine/core'
import { IconEyeOff } from '@tabler/icons-react'
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { deleteJob } from '../../api/client'
import { useTranslation } from '../../i18n/translation'
import { refreshJobs } from '../refresh'
import styles from './not-kept.module.css'

type NotKept = { notKept: boolean; setNotKept: (notKept: boolean) => void }

/** Whether a document is deleted from the server when the user leaves it. */
export function useNotKept(jobId: string): NotKept {
  const cache = useQueryClient()
  const [notKept, setNotKept] = useState(false)
  const latest = useRef(notKept)
  latest.current = notKept
  useEffect(() => {
    const leave = () => {
      if (latest.current) void deleteJob(jobId, true).then(() => refreshJobs(cache))
    }
    window.addEventListener('pagehide', leave)
    return () => {
      window.removeEventListener('pagehide', leave)
      leave()
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

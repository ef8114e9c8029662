import { Skeleton } from '@mantine/core'
import { useInViewport } from '@mantine/hooks'
import { IconFileText } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import * as api from '../api/client'
import styles from './job-thumbnail.module.css'

const WIDTH = 240
const FRESH_MILLISECONDS = 60_000 // the page may be turned

/** A picture of the first page of a job, loaded when it can be seen; a sign where there is none. */
export function JobThumbnail({ jobId, className = '' }: { jobId: string; className?: string | undefined }) {
  const { ref, inViewport } = useInViewport<HTMLDivElement>()
  const { data, isPending } = useQuery({
    queryKey: ['thumbnail', jobId],
    queryFn: ({ signal }) => api.pageImage(jobId, 0, signal, WIDTH),
    enabled: inViewport,
    staleTime: FRESH_MILLISECONDS,
    retry: false,
  })
  const [url, setUrl] = useState('')
  useEffect(() => {
    if (data === undefined) return
    const made = URL.createObjectURL(data)
    setUrl(made)
    return () => URL.revokeObjectURL(made)
  }, [data])
  return (
    <div ref={ref} className={`${styles.thumbnail} ${className}`} aria-hidden>
      {url !== '' && <img src={url} alt="" />}
      {url === '' && (isPending ? <Skeleton h="100%" animate={false} /> : <IconFileText size={24} stroke={1.3} />)}
    </div>
  )
}

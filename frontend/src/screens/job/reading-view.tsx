import { Button, Loader, Modal, Text } from '@mantine/core'
import { useIntersection } from '@mantine/hooks'
import { IconCopy } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import * as api from '../../api/client'
import { useTranslation } from '../../i18n/translation'
import { MarkdownView } from '../../viewer/text/markdown-view'
import { copyText } from '../copy-actions'
import { notifyError } from '../error-notifications'
import styles from './reading-view.module.css'

/** The text of the whole document, page after page. A page is loaded when it comes near. */
export function ReadingView({ job, name, onClose }: { job: api.Job; name: string; onClose: () => void }) {
  const { t } = useTranslation()
  const { jobId } = job

  async function copyAll() {
    try {
      await copyText(await (await api.exportJob(jobId, 'markdown')).text(), t)
    } catch (failure) {
      notifyError(failure, t)
    }
  }

  return (
    <Modal opened fullScreen onClose={onClose} title={name} closeButtonProps={{ 'aria-label': t.close }}>
      <div className={styles.document}>
        <Button
          size="xs"
          variant="default"
          leftSection={<IconCopy size={15} />}
          onClick={() => void copyAll()}
        >
          {t.reading.copyDocument}
        </Button>
        {Array.from({ length: job.pagesTotal }, (_, index) => (
          <ReadingPage key={index} jobId={jobId} index={index} />
        ))}
      </div>
    </Modal>
  )
}

function ReadingPage({ jobId, index }: { jobId: string; index: number }) {
  const { t } = useTranslation()
  const { ref, entry } = useIntersection({ rootMargin: '800px' })
  const page = useQuery({
    queryKey: ['page', jobId, index],
    queryFn: ({ signal }) => api.jobPage(jobId, index, signal),
    enabled: entry?.isIntersecting === true,
    staleTime: Infinity,
    gcTime: 60_000,
    retry: false,
  })
  return (
    <section ref={ref} className={styles.page} aria-label={t.viewer.page(index + 1)}>
      <Text size="xs" c="dimmed">
        {t.viewer.page(index + 1)}
      </Text>
      {page.data !== undefined && <MarkdownView markdown={page.data.correctedText} />}
      {page.isFetching && <Loader size="sm" aria-label={t.status.processing} />}
      {page.isError && <Text c="dimmed">{t.status.pagePending}</Text>}
    </section>
  )
}

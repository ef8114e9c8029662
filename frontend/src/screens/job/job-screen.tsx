import { Center, Group, Loader } from '@mantine/core'
import { IconFileOff } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useCallback, useEffect, useMemo } from 'react'
import * as api from '../../api/client'
import { useTranslation } from '../../i18n/translation'
import { fileName } from '../../lib/format'
import type { PageState } from '../../lib/result'
import type { Tab } from '../../lib/route'
import { FullScreenMessage } from '../../ui/full-screen-message'
import type { Navigate } from '../../ui/use-route'
import { Viewer } from '../../viewer/viewer'
import { copyActions, copyText } from '../copy-actions'
import { errorMessage, notifyError } from '../error-notifications'
import { jobName } from '../job-name'
import { retryOptions } from '../retry-options'
import { saveFile } from '../save-file'
import { doneState, inImageQueue, singlePageResponse } from './job-pages'
import { JobOptions } from './job-options'
import { JobStatus } from './job-status'
import { NotKeptButton, useNotKept } from './not-kept'
import { isNotFound, useJob } from './use-job'

type Props = {
  jobId: string
  pageIndex: number
  tab: Tab
  modes: api.Modes | undefined
  supportedTasks: api.SupportedTasks
  navigate: Navigate
}

/** A job: its progress while it runs, and the result of each page. */
export function JobScreen({ jobId, pageIndex, tab, modes, supportedTasks, navigate }: Props) {
  const { t } = useTranslation()
  const cache = useQueryClient()
  const { job, marks, live, error } = useJob(jobId)
  const mark = marks[pageIndex]
  const page = useQuery({
    queryKey: ['page', jobId, pageIndex],
    queryFn: ({ signal }) => api.jobPage(jobId, pageIndex, signal),
    enabled: mark !== undefined && !['waiting', 'processing'].includes(mark),
    staleTime: Infinity,
  })
  const notKept = useNotKept(jobId)
  const available = useQuery({
    queryKey: ['formats', jobId],
    queryFn: ({ signal }) => api.jobFormats(jobId, signal),
    enabled: job?.finishedAt != null,
    staleTime: Infinity,
  })
  const pageNotFound = isNotFound(page.error)
  useEffect(() => {
    // The job may have been deleted in the meantime; no event reports that.
    if (pageNotFound) void cache.invalidateQueries({ queryKey: ['job', jobId] })
  }, [cache, pageNotFound, jobId])
  const loadImage = useCallback(
    (index: number) =>
      cache.fetchQuery({
        queryKey: ['image', jobId, index],
        queryFn: ({ signal }) => inImageQueue(() => api.pageImage(jobId, index, signal)),
        staleTime: Infinity,
        gcTime: 60_000,
      }),
    [cache, jobId],
  )
  const corrected = (page.data?.corrections.length ?? 0) > 0
  const markdown = page.data?.correctedText ?? ''
  const copies = useMemo(() => copyActions(markdown, t), [markdown, t])
  const copyLink = {
    key: 'link',
    label: t.export.copyLink,
    copy: () => void copyText(window.location.href, t),
  }
  if (error !== null) {
    return (
      <FullScreenMessage
        icon={<IconFileOff />}
        title={isNotFound(error) ? t.history.notFound : t.errors.title}
        hint={isNotFound(error) ? t.history.notFoundHint : (errorMessage(error, t) ?? undefined)}
        action={{ label: t.nav.history, onClick: () => navigate({ screen: 'history' }) }}
      />
    )
  }
  if (job === undefined) {
    return (
      <Center flex={1}>
        <Loader aria-label={t.status.processing} />
      </Center>
    )
  }

  async function updateJob(request: Promise<unknown>) {
    try {
      await request
      await cache.invalidateQueries({ queryKey: ['job', jobId] })
    } catch (failure) {
      notifyError(failure, t)
    }
  }

  async function retry({ mode, prompt }: Pick<api.OcrOptions, 'mode' | 'prompt'>) {
    const options = { mode, prompt, discard_corrections: corrected }
    await updateJob(api.retryPage(jobId, pageIndex, options))
    // The server refuses a retry if the page was corrected elsewhere: load those corrections.
    await cache.invalidateQueries({ queryKey: ['page', jobId, pageIndex] })
  }

  async function correct(id: number, text: string | null) {
    try {
      const updated = await api.correctPage(jobId, pageIndex, [{ id, text }])
      cache.setQueryData(['page', jobId, pageIndex], updated)
    } catch (failure) {
      notifyError(failure, t)
    }
  }

  async function exportFile(format: string, scope: 'page' | 'document'): Promise<Blob> {
    if (scope === 'document' || page.data === undefined) return api.exportJob(jobId, format)
    const image = new File([await loadImage(pageIndex)], 'page.jpg', { type: 'image/jpeg' })
    return api.exportResult(singlePageResponse(page.data, job), format, image)
  }

  const name = jobName(job, t)
  const reading = live.get(pageIndex)
  const isRead = page.data !== undefined && !page.isFetching
  const shown = reading !== undefined && !(reading.stored && isRead) ? reading.state : undefined
  const route = { screen: 'job', jobId } as const
  return (
    <Viewer
      name={marks.length > 1 && job.files.length > 1 && page.data ? `${name} · ${page.data.fileName}` : name}
      status={
        <Group gap="sm">
          <JobStatus job={job} onCancel={() => void updateJob(api.cancelJob(jobId))} />
          <JobOptions job={job} modes={modes} />
          <NotKeptButton {...notKept} />
        </Group>
      }
      marks={marks}
      pageIndex={Math.min(pageIndex, Math.max(0, marks.length - 1))}
      onPage={(index) => navigate({ ...route, page: index, tab }, 'replace')}
      state={shown ?? (page.data === undefined ? WAITING : doneState(page.data))}
      loadImage={loadImage}
      tab={tab}
      onTab={(next) => navigate({ ...route, page: pageIndex, tab: next }, 'replace')}
      onCorrect={(id, text) => void correct(id, text)}
      retryOptions={retryOptions({ modes, supportedTasks }, t, job.mode, job.prompt)}
      corrected={corrected}
      onRetry={(option) => void retry(option)}
      copies={[...copies, copyLink]}
      downloads={(modes?.formats ?? []).map(({ key, label, extension }) => ({
        key,
        label: t.export.formats[key] ?? label,
        disabled: (available.data ?? []).some((each) => each.key === key && each.missing.length > 0),
        download: (scope) =>
          void saveFile(
            exportFile(key, scope),
            fileName(scope === 'page' ? `${stem(name)} p${pageIndex + 1}` : stem(name), extension),
            t,
          ),
      }))}
    />
  )
}

const WAITING: PageState = { status: 'waiting' }

function stem(name: string): string {
  return name.replace(/\.[A-Za-z0-9]{1,5}$/, '')
}

import { Badge, Center, Group, Loader } from '@mantine/core'
import { IconBook, IconFileOff } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { lazy, Suspense, useCallback, useEffect, useMemo, useState } from 'react'
import * as api from '../../api/client'
import { useTranslation } from '../../i18n/translation'
import { fileName } from '../../lib/format'
import { correctedText, isNewer, type PageState } from '../../lib/result'
import { formatRoute, type Route, type Tab } from '../../lib/route'
import { FullScreenMessage } from '../../ui/full-screen-message'
import { IconButton } from '../../ui/icon-button'
import type { Navigate } from '../../ui/use-route'
import type { RetryOption } from '../../viewer/retry-menu'
import { Viewer } from '../../viewer/viewer'
import { copyActions, copyBlock, copyText } from '../copy-actions'
import { errorMessage, notifyError } from '../error-notifications'
import { jobName } from '../job-name'
import { show } from '../refresh'
import { retryOptions } from '../retry-options'
import { saveFile } from '../save-file'
import { doneState, singlePageResponse } from './job-pages'
import { EditTools, UnstoredCorrections } from './correction-tools'
import { JobOptions } from './job-options'
import { JobStatus } from './job-status'
import { NotKeptButton, useNotKept } from './not-kept'
import { NotifyButton } from './notify-button'
import { pageLoaders } from './page-images'
import { useCorrections } from './use-corrections'
import { isActive, isNotFound, useJob } from './use-job'
import { useNotification, usePageTitle } from './use-page-title'

type Props = {
  jobId: string
  pageIndex: number
  tab: Tab
  /** What the link leads to. */
  target: Pick<Extract<Route, { screen: 'job' }>, 'block' | 'find'>
  modes: api.Modes | undefined
  supportedTasks: api.SupportedTasks
  navigate: Navigate
}

/** A job: its progress while it runs, and the result of each page. */
export function JobScreen({ jobId, pageIndex, tab, target, modes, supportedTasks, navigate }: Props) {
  const { t } = useTranslation()
  const cache = useQueryClient()
  const { job, known, rotations, marks, live, doubtful, error } = useJob(jobId)
  const mark = marks[pageIndex]
  const page = useQuery({
    queryKey: ['page', jobId, pageIndex],
    queryFn: ({ signal }) => api.jobPage(jobId, pageIndex, signal),
    enabled: mark !== undefined && !['waiting', 'processing'].includes(mark),
    staleTime: Infinity,
  })
  const notKept = useNotKept(jobId)
  const [dialog, setDialog] = useState<'versions' | 'curl' | 'reading' | null>(null)
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
  const loaders = useMemo(() => pageLoaders(jobId), [jobId])
  const findPages = useCallback(
    (text: string, signal: AbortSignal) => api.searchJob(jobId, text, signal),
    [jobId],
  )
  const corrections = useCorrections(jobId)
  const reading = live.get(pageIndex)
  const isReading = reading !== undefined && isNewer(reading, page.dataUpdatedAt)
  const state = useMemo<PageState>(() => {
    if (isReading) return reading.state
    if (page.data !== undefined) return doneState(page.data, corrections.drafts)
    return known && mark === 'waiting' ? WAITING : LOADING
  }, [isReading, reading, page.data, corrections.drafts, known, mark])
  const shownRotation =
    state.status === 'done' ? state.page.rotation : state.status === 'processing' ? state.rotation : undefined
  const rotationOf = (index: number) =>
    (index === pageIndex ? shownRotation : undefined) ?? rotations.get(index) ?? 0
  const markdown = state.status === 'done' ? correctedText(state.page, state.corrections) : ''
  const copies = useCallback(
    () => [
      ...copyActions(markdown, t),
      { key: 'link', label: t.export.copyLink, copy: () => void copyText(window.location.href, t) },
      { key: 'curl', label: t.reading.curl, copy: () => setDialog('curl') },
    ],
    [markdown, t],
  )
  const blockActions = useMemo(
    () => ({
      copy: (text: string) => void copyBlock(text, t),
      link: (block: number) => {
        const place = { screen: 'job', jobId, page: pageIndex, tab: 'rendered', block } as const
        void copyText(new URL(formatRoute(place), window.location.href).href, t)
      },
    }),
    [jobId, pageIndex, t],
  )
  const name = job === undefined ? '' : jobName(job, t)
  usePageTitle(job, name)
  useNotification(job, name, t)
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

  const route = { screen: 'job', jobId } as const

  async function updateJob(request: Promise<api.Job>) {
    try {
      show(cache, ['job', jobId], await request)
      await cache.invalidateQueries({ queryKey: ['job', jobId] })
    } catch (failure) {
      notifyError(failure, t)
    }
  }

  async function retry({ mode, prompt, rotation }: Pick<RetryOption, 'mode' | 'prompt' | 'rotation'>) {
    // What the page has now becomes a version, its corrections too.
    await corrections.stored(pageIndex)
    corrections.forget(pageIndex)
    const turn = rotation === undefined ? {} : { rotation }
    const options = { mode, prompt, ...turn, discard_corrections: true }
    await updateJob(api.retryPage(jobId, pageIndex, options))
  }

  function correct(block: number, text: string | null) {
    if (state.status !== 'done') return
    const before = state.corrections[block] ?? null
    corrections.correct({ page: pageIndex, block, before, after: text })
  }

  function step(back: boolean) {
    const changed = corrections.step(back)
    if (changed !== undefined) navigate({ ...route, page: changed, tab }, 'replace')
  }

  async function exportFile(
    format: string,
    scope: 'page' | 'document',
    redact: string[],
  ): Promise<File> {
    if (scope === 'document' || page.data === undefined) return api.exportJob(jobId, format, redact)
    const shownPage = { index: pageIndex, rotation: rotationOf(pageIndex) }
    const image = new File([await loaders.image(shownPage, new AbortController().signal)], 'page.jpg', { type: 'image/jpeg' })
    return api.exportResult(singlePageResponse(page.data, job), format, image, { redact })
  }

  const { editable } = job
  return (
    <>
    <Viewer
      name={marks.length > 1 && job.files.length > 1 && page.data ? `${name} · ${page.data.fileName}` : name}
      status={
        <Group gap="sm">
          <JobStatus
            job={job}
            onCancel={editable ? () => void updateJob(api.cancelJob(jobId)) : undefined}
            onResume={editable ? () => void updateJob(api.resumeJob(jobId)) : undefined}
          />
          {isActive(job) && <NotifyButton />}
          <UnstoredCorrections count={corrections.unstored} />
          <JobOptions job={job} modes={modes} pageMode={page.data?.mode} />
          {editable ? <NotKeptButton {...notKept} /> : <ReadOnlyBadge />}
        </Group>
      }
      marks={marks}
      pageIndex={Math.min(pageIndex, Math.max(0, marks.length - 1))}
      onPage={(index) => navigate({ ...route, page: index, tab }, 'replace')}
      state={state}
      loaders={loaders}
      rotationOf={rotationOf}
      findPages={findPages}
      target={target}
      blockActions={blockActions}
      editable={editable}
      doubtful={doubtful}
      tab={tab}
      onTab={(next) => navigate({ ...route, page: pageIndex, tab: next }, 'replace')}
      onCorrect={correct}
      draftOf={(block) => corrections.draftOf(pageIndex, block)}
      onType={(block, text) => corrections.type(pageIndex, block, text)}
      onDiscard={(block) => corrections.discard(pageIndex, block)}
      retryOptions={editable ? retryOptions({ modes, supportedTasks }, t, job, rotationOf(pageIndex)) : []}
      onRetry={(option) => void retry(option)}
      onReadPage={
        isActive(job) || !editable ? undefined : () => void retry({ mode: job.mode, prompt: job.prompt })
      }
      onLoadAgain={page.isError ? () => void page.refetch() : undefined}
      tools={
        <>
          {editable && (
            <EditTools
              corrections={corrections}
              onStep={step}
              onVersions={state.status === 'done' ? () => setDialog('versions') : undefined}
            />
          )}
          <IconButton label={t.reading.view} onClick={() => setDialog('reading')}>
            <IconBook size={18} />
          </IconButton>
        </>
      }
      copies={copies}
      downloads={(modes?.formats ?? []).map(({ key, label, extension }) => ({
        key,
        label: t.export.formats[key] ?? label,
        disabled: (available.data ?? []).some((each) => each.key === key && each.missing.length > 0),
        download: (scope, redact) =>
          void saveFile(
            exportFile(key, scope, redact),
            redact.length > 0
              ? null
              : fileName(scope === 'page' ? `${stem(name)} p${pageIndex + 1}` : stem(name), extension),
            t,
          ),
      }))}
    />
      <Suspense>
        {dialog === 'versions' && (
          <VersionsDialog
            jobId={jobId}
            page={pageIndex}
            present={markdown}
            onTaken={(taken) => {
              corrections.forget(pageIndex)
              show(cache, ['page', jobId, pageIndex], taken)
            }}
            onClose={() => setDialog(null)}
          />
        )}
        {dialog === 'reading' && <ReadingView job={job} name={name} onClose={() => setDialog(null)} />}
        {dialog === 'curl' && <CurlDialog job={job} onClose={() => setDialog(null)} />}
      </Suspense>
    </>
  )
}

const VersionsDialog = lazy(async () => ({ default: (await import('./versions-dialog')).VersionsDialog }))
const ReadingView = lazy(async () => ({ default: (await import('./reading-view')).ReadingView }))
const CurlDialog = lazy(async () => ({ default: (await import('./curl-dialog')).CurlDialog }))
const WAITING: PageState = { status: 'waiting' }
const LOADING: PageState = { status: 'loading' }

function ReadOnlyBadge() {
  const { t } = useTranslation()
  return (
    <Badge variant="default" tt="none" title={t.reading.readOnlyHint}>
      {t.reading.readOnly}
    </Badge>
  )
}

function stem(name: string): string {
  return name.replace(/\.[A-Za-z0-9]{1,5}$/, '')
}

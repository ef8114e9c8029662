import { Loader, Center } from '@mantine/core'
import { IconFileOff } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useCallback, useEffect, useMemo } from 'react'
import * as api from '../../api/client'
import { useWords } from '../../i18n/translation'
import type { Address, Tab } from '../../lib/route'
import { fileName } from '../../lib/format'
import type { PageState } from '../../lib/result'
import { Message } from '../../ui/full-screen-message'
import type { Choice } from '../../viewer/page-notices'
import { Viewer } from '../../viewer/viewer'
import { choicesOf } from '../retry-options'
import { copiesOf, copy } from '../copy-actions'
import { nameOf } from '../job-name'
import { JobStatus } from './job-status'
import { problemText, tell } from '../error-notifications'
import { save } from '../save-file'
import { isNotThere, useJob } from './use-job'

type Props = {
  jobId: string
  pageIndex: number
  tab: Tab
  modes: api.Modes | undefined
  can: api.Tasks
  go: (address: Address, how?: 'push' | 'replace') => void
}

/** A document that the service keeps: watched while it is read, and its result. */
export function JobScreen({ jobId, pageIndex, tab, modes, can, go }: Props) {
  const { words } = useWords()
  const cache = useQueryClient()
  const { job, marks, error } = useJob(jobId)
  const isRead = marks[pageIndex] !== undefined && !['waiting', 'reading'].includes(marks[pageIndex])
  const page = useQuery({
    queryKey: ['page', jobId, pageIndex],
    queryFn: ({ signal }) => api.jobPage(jobId, pageIndex, signal),
    enabled: isRead,
    staleTime: Infinity,
  })
  const isMissing = isNotThere(page.error)
  useEffect(() => {
    // Perhaps somebody deleted the job while it was looked at: of that no event tells.
    if (isMissing) void cache.invalidateQueries({ queryKey: ['job', jobId] })
  }, [cache, isMissing, jobId])
  const load = useCallback(
    (index: number) =>
      cache.fetchQuery({
        queryKey: ['picture', jobId, index],
        queryFn: ({ signal }) => picturesAtOnce(() => api.pageImage(jobId, index, signal)),
        staleTime: Infinity,
        gcTime: 60_000,
      }),
    [cache, jobId],
  )
  const corrected = (page.data?.corrections.length ?? 0) > 0
  const markdown = page.data?.correctedText ?? ''
  const copies = useMemo(() => copiesOf(markdown, words), [markdown, words])
  const share = {
    key: 'share',
    label: words.out.share,
    copy: () => void copy(window.location.href, words),
  }
  if (error !== null) {
    return (
      <Message
        icon={<IconFileOff />}
        title={words.history.gone}
        hint={isNotThere(error) ? words.history.goneHint : (problemText(error, words) ?? undefined)}
        action={{ label: words.nav.history, onClick: () => go({ screen: 'history' }) }}
      />
    )
  }
  if (job === undefined) {
    return (
      <Center flex={1}>
        <Loader aria-label={words.read.reading} />
      </Center>
    )
  }

  async function change(work: Promise<unknown>) {
    try {
      await work
      await cache.invalidateQueries({ queryKey: ['job', jobId] })
    } catch (problem) {
      tell(problem, words)
    }
  }

  async function again(options: Pick<api.ReadOptions, 'mode' | 'prompt'>) {
    await change(api.retryPage(jobId, pageIndex, { ...options, discard_corrections: corrected }))
    // Refused, perhaps: for what somebody corrected meanwhile, which is to be seen and asked about.
    await cache.invalidateQueries({ queryKey: ['page', jobId, pageIndex] })
  }

  async function correct(id: number, text: string | null) {
    try {
      const corrected = await api.correctPage(jobId, pageIndex, [{ id, text }])
      cache.setQueryData(['page', jobId, pageIndex], corrected)
    } catch (problem) {
      tell(problem, words)
    }
  }

  async function exported(format: string, scope: 'page' | 'document'): Promise<Blob> {
    if (scope === 'document' || page.data === undefined) return api.exportJob(jobId, format)
    const picture = new File([await load(pageIndex)], 'page.jpg', { type: 'image/jpeg' })
    return api.exportResult(pageAlone(page.data, job), format, picture)
  }

  const name = nameOf(job, words)
  const shown = page.data === undefined ? WAITING : doneState(page.data)
  const address = { screen: 'job', jobId } as const
  return (
    <Viewer
      name={marks.length > 1 && job.files.length > 1 && page.data ? `${name} · ${page.data.fileName}` : name}
      status={<JobStatus job={job} onCancel={() => void change(api.cancelJob(jobId))} />}
      marks={marks}
      pageIndex={Math.min(pageIndex, Math.max(0, marks.length - 1))}
      onPage={(index) => go({ ...address, page: index, tab }, 'replace')}
      state={shown}
      load={load}
      tab={tab}
      onTab={(next) => go({ ...address, page: pageIndex, tab: next }, 'replace')}
      onCorrect={(id, text) => void correct(id, text)}
      choices={choicesOf({ modes, can }, words, job.mode, job.prompt)}
      corrected={corrected}
      onAgain={({ mode, prompt }: Choice) => void again({ mode, prompt })}
      copies={[...copies, share]}
      downloads={(modes?.formats ?? []).map(({ key, label, extension }) => ({
        key,
        label: words.out.formats[key] ?? label,
        download: (scope) =>
          void save(
            exported(key, scope),
            fileName(scope === 'page' ? `${stem(name)} p${pageIndex + 1}` : stem(name), extension),
            words,
          ),
      }))}
    />
  )
}

const WAITING: PageState = { status: 'waiting' }

function stem(name: string): string {
  return name.replace(/\.[A-Za-z0-9]{1,5}$/, '')
}

const states = new WeakMap<api.JobPage, PageState>()

/** The same state for the same page, so that nothing is drawn anew. */
function doneState(page: api.JobPage): PageState {
  const known = states.get(page)
  if (known !== undefined) return known
  const corrections: Record<number, string> = {}
  for (const { id, text } of page.corrections) if (text !== null) corrections[id] = text
  const state: PageState = { status: 'done', page, corrections }
  states.set(page, state)
  return state
}

/** One page as a result by itself; its picture is the only page of its document. */
function pageAlone(page: api.JobPage, job: api.Job | undefined): api.Answer {
  const corrected = new Map(page.corrections.map(({ id, text }) => [id, text]))
  const items = page.layout.items.map((item) => ({
    ...item,
    text: corrected.get(item.id) ?? item.text,
  }))
  const text = page.correctedText.replaceAll(`](images/${page.pageIndex}_`, '](images/0_')
  const alone = { ...page, pageIndex: 0, text, layout: { ...page.layout, items } }
  return {
    mode: job?.mode ?? '',
    prompt: job?.prompt ?? '',
    text,
    rawText: page.rawText,
    durationMs: page.durationMs,
    fileName: page.fileName,
    fileSize: 0,
    engine: job?.engine ?? '',
    model: job?.model ?? '',
    layout: alone.layout,
    pages: [alone],
    requestId: '',
  }
}

let queue: Promise<unknown> = Promise.resolve()

/** One picture after another: each costs the service the drawing of a page. */
function picturesAtOnce(fetchPicture: () => Promise<Blob>): Promise<Blob> {
  const next = queue.then(fetchPicture, fetchPicture)
  queue = next.catch(() => undefined)
  return next
}

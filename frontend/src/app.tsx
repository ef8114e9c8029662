import { Alert, Center, Loader } from '@mantine/core'
import { Dropzone } from '@mantine/dropzone'
import { IconPlugConnectedX } from '@tabler/icons-react'
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query'
import { lazy, Suspense, useEffect, useRef, useState } from 'react'
import * as api from './api/client'
import styles from './app.module.css'
import { useWords } from './i18n/translation'
import { goesAtOnce, sorted, type Refusal } from './lib/files'
import { ASKED, type Asked } from './screens/upload/options-form'
import { Header } from './screens/shell/header'
import { HistoryScreen } from './screens/history/history-screen'
import { nameOfFiles } from './screens/job-name'
import { KeyDialog } from './screens/shell/key-dialog'
import { tell } from './screens/error-notifications'
import { UploadScreen, type Sending } from './screens/upload/upload-screen'
import { useReading } from './screens/result/use-recognition'
import { usePaste } from './ui/use-paste'
import { ShortcutSheet } from './ui/shortcut-dialog'
import { useAddress } from './ui/use-route'
import { useShortcuts } from './ui/use-shortcuts'

const ResultScreen = lazy(async () => ({ default: (await import('./screens/result/result-screen')).ResultScreen }))
const JobScreen = lazy(async () => ({ default: (await import('./screens/job/job-screen')).JobScreen }))

const MB = 1 << 20

/** Which screen, and what all of them share: the engine's state, the key, files from anywhere. */
export function App() {
  const { words } = useWords()
  const cache = useQueryClient()
  const { address, go } = useAddress()
  const now = useReading()
  const [asked, setAsked] = useState<Asked>(ASKED)
  const [refused, setRefused] = useState<Refusal[]>([])
  const [sending, setSending] = useState<Sending | null>(null)
  const [sheet, setSheet] = useState(false)
  const { health, down } = useHealth()
  const { data: modes } = useQuery({
    queryKey: ['modes'],
    queryFn: ({ signal }) => api.modes(signal),
    staleTime: 60_000,
  })
  const { data: listed } = useQuery({
    queryKey: ['jobs', '', 1],
    queryFn: ({ signal }) => api.listJobs({ search: '', limit: 1, offset: 0 }, signal),
    staleTime: Infinity,
  })
  const hasJobs = listed !== null
  const can = health?.engine.tasks
  const imageBytes = (modes?.maxImageMb ?? 15) * MB
  const jobBytes = (modes?.limits.maxJobMb ?? 512) * MB
  const most = hasJobs ? jobBytes : imageBytes

  async function submit(files: File[]) {
    const controller = new AbortController()
    const name = files.map((file) => file.name).join(', ')
    const told = (fraction: number) =>
      setSending({ name, fraction, cancel: () => controller.abort() })
    told(0)
    try {
      const upload = { signal: controller.signal, onProgress: told }
      const job = await api.submitJob(files, optionsOf(asked), upload)
      go({ screen: 'job', jobId: job.jobId, page: 0, tab: 'rendered' })
    } catch (problem) {
      const called = nameOfFiles(files.map((file) => file.name), words)
      tell(problem, words, `${words.problem.title}: ${called}`)
    }
    setSending(null)
  }

  function take(files: File[]) {
    const { good, refused: bad } = sorted(files, most)
    setRefused(bad)
    const [first] = good
    if (first === undefined) {
      if (files.length > 0) go({ screen: 'new' })
      return
    }
    if (goesAtOnce(good, hasJobs, { imageBytes, jobBytes })) {
      now.start({ file: first, options: optionsOf(asked, modes?.defaultPrompt) })
      go({ screen: 'result', tab: 'rendered' })
    } else {
      go({ screen: 'new' })
      void submit(good)
    }
  }

  usePaste(take)
  const before = useRef('')
  useShortcuts({
    '?': () => setSheet(true),
    g: () => go({ screen: 'new' }),
    h: () => go({ screen: 'history' }),
  })
  useEffect(() => {
    // The service came back: what could not be had is asked for again.
    if (!down && before.current === 'down') void cache.invalidateQueries()
    before.current = down ? 'down' : 'up'
  }, [cache, down])

  return (
    <div className={styles.shell}>
      <Header health={health} down={down} screen={address.screen} go={go} onKeys={() => setSheet(true)} />
      {down && (
        <Alert color="red" radius={0} icon={<IconPlugConnectedX />} title={words.down.title} role="alert" c="var(--mantine-color-text)">
          {words.down.hint}
        </Alert>
      )}
      <main className={styles.main}>
        <Suspense fallback={<Center flex={1}><Loader /></Center>}>
          {address.screen === 'new' && (
            <UploadScreen
              modes={modes}
              can={can}
              hasJobs={hasJobs}
              asked={asked}
              onAsk={setAsked}
              onFiles={take}
              refused={refused}
              most={most}
              sending={sending}
            />
          )}
          {address.screen === 'history' && <HistoryScreen modes={modes} onNew={() => go({ screen: 'new' })} />}
          {address.screen === 'result' && (
            <ResultScreen
              now={now}
              modes={modes}
              can={can}
              tab={address.tab}
              onTab={(tab) => go({ screen: 'result', tab }, 'replace')}
              onNew={() => go({ screen: 'new' })}
              onKeep={hasJobs ? (file) => (go({ screen: 'new' }), void submit([file])) : undefined}
            />
          )}
          {address.screen === 'job' && (
            <JobScreen
              key={address.jobId}
              jobId={address.jobId}
              pageIndex={address.page}
              tab={address.tab}
              modes={modes}
              can={can}
              go={go}
            />
          )}
        </Suspense>
      </main>
      {address.screen !== 'new' && (
        <Dropzone.FullScreen onDrop={take} onReject={(bad) => take(bad.map(({ file }) => file))}>
          <Center h="60vh" fz="h2" fw={600} style={{ pointerEvents: 'none' }}>
            {words.drop.now}
          </Center>
        </Dropzone.FullScreen>
      )}
      <KeyDialog onKey={() => void cache.invalidateQueries()} />
      <ShortcutSheet opened={sheet} onClose={() => setSheet(false)} />
    </div>
  )
}

function useHealth() {
  const { data, isError } = useQuery({
    queryKey: ['health'],
    queryFn: ({ signal }) => api.health(signal),
    retry: 1,
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) =>
      state.status === 'error' || state.data?.engine.state !== 'ready' ? 1500 : 5000,
  })
  return { health: data, down: isError }
}

function optionsOf(asked: Asked, defaultPrompt = ''): api.ReadOptions {
  return { ...asked, prompt: asked.prompt || defaultPrompt, pages: asked.pages.trim() }
}

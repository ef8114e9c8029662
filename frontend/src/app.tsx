import { Alert, Center, Loader } from '@mantine/core'
import { Dropzone } from '@mantine/dropzone'
import { IconPlugConnectedX } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { lazy, Suspense, useState } from 'react'
import * as api from './api/client'
import styles from './app.module.css'
import { useTranslation } from './i18n/translation'
import { shouldStream, validateFiles, type Rejection } from './lib/files'
import { notifyError } from './screens/error-notifications'
import { HistoryScreen } from './screens/history/history-screen'
import { filesName } from './screens/job-name'
import { useRecognition } from './screens/result/use-recognition'
import { Header } from './screens/shell/header'
import { KeyDialog } from './screens/shell/key-dialog'
import { useHealth } from './screens/shell/use-health'
import { DEFAULT_OPTIONS, type FormOptions } from './screens/upload/options-form'
import { UploadScreen, type UploadProgress } from './screens/upload/upload-screen'
import { ShortcutDialog } from './ui/shortcut-dialog'
import { usePaste } from './ui/use-paste'
import { useRoute } from './ui/use-route'
import { useShortcuts } from './ui/use-shortcuts'

const ResultScreen = lazy(async () => ({
  default: (await import('./screens/result/result-screen')).ResultScreen,
}))
const JobScreen = lazy(async () => ({
  default: (await import('./screens/job/job-screen')).JobScreen,
}))

const MB = 1 << 20

/** The current screen, and what all screens share: the server's state, the options, new files. */
export function App() {
  const { t } = useTranslation()
  const cache = useQueryClient()
  const { route, navigate } = useRoute()
  const recognition = useRecognition()
  const [options, setOptions] = useState<FormOptions>(DEFAULT_OPTIONS)
  const [rejected, setRejected] = useState<Rejection[]>([])
  const [upload, setUpload] = useState<UploadProgress | null>(null)
  const [shortcutsOpened, setShortcutsOpened] = useState(false)
  const { health, offline } = useHealth()
  const { modes, hasJobs } = useServerSettings()
  const supportedTasks = health?.engine.tasks
  const imageBytes = (modes?.maxImageMb ?? 15) * MB
  const jobBytes = (modes?.limits.maxJobMb ?? 512) * MB
  const maxBytes = hasJobs ? jobBytes : imageBytes

  /** Pages and password are those of one document: the next one starts without them. */
  function takeOptions(): FormOptions {
    setOptions((current) => ({ ...current, pages: '', password: '' }))
    return options
  }

  async function submitJob(files: File[]) {
    const chosen = takeOptions()
    const controller = new AbortController()
    const names = files.map((file) => file.name)
    const onProgress = (fraction: number) =>
      setUpload({ name: names.join(', '), fraction, cancel: () => controller.abort() })
    onProgress(0)
    try {
      const request = { signal: controller.signal, onProgress }
      const job = await api.submitJob(files, requestOptions(chosen), request)
      navigate({ screen: 'job', jobId: job.jobId, page: 0, tab: 'rendered' })
    } catch (failure) {
      setOptions(chosen) // for another attempt with this document
      notifyError(failure, t, t.labeled(t.errors.title, filesName(names, t)))
    }
    setUpload(null)
  }

  function addFiles(files: File[]) {
    const { accepted, rejected: refused } = validateFiles(files, maxBytes)
    setRejected(refused)
    const [first] = accepted
    if (first === undefined) {
      if (files.length > 0) navigate({ screen: 'new' })
      return
    }
    if (shouldStream(accepted, hasJobs, { imageBytes, jobBytes })) {
      recognition.start({ file: first, options: requestOptions(takeOptions(), modes?.defaultPrompt) })
      navigate({ screen: 'result', tab: 'rendered' })
    } else {
      navigate({ screen: 'new' })
      void submitJob(accepted)
    }
  }

  usePaste(addFiles)
  useShortcuts({
    '?': () => setShortcutsOpened(true),
    g: () => navigate({ screen: 'new' }),
    h: () => navigate({ screen: 'history' }),
  })

  return (
    <div className={styles.shell}>
      <Header
        health={health}
        offline={offline}
        screen={route.screen}
        navigate={navigate}
        onShortcuts={() => setShortcutsOpened(true)}
      />
      {offline && (
        <Alert
          color="red"
          radius={0}
          icon={<IconPlugConnectedX />}
          title={t.offline.title}
          role="alert"
          c="var(--mantine-color-text)"
        >
          {t.offline.hint}
        </Alert>
      )}
      <main className={styles.main}>
        <Suspense fallback={<Center flex={1}><Loader /></Center>}>
          {route.screen === 'new' && (
            <UploadScreen
              modes={modes}
              supportedTasks={supportedTasks}
              hasJobs={hasJobs}
              options={options}
              onOptions={setOptions}
              onFiles={addFiles}
              rejected={rejected}
              maxBytes={maxBytes}
              upload={upload}
            />
          )}
          {route.screen === 'history' && (
            <HistoryScreen modes={modes} onNew={() => navigate({ screen: 'new' })} />
          )}
          {route.screen === 'result' && (
            <ResultScreen
              recognition={recognition}
              modes={modes}
              supportedTasks={supportedTasks}
              tab={route.tab}
              onTab={(tab) => navigate({ screen: 'result', tab }, 'replace')}
              onNew={() => navigate({ screen: 'new' })}
              onSave={hasJobs ? (file) => (navigate({ screen: 'new' }), void submitJob([file])) : undefined}
            />
          )}
          {route.screen === 'job' && (
            <JobScreen
              key={route.jobId}
              jobId={route.jobId}
              pageIndex={route.page}
              tab={route.tab}
              modes={modes}
              supportedTasks={supportedTasks}
              navigate={navigate}
            />
          )}
        </Suspense>
      </main>
      {route.screen !== 'new' && (
        <Dropzone.FullScreen
          onDrop={addFiles}
          onReject={(rejections) => addFiles(rejections.map(({ file }) => file))}
        >
          <Center h="60vh" fz="h2" fw={600} style={{ pointerEvents: 'none' }}>
            {t.upload.dropNow}
          </Center>
        </Dropzone.FullScreen>
      )}
      <KeyDialog onKey={() => void cache.invalidateQueries()} />
      <ShortcutDialog opened={shortcutsOpened} onClose={() => setShortcutsOpened(false)} />
    </div>
  )
}

/** The server's modes and limits, and whether it keeps jobs. */
function useServerSettings() {
  const { data: modes } = useQuery({
    queryKey: ['modes'],
    queryFn: ({ signal }) => api.modes(signal),
    staleTime: 60_000,
  })
  const { data: jobs } = useQuery({
    queryKey: ['jobs', '', 1],
    queryFn: ({ signal }) => api.listJobs({ search: '', limit: 1, offset: 0 }, signal),
    staleTime: Infinity,
  })
  return { modes, hasJobs: jobs !== null }
}

function requestOptions(options: FormOptions, defaultPrompt = ''): api.OcrOptions {
  return { ...options, prompt: options.prompt || defaultPrompt, pages: options.pages.trim() }
}

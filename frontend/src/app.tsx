// Styles of the components come first, so that those of the page replace them.
import '@mantine/core/styles.css'
import '@mantine/notifications/styles.css'
import './base.css'
import { Alert, Center, Loader } from '@mantine/core'
import { IconPlugConnectedX } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { lazy, Suspense, useCallback, useRef, useState } from 'react'
import * as api from './api/client'
import styles from './app.module.css'
import { useTranslation } from './i18n/translation'
import { ACCEPT, documentsOf, validateFiles, type Rejection } from './lib/files'
import { offeredMode } from './lib/models'
import { HistoryScreen } from './screens/history/history-screen'
import { refresh, refreshJobs } from './screens/refresh'
import { Header } from './screens/shell/header'
import { KeyDialog } from './screens/shell/key-dialog'
import { useHealth } from './screens/shell/use-health'
import { DEFAULT_OPTIONS, type FormOptions } from './screens/upload/options-form'
import { UploadScreen } from './screens/upload/upload-screen'
import { UploadTray } from './screens/upload/upload-tray'
import { useUploads } from './screens/upload/use-uploads'
import { BarContext } from './ui/bar'
import { FilePicker } from './ui/file-picker'
import { ShortcutDialog } from './ui/shortcut-dialog'
import { useFileDrop } from './ui/use-file-drop'
import { usePaste } from './ui/use-paste'
import { useRoute } from './ui/use-route'
import { useSharedFiles } from './ui/use-shared-files'
import { useShortcuts } from './ui/use-shortcuts'

const JobScreen = lazy(async () => ({
  default: (await import('./screens/job/job-screen')).JobScreen,
}))

const MB = 1 << 20
const MODE_STORAGE = 'dsocr-mode'

/** The current screen, and what all screens share: the server's state, the options, new files. */
export function App() {
  const { t } = useTranslation()
  const cache = useQueryClient()
  const { route, navigate } = useRoute()
  const [options, setOptions] = useState<FormOptions>(storedOptions)
  const [bar, setBar] = useState<HTMLElement | null>(null)
  const picker = useRef<HTMLInputElement>(null)
  const [together, setTogether] = useState(false)
  const [rejected, setRejected] = useState<Rejection[]>([])
  const [shortcutsOpened, setShortcutsOpened] = useState(false)
  const openShortcuts = useCallback(() => setShortcutsOpened(true), [])
  const closeShortcuts = useCallback(() => setShortcutsOpened(false), [])
  const fetchAgain = useCallback(() => void refresh(cache, []), [cache])
  const { health, offline } = useHealth()
  const { data: modes, isPending } = useQuery({
    queryKey: ['modes'],
    queryFn: ({ signal }) => api.modes(signal),
    staleTime: 60_000,
  })
  const uploads = useUploads({
    ready: !isPending, // a document that is dropped before is sent when its mode is known to be offered
    optionsOf: (chosen) => ({ ...chosen, mode: offeredMode(modes, chosen) }),
    onAccepted: (job, { from }) => {
      void refreshJobs(cache)
      if (window.location.hash === from) navigate({ screen: 'job', jobId: job.jobId, page: 0, tab: 'rendered' })
    },
  })
  const supportedTasks = health?.engine.tasks
  const maxBytes = (modes?.limits.maxJobMb ?? 512) * MB

  function addFiles(files: File[]) {
    const { accepted, rejected: refused } = validateFiles(files, maxBytes)
    setRejected(refused)
    if (accepted.length === 0) return
    const documents = documentsOf(accepted, together)
    uploads.add(documents, { ...options, pages: options.pages.trim() })
    // Pages and password are those of one document: the next one starts without them.
    setOptions((current) => ({ ...current, pages: '', password: '' }))
    if (documents.length > 1) navigate({ screen: 'history' })
  }

  function changeOptions(changed: FormOptions) {
    localStorage.setItem(MODE_STORAGE, changed.mode)
    setOptions(changed)
  }

  usePaste(addFiles)
  const dragging = useFileDrop(addFiles)
  useSharedFiles(modes !== undefined, addFiles)
  useShortcuts({
    '?': openShortcuts,
    g: () => navigate({ screen: 'new' }),
    h: () => navigate({ screen: 'history' }),
  })

  return (
    <div className={styles.shell}>
      <FilePicker ref={picker} label={t.upload.chooseFiles} accept={ACCEPT} onFiles={addFiles} />
      <Header
        health={health}
        offline={offline}
        screen={route.screen}
        navigate={navigate}
        onShortcuts={openShortcuts}
        hasKey={api.hasApiKey()}
        bar={setBar}
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
      <UploadTray
        uploads={uploads}
        rejected={rejected}
        maxBytes={maxBytes}
        onDismissRejected={() => setRejected([])}
      />
      <BarContext value={bar}>
      <main className={styles.main}>
        <Suspense fallback={<Center flex={1}><Loader /></Center>}>
          {route.screen === 'new' && (
            <UploadScreen
              modes={modes}
              supportedTasks={supportedTasks}
              options={{ ...options, mode: offeredMode(modes, options) }}
              onOptions={changeOptions}
              onFiles={addFiles}
              onChoose={() => picker.current?.click()}
              together={together}
              onTogether={setTogether}
            />
          )}
          {route.screen === 'history' && (
            <HistoryScreen modes={modes} onNew={() => navigate({ screen: 'new' })} />
          )}
          {route.screen === 'job' && (
            <JobScreen
              key={route.jobId}
              jobId={route.jobId}
              pageIndex={route.page}
              tab={route.tab}
              target={route}
              modes={modes}
              supportedTasks={supportedTasks}
              navigate={navigate}
            />
          )}
        </Suspense>
      </main>
      </BarContext>
      {dragging && (
        <div className={styles.drop}>
          <p>{t.upload.dropNow}</p>
        </div>
      )}
      <KeyDialog onKey={fetchAgain} />
      <ShortcutDialog opened={shortcutsOpened} onClose={closeShortcuts} />
    </div>
  )
}

/** The default options, with the mode that was used last. */
function storedOptions(): FormOptions {
  return { ...DEFAULT_OPTIONS, mode: localStorage.getItem(MODE_STORAGE) ?? DEFAULT_OPTIONS.mode }
}

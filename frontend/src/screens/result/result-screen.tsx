import { IconAlertCircle, IconFileOff } from '@tabler/icons-react'
import { useCallback, useMemo, useState } from 'react'
import { exportResult, type Modes, type SupportedTasks } from '../../api/client'
import { useTranslation, type Texts } from '../../i18n/translation'
import { fileName } from '../../lib/format'
import { correctedResponse, correctedText, isCorrected, type PageState, lacks } from '../../lib/result'
import type { Tab } from '../../lib/route'
import { FullScreenMessage } from '../../ui/full-screen-message'
import { noticesFor } from '../../viewer/page-notices'
import type { PageMark } from '../../viewer/page/page-list'
import type { ExportScope } from '../../viewer/toolbar'
import { Viewer } from '../../viewer/viewer'
import { copyActions } from '../copy-actions'
import { errorMessage } from '../error-notifications'
import { retryOptions } from '../retry-options'
import { saveFile } from '../save-file'
import { ResultStatus } from './result-status'
import type { Recognition } from './use-recognition'

/** One document that is recognized with a streamed response; the result exists in this tab only. */
export function ResultScreen(props: {
  recognition: Recognition
  modes: Modes | undefined
  supportedTasks: SupportedTasks
  tab: Tab
  onTab: (tab: Tab) => void
  onNew: () => void
  onSave: ((file: File) => void) | undefined
}) {
  const { t } = useTranslation()
  const { recognition, modes } = props
  const [pageIndex, setPageIndex] = useState(0)
  const { request, result, phase } = recognition
  const file = request?.file
  const loadImage = useCallback(
    () => (file === undefined ? Promise.reject(new Error()) : Promise.resolve(file)),
    [file],
  )
  const state: PageState = result.pages[pageIndex] ?? { status: 'waiting' }
  const markdown = state.status === 'done' ? correctedText(state.page, state.corrections) : ''
  const copies = useMemo(() => copyActions(markdown, t), [markdown, t])
  if (request === null) {
    const action = { label: t.nav.new, onClick: props.onNew }
    const { notFound: title, notInTab: hint } = t.history
    return <FullScreenMessage icon={<IconFileOff />} title={title} hint={hint} action={action} />
  }
  const message = result.failure?.message ?? errorMessage(recognition.error, t)
  if (phase === 'failed' || (phase === 'cancelled' && result.pages.length === 0)) {
    return (
      <FullScreenMessage
        icon={<IconAlertCircle />}
        color={phase === 'failed' ? 'red' : 'gray'}
        title={phase === 'failed' ? t.errors.title : t.status.cancelledEmpty}
        hint={
          message && phase === 'failed' ? t.labeled(request.file.name, message) : request.file.name
        }
        action={{ label: t.tryAgain, onClick: () => recognition.start(request) }}
      />
    )
  }

  const options = request.options
  function download(format: string, extension: string, scope: ExportScope, redact: string[]) {
    if (result.response === null || file === undefined) return
    const response = correctedResponse(result.response, result.pages)
    const pages = scope === 'page' ? response.pages.slice(pageIndex, pageIndex + 1) : response.pages
    const more = { redact, password: options.password }
    const content = exportResult({ ...response, pages }, format, file, more)
    void saveFile(content, redact.length > 0 ? null : fileName(file.name, extension), t)
  }

  return (
    <Viewer
      name={request.file.name}
      status={<ResultStatus recognition={recognition} onSave={props.onSave} />}
      marks={result.pages.length > 0 ? result.pages.map((page) => markOf(page, t)) : ['processing']}
      pageIndex={pageIndex}
      onPage={setPageIndex}
      state={state}
      loadImage={loadImage}
      tab={props.tab}
      onTab={props.onTab}
      onCorrect={(block, text) => recognition.correct(pageIndex, block, text)}
      retryOptions={retryOptions(props, t, options.mode, options.prompt)}
      corrected={result.pages.some(isCorrected)}
      onRetry={({ mode, prompt }) =>
        recognition.start({ file: request.file, options: { ...options, mode, prompt } })
      }
      copies={copies}
      downloads={(modes?.formats ?? []).map(({ key, label, extension, needs }) => ({
        key,
        label: t.export.formats[key] ?? label,
        disabled: lacks(result.response?.pages ?? [], needs),
        download: (scope, redact) => download(key, extension, scope, redact),
      }))}
    />
  )
}

function markOf(state: PageState, t: Texts): PageMark {
  if (state.status !== 'done') return state.status
  if (state.page.error !== null) return 'failed'
  return noticesFor(state, t).length > 0 ? 'flagged' : 'done'
}

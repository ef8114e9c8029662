import { Button, Group, Progress, Text } from '@mantine/core'
import { IconAlertCircle, IconFileOff } from '@tabler/icons-react'
import { useCallback, useMemo, useState } from 'react'
import { exportResult, type Modes, type Tasks } from '../../api/client'
import { useWords } from '../../i18n/translation'
import type { Tab } from '../../lib/route'
import { duration, fileName, percent } from '../../lib/format'
import { correctedAnswer, correctedText, isCorrected, type PageState } from '../../lib/result'
import { Message } from '../../ui/full-screen-message'
import { saidOf, type Choice } from '../../viewer/page-notices'
import type { PageMark } from '../../viewer/page/page-list'
import type { Scope } from '../../viewer/toolbar'
import { Viewer } from '../../viewer/viewer'
import { choicesOf } from '../retry-options'
import { copiesOf } from '../copy-actions'
import { problemText } from '../error-notifications'
import { save } from '../save-file'
import type { ReadingNow } from './use-recognition'

/** One document read before one's eyes, and its result, which this tab holds. */
export function ResultScreen(props: {
  now: ReadingNow
  modes: Modes | undefined
  can: Tasks
  tab: Tab
  onTab: (tab: Tab) => void
  onNew: () => void
  onKeep: ((file: File) => void) | undefined
}) {
  const { words } = useWords()
  const { now, modes } = props
  const [pageIndex, setPageIndex] = useState(0)
  const { request, reading, phase } = now
  const file = request?.file
  const load = useCallback(
    () => (file === undefined ? Promise.reject(new Error()) : Promise.resolve(file)),
    [file],
  )
  const state: PageState = reading.pages[pageIndex] ?? { status: 'waiting' }
  const markdown = state.status === 'done' ? correctedText(state.page, state.corrections) : ''
  const copies = useMemo(() => copiesOf(markdown, words), [markdown, words])
  if (request === null) {
    const action = { label: words.nav.new, onClick: props.onNew }
    const hint = words.read.tab
    return <Message icon={<IconFileOff />} title={words.history.gone} hint={hint} action={action} />
  }
  const message = reading.failure?.message ?? problemText(now.error, words)
  if (phase === 'failed' || (phase === 'cancelled' && reading.pages.length === 0)) {
    return (
      <Message
        icon={<IconAlertCircle />}
        color={phase === 'failed' ? 'red' : 'gray'}
        title={phase === 'failed' ? words.problem.title : words.read.cancelledEmpty}
        hint={`${request.file.name}${message && phase === 'failed' ? `: ${message}` : ''}`}
        action={{ label: words.retry, onClick: () => now.start(request) }}
      />
    )
  }

  function download(format: string, extension: string, scope: Scope) {
    if (reading.answer === null || file === undefined) return
    const answer = correctedAnswer(reading.answer, reading.pages)
    const pages = scope === 'page' ? answer.pages.slice(pageIndex, pageIndex + 1) : answer.pages
    const make = exportResult({ ...answer, pages }, format, file)
    void save(make, fileName(file.name, extension), words)
  }

  const options = request.options
  return (
    <Viewer
      name={request.file.name}
      status={<Status now={now} onKeep={props.onKeep} />}
      marks={reading.pages.length > 0 ? reading.pages.map((page) => markOf(page, words)) : ['reading']}
      pageIndex={pageIndex}
      onPage={setPageIndex}
      state={state}
      load={load}
      tab={props.tab}
      onTab={props.onTab}
      onCorrect={(block, text) => now.correct(pageIndex, block, text)}
      choices={choicesOf(props, words, options.mode, options.prompt)}
      corrected={reading.pages.some(isCorrected)}
      onAgain={({ mode, prompt }: Choice) =>
        now.start({ file: request.file, options: { ...options, mode, prompt } })
      }
      copies={copies}
      downloads={(modes?.formats ?? []).map(({ key, label, extension }) => ({
        key,
        label: words.out.formats[key] ?? label,
        download: (scope) => download(key, extension, scope),
      }))}
    />
  )
}

function markOf(state: PageState, words: ReturnType<typeof useWords>['words']): PageMark {
  if (state.status !== 'done') return state.status
  if (state.page.error !== null) return 'failed'
  return saidOf(state, words).length > 0 ? 'flagged' : 'done'
}

function Status({ now, onKeep }: { now: ReadingNow; onKeep?: (file: File) => void }) {
  const { words, language } = useWords()
  const { phase, uploaded, reading, request } = now
  if (phase === 'done' && reading.answer !== null) {
    const took = words.read.took(duration(reading.answer.durationMs / 1000, language))
    return (
      <Group gap="xs">
        <Text size="xs" c="dimmed" role="status">
          {took}
        </Text>
        {onKeep && request && (
          <Button
            size="compact-xs"
            variant="subtle"
            title={words.read.tab}
            onClick={() => onKeep(request.file)}
          >
            {words.read.keep}
          </Button>
        )}
      </Group>
    )
  }
  if (phase === 'cancelled') return <Text size="xs">{words.read.cancelled}</Text>
  const sending = phase === 'uploading' && uploaded < 1
  const begun = reading.pages.length > 0
  const said = sending
    ? words.upload.sending(percent(uploaded, language))
    : begun
      ? words.read.reading
      : words.upload.waiting
  return (
    <Group gap="sm" wrap="nowrap" maw={460}>
      <Text size="xs" c="dimmed" role="status">
        {said}
      </Text>
      <Progress
        aria-label={said}
        value={sending ? uploaded * 100 : 100}
        animated={!sending}
        style={{ flex: 1 }}
        miw={60}
      />
      <Button size="compact-xs" variant="default" onClick={now.cancel}>
        {words.cancel}
      </Button>
    </Group>
  )
}

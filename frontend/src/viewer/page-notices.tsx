import { Alert, Stack } from '@mantine/core'
import { IconAlertTriangle } from '@tabler/icons-react'
import { useTranslation, type Texts } from '../i18n/translation'
import { isInformational, type PageState } from '../lib/result'
import { RetryMenu, type RetryOption } from './retry-menu'

/** The problems of a page, and a menu to retry it. */
export function PageNotices(props: {
  state: PageState
  retryOptions: RetryOption[]
  onRetry: (option: RetryOption) => void
}) {
  const { t } = useTranslation()
  const notices = noticesFor(props.state, t)
  if (notices.length === 0) return null
  const failed = props.state.status === 'done' && props.state.page.error !== null
  return (
    <Alert
      variant="light"
      color={failed ? 'red' : 'orange'}
      icon={<IconAlertTriangle />}
      mb="md"
      role="status"
      c="var(--mantine-color-text)"
    >
      <Stack gap="xs" align="start">
        {notices.map((notice) => (
          <span key={notice}>{notice}</span>
        ))}
        {props.retryOptions.length > 0 && <RetryMenu options={props.retryOptions} onRetry={props.onRetry} />}
      </Stack>
    </Alert>
  )
}

/** A sentence for the page's error, or for each of its flags that reports a problem. */
export function noticesFor(state: PageState, t: Texts): string[] {
  if (state.status !== 'done') return []
  const { error, finishReason, flags } = state.page
  if (error !== null) return [t.notices.failed, t.errors.codes[error.code] ?? error.message]
  const known: Record<string, string> = {
    low_confidence: t.notices.low_confidence,
    unsupported_script: t.notices.unsupported_script,
    unchecked_text: t.notices.unchecked_text,
    hidden_text: t.notices.hidden_text,
    embedded_form: t.notices.embedded_form,
    attached_files: t.notices.attached_files,
    unread_text: t.notices.unread_text,
    blank: t.notices.blank,
    not_found: t.notices.not_found,
    repetition: t.notices.repetition,
    truncated: t.notices.length,
    length: t.notices.length,
  }
  const all = finishReason === 'stop' ? flags : [finishReason, ...flags]
  const problems = all.filter((flag) => !/^(tried|kept):/.test(flag) && !isInformational(flag))
  const notices = problems.map((flag) => known[flag] ?? t.notices.other(flag))
  return [...new Set([...notices, ...retryNotices(flags, t)])]
}

/** The outcome of automatic retries: `tried:<method>=<outcome>` for each attempt, `kept:<method>`. */
function retryNotices(flags: string[], t: Texts): string[] {
  const kept = flags.find((flag) => flag.startsWith('kept:'))?.slice('kept:'.length)
  if (kept === undefined) return []
  const retries = flags.filter((flag) => flag.startsWith('tried:')).length - 1
  if (kept === 'as_asked') return [t.notices.retriedInVain(retries)]
  const mode = /^mode_(.+)$/.exec(kept)?.[1]
  const method = mode ? t.retryMethods.mode(mode) : (t.retryMethods.named[kept] ?? kept)
  return [t.notices.retried(method)]
}

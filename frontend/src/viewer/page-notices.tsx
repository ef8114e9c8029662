import { Alert, Button, Menu, Stack } from '@mantine/core'
import { IconAlertTriangle, IconChevronDown, IconRefresh } from '@tabler/icons-react'
import { useWords, type Words } from '../i18n/translation'
import { isHarmless, type PageState } from '../lib/result'

/** Another way to read a page. */
export type Choice = { key: string; label: string; hint: string; mode: string; prompt: string }

/** What is wrong with a page, and the way to read it again. */
export function Notices(props: {
  state: PageState
  choices: Choice[]
  onAgain: (choice: Choice) => void
}) {
  const { words } = useWords()
  const said = saidOf(props.state, words)
  if (said.length === 0) return null
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
        {said.map((sentence) => (
          <span key={sentence}>{sentence}</span>
        ))}
        <ReadAgain choices={props.choices} onAgain={props.onAgain} />
      </Stack>
    </Alert>
  )
}

export function ReadAgain(props: { choices: Choice[]; onAgain: (choice: Choice) => void }) {
  const { words } = useWords()
  return (
    <Menu position="bottom-start" width={300}>
      <Menu.Target>
        <Button
          size="xs"
          variant="default"
          leftSection={<IconRefresh size={14} />}
          rightSection={<IconChevronDown size={14} />}
        >
          {words.viewer.again}
        </Button>
      </Menu.Target>
      <Menu.Dropdown mah="60vh" style={{ overflowY: 'auto' }}>
        {props.choices.map((choice) => (
          <Menu.Item key={choice.key} onClick={() => props.onAgain(choice)}>
            <div>{choice.label}</div>
            <div style={{ fontSize: '0.8em', opacity: 0.8 }}>{choice.hint}</div>
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  )
}

export function saidOf(state: PageState, words: Words): string[] {
  if (state.status !== 'done') return []
  const { error, finishReason, flags } = state.page
  if (error !== null) return [words.flags.failed, error.message]
  const known: Record<string, string> = {
    low_confidence: words.flags.low_confidence,
    unsupported_script: words.flags.unsupported_script,
    unchecked_text: words.flags.unchecked_text,
    blank: words.flags.blank,
    not_found: words.flags.not_found,
    repetition: words.flags.repetition,
    truncated: words.flags.length,
    length: words.flags.length,
  }
  const all = finishReason === 'stop' ? flags : [finishReason, ...flags]
  const plain = all.filter((flag) => !/^(tried|kept):/.test(flag) && !isHarmless(flag))
  const said = plain.map((flag) => known[flag] ?? words.flags.other(flag))
  return [...new Set([...said, ...saidOfRetries(flags, words)])]
}

/** What reading the page again brought: `tried:<way>=<outcome>` for each time, `kept:<way>`. */
function saidOfRetries(flags: string[], words: Words): string[] {
  const kept = flags.find((flag) => flag.startsWith('kept:'))?.slice('kept:'.length)
  if (kept === undefined) return []
  const times = flags.filter((flag) => flag.startsWith('tried:')).length - 1
  if (kept === 'as_asked') return [words.flags.again_in_vain(times)]
  const mode = /^mode_(.+)$/.exec(kept)?.[1]
  return [words.flags.again(mode ? words.ways.mode(mode) : (words.ways.named[kept] ?? kept))]
}

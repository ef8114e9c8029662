import { Anchor, Indicator, Popover, Stack, Text, UnstyledButton } from '@mantine/core'
import type { Health } from '../api/client'
import { useWords } from '../i18n/words'
import styles from './engine-badge.module.css'

/** Who reads here and how busy that is; asked, it says why and how to get a better one. */
export function EngineBadge({ health, down }: { health: Health | undefined; down: boolean }) {
  const { words } = useWords()
  const said = words.engine
  const engine = health?.engine
  const state = down ? 'unreachable' : (engine?.state ?? 'asked')
  const known: Record<string, [string, string]> = {
    ready: ['teal', said.ready],
    starting: ['yellow', said.starting],
    failed: ['red', said.failed],
    stopped: ['gray', said.stopped],
    unreachable: ['red', said.unreachable],
    asked: ['gray', '…'],
  }
  const [colour, label] = known[state] ?? ['gray', state]
  const waiting = health?.queue.waiting ?? 0
  const running = health?.queue.running ?? 0
  const jobs = health?.queue.jobs ?? 0
  const busy = [running + waiting > 0 && said.queue(running, waiting), jobs > 0 && said.jobs(jobs)].filter(Boolean)
  return (
    <Popover width={330} position="bottom-end" shadow="md" withArrow trapFocus returnFocus>
      <Popover.Target>
        <UnstyledButton className={styles.badge} aria-label={`${said.title}: ${engine?.name ?? ''} ${label}`}>
          <Indicator color={colour} processing={state === 'starting'} position="middle-start" size={9} offset={4}>
            <span className={styles.name}>{engine?.name ?? said.title}</span>
          </Indicator>
          <span className={styles.state}>{label}</span>
          {busy.length > 0 && <span className={styles.queue}>{busy.join(' · ')}</span>}
        </UnstyledButton>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap={6}>
          <Text fw={600}>
            {engine?.name ?? said.title} · {label}
          </Text>
          {engine?.trouble && <Text size="sm" c="red">{engine.trouble}</Text>}
          {health && <Text size="sm">{said.queue(running, waiting)} · {said.jobs(jobs)}</Text>}
          {engine && (
            <Text size="sm">
              {[engine.model, engine.device, ...Object.entries(engine.details).map(([key, value]) => `${key} ${value}`)]
                .filter(Boolean)
                .join(' · ')}
            </Text>
          )}
          {engine?.reason && <Text size="sm" c="dimmed">{said.why}: {engine.reason}</Text>}
          {engine?.name === 'ppocr' && (
            <>
              <Text size="sm" fw={600} mt={4}>{said.better}</Text>
              <Text size="sm">{engine.advice || said.embedded}</Text>
              <Anchor size="sm" href="https://huggingface.co/deepseek-ai/DeepSeek-OCR" target="_blank" rel="noreferrer">
                DeepSeek-OCR
              </Anchor>
            </>
          )}
          {health && <Text size="xs" c="dimmed">{said.version} {health.version}</Text>}
        </Stack>
      </Popover.Dropdown>
    </Popover>
  )
}

import { Anchor, Indicator, Popover, Stack, Text, UnstyledButton, VisuallyHidden } from '@mantine/core'
import type { Health } from '../../api/client'
import { useTranslation, type Texts } from '../../i18n/translation'
import { engineLabel, isEmbedded } from '../../lib/engines'
import styles from './engine-badge.module.css'

/** The engine, its state and its load; a click opens the details. */
export function EngineBadge({ health, offline }: { health: Health | undefined; offline: boolean }) {
  const { t } = useTranslation()
  const engine = health?.engine
  const name = engine ? engineLabel(engine.name) : ''
  const [color, state] = stateOf(health, offline, t)
  const waiting = health?.queue.waiting ?? 0
  const running = health?.queue.running ?? 0
  const jobs = health?.queue.jobs ?? 0
  const load = [
    running + waiting > 0 && t.engine.queue(running, waiting),
    jobs > 0 && t.engine.jobs(jobs),
  ].filter(Boolean)
  return (
    <Popover width={330} position="bottom-end" shadow="md" withArrow trapFocus returnFocus>
      <Popover.Target>
        <UnstyledButton className={styles.badge}>
          <VisuallyHidden>{t.labeled(t.engine.title, '')}</VisuallyHidden>
          <Indicator
            dir="ltr" // names of engines are Latin; the sign stands before them
            color={color}
            processing={engine?.state === 'starting' && !offline}
            position="middle-start"
            size={9}
            offset={4}
          >
            <span className={styles.name}>{name || t.engine.title}</span>
          </Indicator>
          <span className={styles.state}>{state}</span>
          {load.length > 0 && <span className={styles.queue}>{load.join(' · ')}</span>}
        </UnstyledButton>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap={6}>
          <Text fw={600}>
            {name || t.engine.title} · {state}
          </Text>
          {engine?.trouble && <Text size="sm" c="red">{engine.trouble}</Text>}
          {engine?.progress && <Text size="sm">{progressText(engine.progress)}</Text>}
          {health && <Text size="sm">{t.engine.queue(running, waiting)} · {t.engine.jobs(jobs)}</Text>}
          {engine && <EngineDetails engine={engine} />}
          {health && <Text size="xs" c="dimmed">{t.engine.version} {health.version}</Text>}
        </Stack>
      </Popover.Dropdown>
    </Popover>
  )
}

/** Such as "compiling kernels 31/52". */
function progressText({ stage, done, total, unit }: NonNullable<Health['engine']['progress']>): string {
  return total > 0 ? `${stage} ${done}/${total} ${unit}`.trimEnd() : stage
}

function EngineDetails({ engine }: { engine: Health['engine'] }) {
  const { t } = useTranslation()
  const details = Object.entries(engine.details).map(([key, value]) => `${key} ${value}`)
  return (
    <>
      <Text size="sm">{[engine.model, engine.device, ...details].filter(Boolean).join(' · ')}</Text>
      {engine.reason && <Text size="sm" c="dimmed">{t.labeled(t.engine.reason, engine.reason)}</Text>}
      {isEmbedded(engine.name) && (
        <>
          <Text size="sm" fw={600} mt={4}>{t.engine.upgrade}</Text>
          <Text size="sm">{engine.advice || t.engine.upgradeHint}</Text>
          <Anchor size="sm" href="https://huggingface.co/deepseek-ai/DeepSeek-OCR" target="_blank" rel="noreferrer">
            DeepSeek-OCR
          </Anchor>
        </>
      )}
    </>
  )
}

function stateOf(health: Health | undefined, offline: boolean, t: Texts): [color: string, label: string] {
  if (offline) return ['red', t.engine.unreachable]
  if (health === undefined) return ['gray', '…']
  const states: Record<string, [string, string]> = {
    ready: ['teal', t.engine.ready],
    starting: ['yellow', t.engine.starting],
    failed: ['red', t.engine.failed],
    stopped: ['gray', t.engine.stopped],
  }
  return states[health.engine.state] ?? ['gray', health.engine.state]
}

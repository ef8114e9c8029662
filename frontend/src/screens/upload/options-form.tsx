import { Collapse, Group, PasswordInput, Radio, Select, Stack, Text, Textarea, TextInput, Button } from '@mantine/core'
import { IconChevronDown } from '@tabler/icons-react'
import { useState } from 'react'
import type { Modes, Tasks } from '../../api/client'
import { useWords } from '../../i18n/translation'
import { number } from '../../lib/format'
import { visionTokens } from '../../lib/vision-tokens'
import styles from './upload.module.css'

/** How a document is to be read; an empty prompt is the default one. */
export type Asked = { mode: string; prompt: string; pages: string; password: string }
export const ASKED: Asked = { mode: 'gundam', prompt: '', pages: '', password: '' }

const CUSTOM = 'custom'

/** Mode, task and prompt, all out of what the service offers. */
export function Ask(props: {
  modes: Modes
  can: Tasks
  asked: Asked
  onAsk: (asked: Asked) => void
}) {
  const { words, language } = useWords()
  const { modes, asked } = props
  const [custom, setCustom] = useState(false)
  const [more, setMore] = useState(false)
  const set = (change: Partial<Asked>) => props.onAsk({ ...asked, ...change })
  const prompt = asked.prompt || modes.defaultPrompt
  const task = custom ? undefined : modes.tasks.find((known) => known.prompt === prompt)
  const ask = words.ask
  const cannot = (key: string) => props.can != null && !props.can.includes(key)
  const tasks = [
    ...modes.tasks.map(({ key, label }) => ({ value: key, label: words.tasks[key] ?? label })),
    { value: CUSTOM, label: ask.custom },
  ].map((choice) => ({ ...choice, disabled: cannot(choice.value) }))
  return (
    <Stack component="section" gap="md" aria-label={ask.title}>
      <Radio.Group
        label={ask.mode}
        value={asked.mode}
        onChange={(mode) => set({ mode })}
        styles={{ label: { marginBottom: 8, fontWeight: 600 } }}
      >
        <div className={styles.modes}>
          {Object.entries(modes.modes).map(([key, spec]) => (
            <Radio.Card key={key} value={key} className={styles.mode} aria-label={words.modes[key]?.label ?? spec.label}>
              <Group justify="space-between" wrap="nowrap" gap={4}>
                <Text fw={600}>{words.modes[key]?.label ?? spec.label}</Text>
                <Radio.Indicator size="xs" />
              </Group>
              <Text size="xs" c="dimmed" mt={4} mih="2.9em">
                {words.modes[key]?.hint ?? spec.description}
              </Text>
              <Text size="xs" mt={6}>
                {words.quality}: {words.qualities[spec.quality] ?? spec.quality}
                <br />
                {words.speed}: {words.speeds[spec.speed] ?? spec.speed}
                <br />
                {ask.tokens(visionTokens(spec).map((count) => number(count, language)).join('–'))}
              </Text>
            </Radio.Card>
          ))}
        </div>
      </Radio.Group>
      <Group align="end" gap="md">
        <Select
          label={ask.task}
          w={{ base: '100%', xs: 260 }}
          allowDeselect={false}
          value={task?.key ?? CUSTOM}
          data={tasks}
          description={tasks.some((choice) => choice.disabled) ? ask.cannot : undefined}
          onChange={(key) => {
            const chosen = modes.tasks.find((known) => known.key === key)
            setCustom(chosen === undefined)
            setMore(more || chosen === undefined || chosen.key === 'locate')
            if (chosen !== undefined) set({ prompt: chosen.prompt })
          }}
        />
        <Button
          variant="subtle"
          aria-expanded={more}
          rightSection={<IconChevronDown size={16} style={{ rotate: more ? '180deg' : undefined }} />}
          onClick={() => setMore(!more)}
        >
          {ask.more}
        </Button>
      </Group>
      <Collapse expanded={more}>
        <Stack gap="md">
          <Textarea
            label={ask.prompt}
            description={ask.promptHint}
            autosize
            minRows={2}
            maxRows={8}
            maxLength={modes.limits.maxPromptBytes}
            value={prompt}
            onChange={(event) => {
              setCustom(true)
              set({ prompt: event.currentTarget.value })
            }}
            styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
          />
          <Group grow>
            <TextInput
              label={ask.pages}
              placeholder={ask.pagesHint}
              value={asked.pages}
              onChange={(event) => set({ pages: event.currentTarget.value })}
            />
            <PasswordInput
              label={ask.password}
              placeholder={ask.passwordHint}
              autoComplete="off"
              value={asked.password}
              onChange={(event) => set({ password: event.currentTarget.value })}
            />
          </Group>
        </Stack>
      </Collapse>
    </Stack>
  )
}

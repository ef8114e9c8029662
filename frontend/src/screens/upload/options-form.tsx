import { Button, Checkbox, Collapse, Group, Paper, PasswordInput, Pill, Select, Stack, Text, Textarea, TextInput } from '@mantine/core'
import { IconChevronDown } from '@tabler/icons-react'
import { useState } from 'react'
import type { Modes, SupportedTasks } from '../../api/client'
import { useTranslation } from '../../i18n/translation'
import { number } from '../../lib/format'
import { chosenModel, knownTasks, modelLabel, type Model } from '../../lib/models'
import { ExactModes, ModeChoice } from './mode-choice'

/** The options of a new document; an empty model or prompt is the default one. */
export type FormOptions = { model: string; mode: string; prompt: string; pages: string; password: string }
export const DEFAULT_OPTIONS: FormOptions = { model: '', mode: 'auto', prompt: '', pages: '', password: '' }

const CUSTOM = 'custom'

/** Model, mode, task, prompt, pages and password; modes and tasks are those of the model. */
export function OptionsForm(props: {
  modes: Modes
  supportedTasks: SupportedTasks
  options: FormOptions
  onOptions: (options: FormOptions) => void
  together: boolean
  onTogether: (together: boolean) => void
}) {
  const { t, language } = useTranslation()
  const { modes, options } = props
  const [custom, setCustom] = useState(false)
  const [expanded, setExpanded] = useState(false)
  const set = (change: Partial<FormOptions>) => props.onOptions({ ...options, ...change })
  const prompt = options.prompt || modes.defaultPrompt
  const task = custom ? undefined : modes.tasks.find((known) => known.prompt === prompt)
  const model = chosenModel(modes, options.model)
  const supportedTasks = options.model === '' ? props.supportedTasks : knownTasks(model)
  const isUnsupported = (key: string) => supportedTasks != null && !supportedTasks.includes(key)
  const tasks = [
    ...modes.tasks.map(({ key, label }) => ({ value: key, label: t.tasks[key] ?? label })),
    { value: CUSTOM, label: t.options.customPrompt },
  ].map((entry) => ({ ...entry, disabled: isUnsupported(entry.value) }))

  function selectTask(key: string | null) {
    const selected = modes.tasks.find((known) => known.key === key)
    setCustom(selected === undefined)
    setExpanded(expanded || selected === undefined || selected.key === 'locate')
    if (selected !== undefined) set({ prompt: selected.prompt })
  }

  const choice = { modes, model, mode: options.mode, onMode: (mode: string) => set({ mode }) }
  return (
    <Stack component="section" gap="sm" aria-label={t.options.title}>
      <ModeChoice {...choice} />
      <Group justify="space-between" gap="xs">
        <Checkbox
          label={t.upload.together}
          checked={props.together}
          onChange={(event) => props.onTogether(event.currentTarget.checked)}
        />
        <Button
          variant="subtle"
          size="compact-sm"
          aria-expanded={expanded}
          rightSection={<IconChevronDown size={16} style={{ rotate: expanded ? '180deg' : undefined }} />}
          onClick={() => setExpanded(!expanded)}
        >
          {t.options.more}
        </Button>
      </Group>
      <DocumentOptions options={options} onChange={set} />
      <Collapse expanded={expanded}>
        <Paper withBorder p="md">
          <Stack gap="md">
            <ExactModes {...choice} />
            <Group align="end" grow>
              {modes.models.length > 1 && <ModelSelect modes={modes} model={model} onChange={set} mode={options.mode} />}
              <Select
                label={t.options.task}
                allowDeselect={false}
                value={task?.key ?? CUSTOM}
                data={tasks}
                description={tasks.some((entry) => entry.disabled) ? t.options.unsupported : undefined}
                onChange={selectTask}
              />
            </Group>
            <Textarea
              label={t.options.prompt}
              description={t.options.promptHint}
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
            <Group grow align="start">
              <TextInput
                label={t.options.pages}
                placeholder={t.options.pagesHint}
                value={options.pages}
                onChange={(event) => set({ pages: event.currentTarget.value })}
              />
              <PasswordInput
                label={t.options.password}
                placeholder={t.options.passwordHint}
                autoComplete="off"
                value={options.password}
                onChange={(event) => set({ password: event.currentTarget.value })}
              />
            </Group>
            <Text size="sm" c="dimmed">
              {t.upload.limits(number(modes.limits.maxJobMb, language), number(modes.limits.maxJobPages, language))}
            </Text>
          </Stack>
        </Paper>
      </Collapse>
    </Stack>
  )
}

/** The model of the service that reads; those that cannot read at present are greyed out. */
function ModelSelect(props: {
  modes: Modes
  model: Model | undefined
  mode: string
  onChange: (change: Partial<FormOptions>) => void
}) {
  const { t } = useTranslation()
  const { models } = props.modes

  function select(name: string | null) {
    const model = models.find((known) => known.name === name)
    if (model === undefined) return
    const mode = ['auto', ...model.modes].includes(props.mode) ? props.mode : 'auto'
    props.onChange({ model: model.default ? '' : model.name, mode })
  }

  return (
    <Select
      label={t.options.model}
      allowDeselect={false}
      value={props.model?.name ?? null}
      data={models.map((model) => ({
        value: model.name,
        label: modelLabel(model),
        disabled: model.reason !== '',
      }))}
      description={models.some(({ reason }) => reason !== '') ? t.options.unavailableModels : undefined}
      onChange={select}
    />
  )
}

/** What applies to the next document alone; each chip can be taken off. */
function DocumentOptions(props: {
  options: FormOptions
  onChange: (change: Partial<FormOptions>) => void
}) {
  const { t } = useTranslation()
  const { pages, password } = props.options
  const chips = [
    pages.trim() !== '' && { label: t.labeled(t.options.pages, pages), off: { pages: '' } },
    password !== '' && { label: t.options.withPassword, off: { password: '' } },
  ].filter((chip) => chip !== false)
  if (chips.length === 0) return null
  return (
    <Group gap="xs" role="group" aria-label={t.options.nextDocument}>
      <Text size="sm">{t.options.nextDocument}</Text>
      {chips.map(({ label, off }) => (
        <Pill
          key={label}
          withRemoveButton
          onRemove={() => props.onChange(off)}
          removeButtonProps={{ 'aria-label': t.options.takeOff(label), 'aria-hidden': false, tabIndex: 0 }}
        >
          {label}
        </Pill>
      ))}
    </Group>
  )
}

import { Button, Collapse, Group, PasswordInput, Pill, Radio, Select, Stack, Text, Textarea, TextInput } from '@mantine/core'
import { IconChevronDown } from '@tabler/icons-react'
import { useState } from 'react'
import type { Modes, SupportedTasks } from '../../api/client'
import { useTranslation } from '../../i18n/translation'
import { number } from '../../lib/format'
import { chosenModel, knownTasks, modelLabel, type Model } from '../../lib/models'
import styles from './upload.module.css'

/** The options of a new document; an empty model or prompt is the default one. */
export type FormOptions = { model: string; mode: string; prompt: string; pages: string; password: string }
export const DEFAULT_OPTIONS: FormOptions = { model: '', mode: 'gundam', prompt: '', pages: '', password: '' }

const CUSTOM = 'custom'

/** Model, mode, task, prompt, pages and password; modes and tasks are those of the model. */
export function OptionsForm(props: {
  modes: Modes
  supportedTasks: SupportedTasks
  options: FormOptions
  onOptions: (options: FormOptions) => void
}) {
  const { t } = useTranslation()
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

  return (
    <Stack component="section" gap="md" aria-label={t.options.title}>
      <ModeCards modes={modes} model={model} mode={options.mode} onMode={(mode) => set({ mode })} />
      <Group align="end" gap="md">
        {modes.models.length > 1 && <ModelSelect modes={modes} model={model} onChange={set} mode={options.mode} />}
        <Select
          label={t.options.task}
          w={{ base: '100%', xs: 260 }}
          allowDeselect={false}
          value={task?.key ?? CUSTOM}
          data={tasks}
          description={tasks.some((entry) => entry.disabled) ? t.options.unsupported : undefined}
          onChange={selectTask}
        />
        <Button
          variant="subtle"
          aria-expanded={expanded}
          rightSection={<IconChevronDown size={16} style={{ rotate: expanded ? '180deg' : undefined }} />}
          onClick={() => setExpanded(!expanded)}
        >
          {t.options.more}
        </Button>
      </Group>
      <DocumentOptions options={options} onChange={set} />
      <Collapse expanded={expanded}>
        <Stack gap="md">
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
          <Group grow>
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
        </Stack>
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
    const mode = model.modes.includes(props.mode) ? props.mode : (model.modes[0] ?? props.mode)
    props.onChange({ model: model.default ? '' : model.name, mode })
  }

  return (
    <Select
      label={t.options.model}
      w={{ base: '100%', xs: 260 }}
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

/** The resolution modes, each with its quality, its speed and its number of vision tokens. */
function ModeCards(props: {
  modes: Modes
  model: Model | undefined
  mode: string
  onMode: (mode: string) => void
}) {
  const { t, language } = useTranslation()
  const offered = Object.entries(props.modes.modes).filter(
    ([key]) => props.model === undefined || props.model.modes.includes(key),
  )
  const visionTokens = props.model?.visionTokens ?? props.modes.visionTokens
  return (
    <Radio.Group
      label={t.options.mode}
      value={props.mode}
      onChange={props.onMode}
      styles={{ label: { marginBottom: 8, fontWeight: 600 } }}
    >
      <div className={styles.modes}>
        {offered.map(([key, spec]) => {
          const label = t.modes[key]?.label ?? spec.label
          const tokens = (visionTokens[key] ?? []).map((count) => number(count, language))
          return (
            <Radio.Card
              key={key}
              value={key}
              className={styles.mode}
              tabIndex={key === props.mode ? 0 : -1}
            >
              <Group justify="space-between" wrap="nowrap" gap={4}>
                <Text fw={600}>{label}</Text>
                <Radio.Indicator size="xs" />
              </Group>
              <Text size="xs" c="dimmed" mt={4} mih="2.9em">
                {t.modes[key]?.hint(spec.image_size) ?? spec.description}
              </Text>
              <Text size="xs" mt={6}>
                {t.labeled(t.options.quality, t.qualities[spec.quality] ?? spec.quality)}
                <br />
                {t.labeled(t.options.speed, t.speeds[spec.speed] ?? spec.speed)}
                <br />
                {t.options.tokens(tokens.join('–'))}
              </Text>
            </Radio.Card>
          )
        })}
      </div>
    </Radio.Group>
  )
}

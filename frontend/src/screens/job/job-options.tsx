import { Badge, Group } from '@mantine/core'
import type { Job, Modes } from '../../api/client'
import { useTranslation, type Texts } from '../../i18n/translation'

/** The options that a document was read with, as chips; `pageMode`: the mode of the page shown. */
export function JobOptions(props: { job: Job; modes: Modes | undefined; pageMode: string | null | undefined }) {
  const { job, modes, pageMode } = props
  const { t } = useTranslation()
  return (
    <Group gap={6} role="group" aria-label={t.options.title}>
      {optionChips(job, modes, t, pageMode).map((chip) => (
        <Badge key={chip} size="sm" variant="default" tt="none" fw={500}>
          {chip}
        </Badge>
      ))}
    </Group>
  )
}

/** The mode, the model, the task where it is not the default one, and a selection of pages. */
export function optionChips(job: Job, modes: Modes | undefined, t: Texts, pageMode?: string | null): string[] {
  const chips = [modeLabel(job.mode, t), job.model || job.engine]
  if (job.mode === 'auto' && pageMode != null) chips[0] += ` · ${modeLabel(pageMode, t)}`
  const inFiles = job.files.reduce((sum, file) => sum + file.pages, 0)
  if (job.pagesTotal < inFiles) chips.push(t.options.somePages(job.pagesTotal, inFiles))
  if (modes !== undefined && job.prompt !== modes.defaultPrompt) {
    const task = modes.tasks.find(({ prompt }) => prompt === job.prompt)
    chips.push(task === undefined ? t.options.customPrompt : (t.tasks[task.key] ?? task.label))
  }
  return chips
}

export function modeLabel(mode: string, t: Texts): string {
  return mode === 'auto' ? t.start.auto.label : (t.modes[mode]?.label ?? mode)
}

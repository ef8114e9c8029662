import { Badge, Group } from '@mantine/core'
import type { Job, Modes } from '../../api/client'
import { useTranslation, type Texts } from '../../i18n/translation'

/** The options that a document was read with, as chips. */
export function JobOptions({ job, modes }: { job: Job; modes: Modes | undefined }) {
  const { t } = useTranslation()
  return (
    <Group gap={6} role="group" aria-label={t.options.title}>
      {optionChips(job, modes, t).map((chip) => (
        <Badge key={chip} size="sm" variant="default" tt="none" fw={500}>
          {chip}
        </Badge>
      ))}
    </Group>
  )
}

/** The mode, the model, the task where it is not the default one, and a selection of pages. */
export function optionChips(job: Job, modes: Modes | undefined, t: Texts): string[] {
  const chips = [t.modes[job.mode]?.label ?? job.mode, job.model || job.engine]
  const inFiles = job.files.reduce((sum, file) => sum + file.pages, 0)
  if (job.pagesTotal < inFiles) chips.push(t.options.somePages(job.pagesTotal, inFiles))
  if (modes !== undefined && job.prompt !== modes.defaultPrompt) {
    const task = modes.tasks.find(({ prompt }) => prompt === job.prompt)
    chips.push(task === undefined ? t.options.customPrompt : (t.tasks[task.key] ?? task.label))
  }
  return chips
}

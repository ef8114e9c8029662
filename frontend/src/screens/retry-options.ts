import type { Modes, SupportedTasks } from '../api/client'
import type { Texts } from '../i18n/translation'
import type { RetryOption } from '../viewer/retry-menu'

/** The ways to retry a page: every mode with the current prompt, every other supported task with
 * the current mode. */
export function retryOptions(
  { modes, supportedTasks }: { modes: Modes | undefined; supportedTasks: SupportedTasks },
  t: Texts,
  mode: string,
  prompt: string,
): RetryOption[] {
  if (modes === undefined) return []
  const byMode = Object.entries(modes.modes).map(([key, spec]) => ({
    key: `mode-${key}`,
    label: t.modes[key]?.label ?? spec.label,
    hint: t.modes[key]?.hint(spec.image_size) ?? spec.description,
    mode: key,
    prompt,
  }))
  const byTask = modes.tasks
    .filter((task) => task.key !== 'locate' && task.prompt !== prompt)
    .filter((task) => supportedTasks == null || supportedTasks.includes(task.key))
    .map((task) => ({
      key: `task-${task.key}`,
      label: t.tasks[task.key] ?? task.label,
      hint: task.prompt.replace('<image>', '').trim(),
      mode,
      prompt: task.prompt,
    }))
  return [...byMode, ...byTask]
}

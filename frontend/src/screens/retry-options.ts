import type { Job, Modes, SupportedTasks } from '../api/client'
import type { Texts } from '../i18n/translation'
import { knownTasks } from '../lib/models'
import type { RetryOption } from '../viewer/retry-menu'

/** The ways to retry a page: turned, in every mode of the job's model with the current prompt, with every
 * other task of it in the current mode. */
export function retryOptions(
  { modes, supportedTasks }: { modes: Modes | undefined; supportedTasks: SupportedTasks },
  t: Texts,
  { mode, prompt, engine, model: readBy }: Pick<Job, 'mode' | 'prompt' | 'engine' | 'model'>,
  /** Of the page, in degrees. */
  rotation: number,
): RetryOption[] {
  if (modes === undefined) return []
  const model = modes.models.find(({ name, model }) => name === engine || model === readBy)
  const known = Object.entries(modes.modes).filter(([key]) => model === undefined || model.modes.includes(key))
  const tasks = knownTasks(model) ?? supportedTasks
  const byMode = known.map(([key, spec]) => ({
    key: `mode-${key}`,
    label: t.modes[key]?.label ?? spec.label,
    hint: t.modes[key]?.hint(spec.image_size) ?? spec.description,
    mode: key,
    prompt,
  }))
  const byTask = modes.tasks
    .filter((task) => task.key !== 'locate' && task.prompt !== prompt)
    .filter((task) => tasks == null || tasks.includes(task.key))
    .map((task) => ({
      key: `task-${task.key}`,
      label: t.tasks[task.key] ?? task.label,
      hint: task.prompt.replace('<image>', '').trim(),
      mode,
      prompt: task.prompt,
    }))
  const turns = ([['right', 90], ['left', 270], ['over', 180]] as const).map(([turn, degrees]) => ({
    key: `turn-${turn}`,
    label: t.turns[turn],
    mode,
    prompt,
    rotation: (rotation + degrees) % 360,
  }))
  return [...turns, ...byMode, ...byTask]
}

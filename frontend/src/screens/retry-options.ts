import type { Modes, Tasks } from '../api/client'
import type { Words } from '../i18n/translation'
import type { Choice } from '../viewer/page-notices'

/** Other ways to read: every mode with the prompt at hand, every task that the engine can do with
 * the mode at hand. */
export function choicesOf(
  { modes, can }: { modes: Modes | undefined; can: Tasks },
  words: Words,
  mode: string,
  prompt: string,
): Choice[] {
  if (modes === undefined) return []
  const byMode = Object.entries(modes.modes).map(([key, spec]) => ({
    key: `mode-${key}`,
    label: words.modes[key]?.label ?? spec.label,
    hint: words.modes[key]?.hint ?? spec.description,
    mode: key,
    prompt,
  }))
  const byTask = modes.tasks
    .filter((task) => task.key !== 'locate' && task.prompt !== prompt)
    .filter((task) => can == null || can.includes(task.key))
    .map((task) => ({
      key: `task-${task.key}`,
      label: words.tasks[task.key] ?? task.label,
      hint: task.prompt.replace('<image>', '').trim(),
      mode,
      prompt: task.prompt,
    }))
  return [...byMode, ...byTask]
}

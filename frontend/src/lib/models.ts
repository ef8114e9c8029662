import type { Modes } from '../api/client'

export type Model = Modes['models'][number]

/** The model of a name; the default one for the empty name, and for one that is gone. */
export function chosenModel({ models }: Pick<Modes, 'models'>, name: string): Model | undefined {
  return models.find((model) => model.name === name) ?? models.find((model) => model.default)
}

/** The mode to ask for; `auto` where the model does not have the chosen one. */
export function offeredMode(modes: Pick<Modes, 'models'> | undefined, chosen: { model: string; mode: string }): string {
  const offered = modes && chosenModel(modes, chosen.model)?.modes
  return offered === undefined || offered.includes(chosen.mode) ? chosen.mode : 'auto'
}

/** The name that requests send, and what it runs where that says more. */
export function modelLabel({ name, model }: Model): string {
  return model === null || model === name ? name : `${name} (${model})`
}

/** The tasks of a model; undefined while they are not known, and then every task is offered. */
export function knownTasks(model: Model | undefined): string[] | undefined {
  return model === undefined || model.tasks.length === 0 ? undefined : model.tasks
}

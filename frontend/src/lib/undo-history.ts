// The changes of a job that can be taken back, kept in the tab's storage: a reload keeps them.

export type Change = { page: number; block: number; before: string | null; after: string | null }
export type UndoHistory = { past: readonly Change[]; future: readonly Change[] }

const EMPTY: UndoHistory = { past: [], future: [] }
const MAX_CHANGES = 100

const keyOf = (jobId: string) => `dsocr-undo-${jobId}`

export function storedHistory(jobId: string): UndoHistory {
  const text = sessionStorage.getItem(keyOf(jobId))
  return text === null ? EMPTY : JSON.parse(text)
}

export function storeHistory(jobId: string, { past, future }: UndoHistory): void {
  const kept = { past: past.slice(-MAX_CHANGES), future: future.slice(-MAX_CHANGES) }
  try {
    sessionStorage.setItem(keyOf(jobId), JSON.stringify(kept))
  } catch {
    sessionStorage.removeItem(keyOf(jobId)) // it is full: these changes are undone until a reload
  }
}

export function withChange({ past }: UndoHistory, change: Change): UndoHistory {
  return { past: [...past, change], future: [] }
}

/** The change that a step takes back or makes again, and the history after it. */
export function stepped({ past, future }: UndoHistory, back: boolean): [Change | undefined, UndoHistory] {
  const change = (back ? past : future).at(-1)
  if (change === undefined) return [undefined, { past, future }]
  return back
    ? [change, { past: past.slice(0, -1), future: [...future, change] }]
    : [change, { past: [...past, change], future: future.slice(0, -1) }]
}

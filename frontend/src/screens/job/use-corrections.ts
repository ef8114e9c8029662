import { useQueryClient } from '@tanstack/react-query'
import { startTransition, useCallback, useEffect, useRef, useState } from 'react'
import * as api from '../../api/client'
import { draftsOf, removeDraft, storeDraft, type Draft } from '../../lib/drafts'
import { stepped, storedHistory, storeHistory, withChange, type Change, type UndoHistory } from '../../lib/undo-history'
import { show } from '../refresh'

const RETRY_MILLISECONDS = 4000
const POLL_MILLISECONDS = 50

export type Corrections = ReturnType<typeof useCorrections>

/** The corrections of a job: kept on this device until the server has them, with undo and redo. */
export function useCorrections(jobId: string) {
  const cache = useQueryClient()
  const [drafts, setDrafts] = useState<readonly Draft[]>([])
  const [failed, setFailed] = useState(false)
  const [history, setHistory] = useState(() => storedHistory(jobId))
  const sending = useRef(false)
  const latest = useRef(drafts) // also what is not rendered yet
  const change = useCallback((changed: (all: readonly Draft[]) => readonly Draft[]) => {
    latest.current = changed(latest.current)
    setDrafts(latest.current)
  }, [])

  useEffect(() => {
    const isIn = (drafts: readonly Draft[]) => (draft: Draft) => drafts.some((each) => isSame(each, draft))
    draftsOf(jobId).then(
      (stored) => change((all) => [...stored.filter((draft) => !isIn(all)(draft)), ...all]),
      () => undefined, // without IndexedDB they are kept in this tab
    )
  }, [jobId, change])

  const put = (draft: Draft) => {
    storeDraft(draft).catch(() => undefined)
    change((all) => [...all.filter((each) => !isSame(each, draft)), draft])
  }
  const drop = (draft: Draft) => {
    removeDraft(draft).catch(() => undefined)
    change((all) => all.filter((each) => !isSame(each, draft)))
  }

  const unsent = drafts.filter(({ phase }) => phase === 'saved')
  const send = useCallback(
    async (draft: Draft) => {
      if (sending.current) return
      sending.current = true
      try {
        const { page, block, text } = draft
        const corrected = await api.correctPage(jobId, page, [{ id: block, text }])
        show(cache, ['page', jobId, page], corrected)
        setFailed(false)
        sending.current = false
        // A newer change of the block is sent by the next call.
        change((all) => all.filter((each) => each !== draft))
        removeUnlessReplaced(draft)
      } catch {
        sending.current = false
        setFailed(true)
      }
    },
    [cache, jobId, change],
  )
  const next = unsent[0]
  useEffect(() => {
    if (next === undefined) return
    if (!failed) void send(next)
    const timer = setInterval(() => void send(next), RETRY_MILLISECONDS)
    return () => clearInterval(timer)
  }, [next, failed, send])

  const save = (page: number, block: number, text: string | null) =>
    put({ jobId, page, block, text, phase: 'saved' })

  function keepHistory(next: UndoHistory) {
    setHistory(next)
    storeHistory(jobId, next)
  }

  function correct(change: Change) {
    save(change.page, change.block, change.after)
    keepHistory(withChange(history, change))
  }

  /** Takes the last change back, or makes it again; the page that it is on. */
  function step(back: boolean): number | undefined {
    const [change, after] = stepped(history, back)
    if (change === undefined) return undefined
    save(change.page, change.block, back ? change.before : change.after)
    keepHistory(after)
    return change.page
  }

  /** Changes of a page that is read again cannot be taken back: its blocks are others. */
  function forget(page: number) {
    const isOther = (change: Change) => change.page !== page
    keepHistory({ past: history.past.filter(isOther), future: history.future.filter(isOther) })
  }

  /** Resolves when the server has all corrections of the page. */
  async function stored(page: number): Promise<void> {
    const isWaiting = (draft: Draft) => draft.page === page && draft.phase === 'saved'
    while (latest.current.some(isWaiting)) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS))
    }
  }

  return {
    drafts,
    stored,
    /** Corrections that the server does not have although they were sent. */
    unstored: failed ? unsent.length : 0,
    correct,
    step,
    forget,
    canUndo: history.past.length > 0,
    canRedo: history.future.length > 0,
    /** What was typed or saved for a block and is not stored by the server. */
    draftOf: (page: number, block: number) =>
      latest.current.find((each) => each.page === page && each.block === block)?.text,
    /** The next key is not delayed by what this changes beside the editor. */
    type: (page: number, block: number, text: string) =>
      startTransition(() => put({ jobId, page, block, text, phase: 'typed' })),
    discard: (page: number, block: number) =>
      drop({ jobId, page, block, text: null, phase: 'typed' }),
  }
}

function isSame(a: Draft, b: Draft): boolean {
  return a.jobId === b.jobId && a.page === b.page && a.block === b.block
}

/** Another change of the block may have been stored while this one was sent. */
async function removeUnlessReplaced(draft: Draft): Promise<void> {
  const stored = await draftsOf(draft.jobId).catch(() => [])
  const present = stored.find((each) => isSame(each, draft))
  if (present?.text === draft.text && present.phase === draft.phase) await removeDraft(draft)
}

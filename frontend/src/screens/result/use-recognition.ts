import { useCallback, useEffect, useReducer, useRef, useState } from 'react'
import { read, type ReadOptions } from '../../api/client'
import { afterEvent, NOTHING_READ, type Reading } from '../../lib/result'
import type { ServerEvent } from '../../lib/sse'

export type Request = { file: File; options: ReadOptions }
export type Phase = 'idle' | 'uploading' | 'reading' | 'done' | 'cancelled' | 'failed'
type Change =
  | { kind: 'event'; event: ServerEvent }
  | { kind: 'clear' }
  | { kind: 'correct'; page: number; block: number; text: string | null }

/** The one document that is read before the user's eyes; it lives as long as the tab. */
export function useReading() {
  const [request, setRequest] = useState<Request | null>(null)
  const [phase, setPhase] = useState<Phase>('idle')
  const [uploaded, setUploaded] = useState(0)
  const [error, setError] = useState<unknown>(null)
  const [reading, change] = useReducer(changed, NOTHING_READ)
  const running = useRef<AbortController | null>(null)

  const start = useCallback((next: Request) => {
    running.current?.abort()
    const controller = new AbortController()
    running.current = controller
    setRequest(next)
    setPhase('uploading')
    setUploaded(0)
    setError(null)
    change({ kind: 'clear' })
    const live = () => running.current === controller
    read(next.file, next.options, {
      signal: controller.signal,
      onProgress: (fraction) => {
        if (!live()) return
        setUploaded(fraction)
        if (fraction === 1) setPhase('reading')
      },
      onEvent: (event) => {
        if (!live()) return
        setPhase(event.event === 'done' ? 'done' : event.event === 'error' ? 'failed' : 'reading')
        change({ kind: 'event', event })
      },
    }).then(
      () => live() && setPhase((now) => (now === 'done' ? now : 'failed')),
      (problem: unknown) => {
        if (!live()) return
        setError(problem)
        setPhase(controller.signal.aborted ? 'cancelled' : 'failed')
      },
    )
  }, [])

  const cancel = useCallback(() => running.current?.abort(), [])
  const correct = useCallback(
    (page: number, block: number, text: string | null) =>
      change({ kind: 'correct', page, block, text }),
    [],
  )
  useEffect(() => () => running.current?.abort(), [])
  return { request, phase, uploaded, error, reading, start, cancel, correct }
}

export type ReadingNow = ReturnType<typeof useReading>

function changed(reading: Reading, change: Change): Reading {
  if (change.kind === 'clear') return NOTHING_READ
  if (change.kind === 'event') return afterEvent(reading, change.event)
  const pages = reading.pages.map((state, index) => {
    if (index !== change.page || state.status !== 'done') return state
    const corrections = { ...state.corrections }
    if (change.text === null) delete corrections[change.block]
    else corrections[change.block] = change.text
    return { ...state, corrections }
  })
  return { ...reading, pages }
}

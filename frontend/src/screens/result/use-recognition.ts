import { useCallback, useEffect, useReducer, useRef, useState } from 'react'
import { recognize, type OcrOptions } from '../../api/client'
import { applyEvent, EMPTY_RESULT, type StreamedResult } from '../../lib/result'
import type { ServerEvent } from '../../lib/sse'

export type RecognitionRequest = { file: File; options: OcrOptions }
export type Phase = 'idle' | 'uploading' | 'processing' | 'done' | 'cancelled' | 'failed'
type Action =
  | { kind: 'event'; event: ServerEvent }
  | { kind: 'clear' }
  | { kind: 'correct'; page: number; block: number; text: string | null }

/** Recognizes one document with a streamed response. The result exists in this tab only. */
export function useRecognition() {
  const [request, setRequest] = useState<RecognitionRequest | null>(null)
  const [phase, setPhase] = useState<Phase>('idle')
  const [uploaded, setUploaded] = useState(0)
  const [error, setError] = useState<unknown>(null)
  const [result, dispatch] = useReducer(reduce, EMPTY_RESULT)
  const running = useRef<AbortController | null>(null)

  const start = useCallback((next: RecognitionRequest) => {
    running.current?.abort()
    const controller = new AbortController()
    running.current = controller
    setRequest(next)
    setPhase('uploading')
    setUploaded(0)
    setError(null)
    dispatch({ kind: 'clear' })
    const isCurrent = () => running.current === controller
    recognize(next.file, next.options, {
      signal: controller.signal,
      onProgress: (fraction) => {
        if (!isCurrent()) return
        setUploaded(fraction)
        if (fraction === 1) setPhase('processing')
      },
      onEvent: (event) => {
        if (!isCurrent()) return
        setPhase(event.event === 'done' ? 'done' : event.event === 'error' ? 'failed' : 'processing')
        dispatch({ kind: 'event', event })
      },
    }).then(
      () => isCurrent() && setPhase((current) => (current === 'done' ? current : 'failed')),
      (failure: unknown) => {
        if (!isCurrent()) return
        setError(failure)
        setPhase(controller.signal.aborted ? 'cancelled' : 'failed')
      },
    )
  }, [])

  const cancel = useCallback(() => running.current?.abort(), [])
  const correct = useCallback(
    (page: number, block: number, text: string | null) =>
      dispatch({ kind: 'correct', page, block, text }),
    [],
  )
  useEffect(() => () => running.current?.abort(), [])
  return { request, phase, uploaded, error, result, start, cancel, correct }
}

export type Recognition = ReturnType<typeof useRecognition>

function reduce(result: StreamedResult, action: Action): StreamedResult {
  if (action.kind === 'clear') return EMPTY_RESULT
  if (action.kind === 'event') return applyEvent(result, action.event)
  const pages = result.pages.map((state, index) => {
    if (index !== action.page || state.status !== 'done') return state
    const corrections = { ...state.corrections }
    if (action.text === null) delete corrections[action.block]
    else corrections[action.block] = action.text
    return { ...state, corrections }
  })
  return { ...result, pages }
}

import { useEffect, useRef, useState } from 'react'
import { submitJob, type Job } from '../../api/client'
import type { FormOptions } from './options-form'

/** A document on its way to the server. `from` is the address that it was added at. */
export type Upload = {
  id: number
  files: File[]
  options: FormOptions
  from: string
  phase: 'waiting' | 'sending' | 'failed'
  fraction: number
  error: unknown
}

const MAX_SENDING = 2

/** The uploads of this tab, whichever screen it shows; a few are sent at a time. */
export function useUploads(props: {
  /** Until then they wait. */
  ready: boolean
  /** The options to send for those that were chosen. */
  optionsOf: (chosen: FormOptions) => FormOptions
  onAccepted: (job: Job, upload: Upload) => void
}) {
  const [uploads, setUploads] = useState<Upload[]>([])
  const sending = useRef(new Map<number, AbortController>())
  const counter = useRef(0)
  const latest = useRef(props)
  latest.current = props

  const change = (id: number, values: Partial<Upload>) =>
    setUploads((all) => all.map((each) => (each.id === id ? { ...each, ...values } : each)))
  const remove = (id: number) => setUploads((all) => all.filter((each) => each.id !== id))

  function add(documents: File[][], options: FormOptions) {
    const from = window.location.hash
    const added = documents.map((files) => ({
      ...{ id: ++counter.current, files, options, from },
      ...({ phase: 'waiting', fraction: 0, error: null } as const),
    }))
    setUploads((all) => [...all, ...added])
  }

  async function send(upload: Upload) {
    const { id, files, options } = upload
    const controller = new AbortController()
    sending.current.set(id, controller)
    change(id, { phase: 'sending', fraction: 0, error: null })
    const onProgress = (fraction: number) => change(id, { fraction })
    try {
      const job = await submitJob(files, latest.current.optionsOf(options), { signal: controller.signal, onProgress })
      remove(id)
      latest.current.onAccepted(job, upload)
    } catch (error) {
      if (controller.signal.aborted) remove(id)
      else change(id, { phase: 'failed', error })
    }
    sending.current.delete(id)
  }

  useEffect(() => {
    if (!props.ready) return
    const waiting = uploads.filter(({ id, phase }) => phase === 'waiting' && !sending.current.has(id))
    for (const upload of waiting.slice(0, Math.max(0, MAX_SENDING - sending.current.size))) void send(upload)
  })

  const unsent = uploads.some(({ phase }) => phase !== 'failed')
  useEffect(() => {
    if (!unsent) return
    const ask = (event: BeforeUnloadEvent) => event.preventDefault()
    window.addEventListener('beforeunload', ask)
    return () => window.removeEventListener('beforeunload', ask)
  }, [unsent])

  function cancel(id: number) {
    const controller = sending.current.get(id)
    if (controller === undefined) remove(id)
    else controller.abort()
  }

  function retry(id: number, password?: string) {
    const upload = uploads.find((each) => each.id === id)
    if (upload === undefined) return
    const options = password === undefined ? upload.options : { ...upload.options, password }
    change(id, { phase: 'waiting', options })
  }

  return { uploads, add, cancel, retry }
}

export type Uploads = ReturnType<typeof useUploads>

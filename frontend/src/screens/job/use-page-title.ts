import { useEffect, useRef } from 'react'
import type { Job } from '../../api/client'
import type { Texts } from '../../i18n/translation'
import { isActive } from './use-job'

const PRODUCT = 'dsocr'

/** The title of the browser's tab: the progress while pages are read, and the document's name. */
export function usePageTitle(job: Job | undefined, name: string): void {
  useEffect(() => {
    if (job === undefined) return
    const progress = isActive(job) ? `${job.pagesDone}/${job.pagesTotal} · ` : ''
    document.title = `${progress}${name} · ${PRODUCT}`
    return () => {
      document.title = PRODUCT
    }
  }, [job, name])
}

/** Tells the user that the document is read, if they look at another tab and have allowed it. */
export function useNotification(job: Job | undefined, name: string, t: Texts): void {
  const wasActive = useRef(false)
  const active = job !== undefined && isActive(job)
  useEffect(() => {
    const ended = wasActive.current && !active
    wasActive.current = active
    if (!ended || !document.hidden || !canNotify() || Notification.permission !== 'granted') return
    const shown = new Notification(name, { body: t.reading.notification, tag: window.location.hash })
    shown.onclick = () => window.focus()
  }, [active, name, t])
}

/** Browsers have notifications on HTTPS and localhost alone. */
export function canNotify(): boolean {
  return 'Notification' in window
}

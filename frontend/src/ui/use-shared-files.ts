import { useEffect, useRef } from 'react'

const SHARED = 'dsocr-shared' // as in public/sw.js

/** Calls `onFiles` with the files that were shared with the installed page, each once, if the page was
 * opened for them. */
export function useSharedFiles(ready: boolean, onFiles: (files: File[]) => void): void {
  const latest = useRef(onFiles)
  latest.current = onFiles
  useEffect(() => {
    if (!ready || !('caches' in window) || !new URLSearchParams(location.search).has('shared')) return
    history.replaceState(history.state, '', `${location.pathname}${location.hash}`)
    void takeFiles().then((files) => files.length > 0 && latest.current(files))
  }, [ready])
}

async function takeFiles(): Promise<File[]> {
  const cache = await caches.open(SHARED)
  const files: File[] = []
  for (const request of await cache.keys()) {
    const stored = await cache.match(request)
    const taken = await cache.delete(request) // false: another tab has it
    if (stored === undefined || !taken) continue
    const name = decodeURIComponent(stored.headers.get('X-Name') ?? 'shared')
    files.push(new File([await stored.blob()], name, { type: stored.headers.get('Content-Type') ?? '' }))
  }
  return files
}

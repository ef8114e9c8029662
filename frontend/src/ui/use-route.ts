import { useCallback, useSyncExternalStore } from 'react'
import { formatRoute, parseRoute, type Route } from '../lib/route'

function subscribe(listener: () => void) {
  window.addEventListener('hashchange', listener)
  return () => window.removeEventListener('hashchange', listener)
}

export type Navigate = (route: Route, how?: 'push' | 'replace') => void

/** The route in the URL fragment, and a function to change it; `replace` adds no history entry. */
export function useRoute(): { route: Route; navigate: Navigate } {
  const hash = useSyncExternalStore(subscribe, () => window.location.hash)
  const navigate = useCallback<Navigate>((route, how = 'push') => {
    const next = formatRoute(route)
    if (how === 'push') window.location.hash = next
    else {
      window.history.replaceState(null, '', next)
      window.dispatchEvent(new HashChangeEvent('hashchange'))
    }
  }, [])
  return { route: parseRoute(hash), navigate }
}

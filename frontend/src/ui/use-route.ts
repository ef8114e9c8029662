import { useCallback, useSyncExternalStore } from 'react'
import { formatAddress, parseAddress, type Address } from '../lib/route'

function subscribe(listener: () => void) {
  window.addEventListener('hashchange', listener)
  return () => window.removeEventListener('hashchange', listener)
}

/** The address after `#`, and how to go elsewhere; `replace` leaves no step to go back to. */
export function useAddress() {
  const hash = useSyncExternalStore(subscribe, () => window.location.hash)
  const go = useCallback((address: Address, how: 'push' | 'replace' = 'push') => {
    const next = formatAddress(address)
    if (how === 'push') window.location.hash = next
    else {
      window.history.replaceState(null, '', next)
      window.dispatchEvent(new HashChangeEvent('hashchange'))
    }
  }, [])
  return { address: parseAddress(hash), go }
}

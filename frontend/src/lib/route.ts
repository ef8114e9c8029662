// What the address bar holds after `#`: which screen, which job, page and tab.

export const TABS = ['rendered', 'source', 'blocks', 'raw'] as const
export type Tab = (typeof TABS)[number]

export type Address =
  | { screen: 'new' }
  | { screen: 'history' }
  | { screen: 'result'; tab: Tab }
  | { screen: 'job'; jobId: string; page: number; tab: Tab }

/** An address that says nothing known is the start screen. */
export function parseAddress(hash: string): Address {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?')
  const words = new URLSearchParams(query)
  const [screen, jobId] = path.split('/')
  const tab = TABS.find((known) => known === words.get('view')) ?? 'rendered'
  if (screen === 'result') return { screen, tab }
  if (screen !== 'jobs') return { screen: 'new' }
  if (jobId === undefined || !/^[\w-]{1,100}$/.test(jobId)) return { screen: 'history' }
  const page = Number(words.get('page') ?? '1')
  return { screen: 'job', jobId, page: Number.isInteger(page) && page > 0 ? page - 1 : 0, tab }
}

export function formatAddress(address: Address): string {
  if (address.screen === 'new') return '#/'
  if (address.screen === 'history') return '#/jobs'
  const words = new URLSearchParams()
  if (address.screen === 'job' && address.page > 0) words.set('page', String(address.page + 1))
  if (address.tab !== 'rendered') words.set('view', address.tab)
  const path = address.screen === 'job' ? `#/jobs/${address.jobId}` : '#/result'
  return words.size > 0 ? `${path}?${words}` : path
}

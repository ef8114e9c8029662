// The URL fragment as a route: the screen, and its job, page and tab.

export const TABS = ['rendered', 'source', 'blocks', 'raw'] as const
export type Tab = (typeof TABS)[number]

export type Route =
  | { screen: 'new' }
  | { screen: 'history' }
  | { screen: 'job'; jobId: string; page: number; tab: Tab }

/** An unknown fragment is the start screen. */
export function parseRoute(hash: string): Route {
  const [path = '', search = ''] = hash.replace(/^#\/?/, '').split('?')
  const query = new URLSearchParams(search)
  const [screen, jobId] = path.split('/')
  const tab = TABS.find((known) => known === query.get('view')) ?? 'rendered'
  if (screen !== 'jobs') return { screen: 'new' }
  if (jobId === undefined || !/^[\w-]{1,100}$/.test(jobId)) return { screen: 'history' }
  const page = Number(query.get('page') ?? '1')
  return { screen: 'job', jobId, page: Number.isInteger(page) && page > 0 ? page - 1 : 0, tab }
}

export function formatRoute(route: Route): string {
  if (route.screen === 'new') return '#/'
  if (route.screen === 'history') return '#/jobs'
  const query = new URLSearchParams()
  if (route.page > 0) query.set('page', String(route.page + 1))
  if (route.tab !== 'rendered') query.set('view', route.tab)
  const path = `#/jobs/${route.jobId}`
  return query.size > 0 ? `${path}?${query}` : path
}

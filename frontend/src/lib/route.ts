// The URL fragment as a route: the screen, and its job, page and tab.

export const TABS = ['rendered', 'source', 'blocks', 'raw'] as const
export type Tab = (typeof TABS)[number]

export type Route =
  | { screen: 'new' }
  | { screen: 'history' }
  | {
      screen: 'job'
      jobId: string
      page: number
      tab: Tab
      /** A block to select, and a text to find. */
      block?: number | undefined
      find?: string | undefined
    }

/** An unknown fragment is the start screen. */
export function parseRoute(hash: string): Route {
  const [path = '', search = ''] = hash.replace(/^#\/?/, '').split('?')
  const query = new URLSearchParams(search)
  const [screen, jobId] = path.split('/')
  const tab = TABS.find((known) => known === query.get('view')) ?? 'rendered'
  if (screen !== 'jobs') return { screen: 'new' }
  if (jobId === undefined || !/^[\w-]{1,100}$/.test(jobId)) return { screen: 'history' }
  const page = numberOf(query.get('page')) ?? 0
  return { screen: 'job', jobId, page, tab, block: numberOf(query.get('block')), find: query.get('find') ?? undefined }
}

export function formatRoute(route: Route): string {
  if (route.screen === 'new') return '#/'
  if (route.screen === 'history') return '#/jobs'
  const query = new URLSearchParams()
  if (route.page > 0) query.set('page', String(route.page + 1))
  if (route.tab !== 'rendered') query.set('view', route.tab)
  if (route.block !== undefined) query.set('block', String(route.block + 1))
  if (route.find !== undefined) query.set('find', route.find)
  const path = `#/jobs/${route.jobId}`
  return query.size > 0 ? `${path}?${query}` : path
}

/** Numbers count from 1 in a URL. */
function numberOf(text: string | null): number | undefined {
  const number = Number(text)
  return Number.isInteger(number) && number > 0 ? number - 1 : undefined
}

// Answers the requests of the page from a state, in place of a service.
import { SHEET } from './samples'
import { HEALTH, MODES, type State } from './states'

export function answerFrom(state: State): void {
  window.fetch = async (input, init) => {
    const { pathname } = new URL(input instanceof Request ? input.url : String(input), window.location.href)
    if (state.health === null) throw new TypeError('The service does not respond.')
    if (pathname.endsWith('/health')) return json(state.health ?? HEALTH)
    if (state.unauthorized) return failed(401, 'unauthorized')
    if (pathname.endsWith('/modes')) return json(MODES)
    const jobs = state.jobs ?? []
    if (pathname.endsWith('/jobs')) return json({ jobs, total: jobs.length, limit: 30, offset: 0 })
    const [id, ...rest] = pathname.split('/jobs/')[1]?.split('/') ?? []
    const job = jobs.find(({ jobId }) => jobId === id)
    if (job === undefined) return failed(404, 'not_found')
    if (rest[0] === undefined) return json(job)
    if (rest[0] === 'events') return events(state, init?.signal)
    if (rest[2] === 'image') return new Response(SHEET, { headers: { 'Content-Type': 'image/svg+xml' } })
    if (rest[0] === 'pages' && rest[2] === undefined) return json(state.page)
    return json({ formats: [], versions: [], pages: [] })
  }
}

function json(content: unknown, status = 200): Response {
  return new Response(JSON.stringify(content), { status, headers: { 'Content-Type': 'application/json' } })
}

function failed(status: number, code: string): Response {
  const error = { code, message: code, requestId: '1', retryable: false }
  return json({ error, detail: code }, status)
}

function events(state: State, signal: AbortSignal | null | undefined): Response {
  const lines = (state.events ?? []).map(
    ([name, data], place) => `id: ${place + 1}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`,
  )
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(lines.join('') || ':\n\n'))
      signal?.addEventListener('abort', () => controller.close())
    },
  })
  return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } })
}

import { afterEach, expect, test, vi } from 'vitest'
import { DsocrClient, ServiceError, ServiceUnreachable, type Job } from '../src/index.js'

type Answer = Response | Error
const calls: Request[] = []

/** A client whose requests get these answers, one after the other. */
function clientWith(answers: Answer[], options: { retries?: number; key?: string } = {}) {
  calls.length = 0
  vi.stubGlobal('fetch', async (url: URL, init: RequestInit) => {
    calls.push(new Request(url, init))
    const answer = answers.shift()
    if (answer === undefined || answer instanceof Error) throw answer ?? new Error('no answer left')
    return answer
  })
  return new DsocrClient({ url: 'http://service/ocr', ...options })
}

const json = (value: unknown, status = 200, headers = {}) =>
  new Response(JSON.stringify(value), { status, headers })
const refusal = (status: number, code: string, retryable = false, headers = {}) =>
  json({ error: { code, message: `it is ${code}`, requestId: 'r1', retryable } }, status, headers)
const events = (...parts: [string, unknown][]) =>
  new Response(
    parts.map(([name, data], id) => `id: ${id + 1}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`).join(''),
  )
const job = (status: Job['status']) => ({ jobId: 'a', status }) as Job

afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

test('requests go below the address of the service, with the key in a header', async () => {
  const client = clientWith([json({ jobs: [], total: 0 })], { key: 'open-sesame' })
  await client.jobs({ search: 'a b', limit: 2 })
  expect(calls[0]?.url).toBe('http://service/ocr/api/jobs?search=a+b&limit=2')
  expect(calls[0]?.headers.get('Authorization')).toBe('Bearer open-sesame')
})

test('a document is the last event of its stream; unknown events are skipped', async () => {
  const client = clientWith([
    events(['page', { pageIndex: 0 }], ['later', {}], ['done', { text: 'Invoice' }]),
  ])
  const seen = []
  for await (const { event } of client.stream(new Blob(['a']), { mode: 'tiny', pages: '' })) {
    seen.push(event)
  }
  expect(seen).toEqual(['page', 'done'])
  const form = await calls[0]?.formData()
  expect(form?.get('mode')).toBe('tiny')
  expect(form?.has('pages')).toBe(false)
  expect(form?.get('image')).toBeInstanceOf(Blob)
})

test('a URL is sent as a field', async () => {
  const client = clientWith([events(['done', { text: 'a' }])])
  await client.read('https://example.org/a.pdf')
  const form = await calls[0]?.formData()
  expect([...(form?.keys() ?? [])]).toEqual(['url'])
})

test('an error event and a stream without an end are thrown', async () => {
  const error = { error: { code: 'engine_crash', message: 'crashed', requestId: 'r', retryable: true } }
  const client = clientWith([events(['error', error]), events(['page', { pageIndex: 0 }])])
  await expect(client.read(new Blob(['a']))).rejects.toMatchObject({ code: 'engine_crash', status: 0 })
  await expect(client.read(new Blob(['a']))).rejects.toBeInstanceOf(ServiceUnreachable)
})

test('an error has the code, the request id and the pause of the answer', async () => {
  const client = clientWith([refusal(429, 'queue_full', true, { 'Retry-After': '7' })], { retries: 0 })
  const error = await client.job('a').catch((failure: unknown) => failure)
  expect(error).toBeInstanceOf(ServiceError)
  expect(error).toMatchObject({ status: 429, code: 'queue_full', retryAfter: 7, requestId: 'r1' })
})

test('a job is submitted again with the same key after the pause that is asked for', async () => {
  vi.useFakeTimers()
  const busy = () => refusal(429, 'queue_full', true, { 'Retry-After': '30' })
  const client = clientWith([busy(), new Error('lost'), json(job('queued'))])
  const created = client.createJob([new Blob(['a'])])
  await vi.advanceTimersByTimeAsync(29_000)
  expect(calls.length).toBe(1)
  await vi.advanceTimersByTimeAsync(3_000)
  expect(await created).toEqual(job('queued'))
  const keys = calls.map((call) => call.headers.get('Idempotency-Key'))
  expect(new Set(keys).size).toBe(1)
  expect(keys[0]).toMatch(/^[0-9a-f]{32}$/)
})

test('a pause may be a date, and an answer of the engine\'s servers is asked for again', async () => {
  vi.useFakeTimers({ now: Date.UTC(2026, 10, 30) })
  const date = new Date(Date.now() + 20_000).toUTCString()
  const client = clientWith([
    refusal(503, 'engine_unavailable', true, { 'Retry-After': date }),
    refusal(502, 'remote_failed', true),
    json(job('running')),
  ])
  const found = client.job('a')
  await vi.advanceTimersByTimeAsync(19_000)
  expect(calls.length).toBe(1)
  await vi.advanceTimersByTimeAsync(3_000)
  expect(await found).toEqual(job('running'))
  expect(calls.length).toBe(3)
})

test('a successful answer of another service is an error', async () => {
  const client = clientWith([new Response('<html>')])
  await expect(client.job('a')).rejects.toMatchObject({ code: 'unexpected', status: 200 })
})

test('what has an effect is not sent again when the answer was lost', async () => {
  const client = clientWith([new Error('lost'), json(job('cancelled'))])
  await expect(client.cancelJob('a')).rejects.toBeInstanceOf(ServiceUnreachable)
  expect(calls.length).toBe(1)
})

test('an answer of a proxy means that there is no service', async () => {
  const client = clientWith([new Response('<html>', { status: 502 })], { retries: 0 })
  await expect(client.job('a')).rejects.toBeInstanceOf(ServiceUnreachable)
})

test('the events of a job resume after the last one', async () => {
  vi.useFakeTimers()
  const client = clientWith(
    [events(['job', job('running')]), new Error('lost'), events(['done', job('succeeded')])],
    { retries: 0 },
  )
  const finished = client.wait('a')
  await vi.advanceTimersByTimeAsync(4_000)
  expect((await finished).status).toBe('succeeded')
  expect(calls.map((call) => call.headers.get('Last-Event-ID'))).toEqual([null, '1', '1'])
})

test('an aborted call ends with an AbortError, and aborted events just end', async () => {
  const controller = new AbortController()
  controller.abort()
  const aborted = new DOMException('aborted', 'AbortError')
  const client = clientWith([aborted])
  const { signal } = controller
  await expect(client.job('a', { signal })).rejects.toMatchObject({ name: 'AbortError' })
  for await (const event of client.jobEvents('a', { signal })) expect(event).toBeUndefined()
})

test('options of exports are sent in a body, which no log has', async () => {
  const client = clientWith([new Response('text')])
  await client.exportJob('a', 'text', { toc: true, redact: ['email', 'a&b'] })
  expect(calls[0]?.url).toBe('http://service/ocr/api/jobs/a/export')
  expect(await calls[0]?.json()).toEqual({ format: 'text', toc: true, redact: ['email', 'a&b'] })
})

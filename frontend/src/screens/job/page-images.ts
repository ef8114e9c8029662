// The images of a job's pages: which are requested, in which order, and which are kept.
import { ApiError, pageImage } from '../../api/client'
import type { LoadPageImage, PageLoaders, TurnedPage } from '../../viewer/page/use-page-image'
import { RequestQueue, type Rank } from './request-queue'

const THUMBNAIL_WIDTH = 192
const SHARP_WIDTH = 2600 // pixels: 300 in an inch of A4
const KEPT_IMAGES = 12

const HURRIED_MILLISECONDS = 300 // between two requests: the user scrolls fast
const PATIENCE_MILLISECONDS = 100 // that a page must stay in sight then before its image is requested

const ATTEMPTS = 3
const RETRY_MILLISECONDS = 1000

/** The image of the page that is looked at is requested at once, then those of other pages in sight, and
 * small pictures last. */
export function pageLoaders(jobId: string): PageLoaders {
  const queue = new RequestQueue()
  const ofWidth =
    (width?: number): LoadPageImage =>
    ({ index, rotation }, signal) =>
      pageImage(jobId, index, signal, width, rotation)
  return {
    image: loaderOf(queue, 'image', ofWidth(), KEPT_IMAGES),
    thumbnail: loaderOf(queue, 'thumbnail', ofWidth(THUMBNAIL_WIDTH)),
    sharp: loaderOf(queue, 'image', ofWidth(SHARP_WIDTH), 1),
  }
}

/** Requests each image once for all who need it, keeps those that were needed last, and aborts what
 * nothing needs any more. */
function loaderOf(queue: RequestQueue, rank: Rank, fetchImage: LoadPageImage, kept = Infinity): LoadPageImage {
  const loaded = new Map<string, Blob>() // by index and rotation
  const requests = new Map<string, SharedRequest>()
  let askedAt = -Infinity

  function keep(key: string, image: Blob): Blob {
    loaded.delete(key)
    loaded.set(key, image)
    const [oldest] = loaded.keys()
    if (loaded.size > kept && oldest !== undefined) loaded.delete(oldest)
    return image
  }

  function patience(): number {
    const now = performance.now()
    const hurried = now - askedAt < HURRIED_MILLISECONDS
    askedAt = now
    return hurried ? PATIENCE_MILLISECONDS : 0
  }

  function added(page: TurnedPage, key: string): SharedRequest {
    const send = (signal: AbortSignal) => withRetries(() => fetchImage(page, signal), signal)
    const request: SharedRequest = new SharedRequest(
      (signal) => send(signal).then((image) => keep(key, image)),
      () => requests.get(key) === request && requests.delete(key),
    )
    requests.set(key, request)
    return request
  }

  return (page, signal, urgent = false) => {
    const key = `${page.index} ${page.rotation}`
    const known = loaded.get(key)
    if (known !== undefined) return Promise.resolve(keep(key, known))
    const request = requests.get(key) ?? added(page, key)
    if (urgent) queue.startNow(request)
    else queue.add(request, rank, patience())
    return request.joined(signal)
  }
}

/** A request for all who wait for its answer: aborted when all of them have left. `forget` is called
 * when there is nothing more to join. */
class SharedRequest {
  readonly #controller = new AbortController()
  readonly #answer: Promise<Blob>
  readonly #send: (signal: AbortSignal) => Promise<Blob>
  readonly #forget: () => unknown
  #settle: (answer: Promise<Blob>) => void = () => undefined
  #users = 0

  constructor(send: (signal: AbortSignal) => Promise<Blob>, forget: () => unknown) {
    this.#send = send
    this.#forget = forget
    this.#answer = new Promise((resolve) => (this.#settle = resolve))
  }

  get aborted(): boolean {
    return this.#controller.signal.aborted
  }

  /** Resolves when it has ended, well or not. */
  start(): Promise<unknown> {
    const answer = this.#send(this.#controller.signal).finally(this.#forget)
    this.#settle(answer)
    return answer.catch(() => undefined)
  }

  joined(signal: AbortSignal): Promise<Blob> {
    this.#users += 1
    signal.addEventListener('abort', () => this.#leave(), { once: true })
    return this.#answer
  }

  #leave(): void {
    this.#users -= 1
    if (this.#users > 0) return
    this.#forget() // the image is requested again when it is needed again
    this.#controller.abort()
  }
}

async function withRetries(load: () => Promise<Blob>, signal: AbortSignal): Promise<Blob> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await load()
    } catch (error) {
      if (signal.aborted || attempt === ATTEMPTS || !isPassing(error)) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, attempt * RETRY_MILLISECONDS))
  }
}

/** Whether the same request may succeed later: the connection was lost, or the service is busy. */
function isPassing(error: unknown): boolean {
  return !(error instanceof ApiError) || error.status >= 500 || error.status === 429
}

/** Thumbnails wait while any image is requested. */
export type Rank = 'image' | 'thumbnail'
export type QueuedRequest = {
  /** Nothing waits for its answer any more. */
  readonly aborted: boolean
  /** Resolves when it has ended, well or not. */
  start: () => Promise<unknown>
}

const AT_ONCE = 2 // the service renders one page after another, and browsers have few connections

/** Starts requests some at a time: images before thumbnails, the newest first. */
export class RequestQueue {
  readonly #waiting: Record<Rank, QueuedRequest[]> = { image: [], thumbnail: [] }
  readonly #started = new WeakSet<QueuedRequest>()
  #running: Record<Rank, number> = { image: 0, thumbnail: 0 }

  /** `milliseconds`: how long it must not have been aborted before it may start. */
  add(request: QueuedRequest, rank: Rank, milliseconds: number): void {
    const queue = () => {
      this.#waiting[rank].push(request)
      this.#startNext()
    }
    if (milliseconds > 0) setTimeout(queue, milliseconds)
    else queue()
  }

  /** Starts it before all others. */
  startNow(request: QueuedRequest): void {
    if (!this.#isStarted(request)) void this.#run(request, 'image')
  }

  #startNext(): void {
    while (this.#running.image + this.#running.thumbnail < AT_ONCE) {
      const rank = this.#waiting.image.length > 0 || this.#running.image > 0 ? 'image' : 'thumbnail'
      const next = this.#waiting[rank].pop()
      if (next === undefined) return
      if (!this.#isStarted(next)) void this.#run(next, rank)
    }
  }

  #isStarted(request: QueuedRequest): boolean {
    return request.aborted || this.#started.has(request)
  }

  async #run(request: QueuedRequest, rank: Rank): Promise<void> {
    this.#started.add(request)
    this.#running[rank] += 1
    await request.start()
    this.#running[rank] -= 1
    this.#startNext()
  }
}

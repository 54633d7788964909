/** Bodies that are still there, with the links to let go of when they are collected. */
let bodies: FinalizationRegistry<Link> | undefined

/**
 * Passes the caller's abort on to one attempt, and to the body of its answer for as long as there
 * is one. The caller's signal may outlive both by far, so it is let go of when the attempt has
 * failed, or when nobody holds the body any more.
 */
export class Link {
  readonly #controller = new AbortController()
  readonly #signals: AbortSignal[] = []
  readonly #abort = (event: Event): void => this.abort((event.target as AbortSignal).reason)
  #onAbort: ((reason: unknown) => void) | undefined

  /** `onAbort` is called once, with the reason, until the link is held or closed. */
  constructor(signals: readonly (AbortSignal | undefined)[], onAbort: (reason: unknown) => void) {
    this.#onAbort = onAbort
    for (const signal of signals) {
      if (!signal) continue
      if (signal.aborted) {
        this.abort(signal.reason)
        return
      }
      signal.addEventListener('abort', this.#abort)
      this.#signals.push(signal)
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  abort(reason: unknown): void {
    const onAbort = this.#onAbort
    this.close()
    this.#controller.abort(reason)
    onAbort?.(reason)
  }

  /** The attempt succeeded: the link lives as long as this body. */
  hold(body: object | null): void {
    this.#onAbort = undefined
    if (body === null || this.#signals.length === 0) {
      this.close()
      return
    }
    bodies ??= new FinalizationRegistry(link => link.close())
    bodies.register(body, this)
  }

  /** Lets go of the signals. */
  close(): void {
    this.#onAbort = undefined
    for (const signal of this.#signals) signal.removeEventListener('abort', this.#abort)
    this.#signals.length = 0
  }
}

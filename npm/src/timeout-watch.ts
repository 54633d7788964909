/** One try under way, as a time-out sees it. */
import type { Attempt } from './context.js'
import { stackless, TimeoutError } from './errors.js'
import type { Timed } from './timer-queue.js'

/** What a watch needs of its policy. @internal */
export interface WatchPort {
  stop(watch: Watch): void
  ended(watch: Watch, success: boolean): void
  late(watch: Watch, late: number): void
}

/** One attempt under way. @internal */
export class Watch implements Timed {
  due = 0
  previous: Timed | undefined = undefined
  next: Timed | undefined = undefined
  cancel: (() => void) | undefined = undefined
  waiting = false
  /** Nobody waits for the function any more. */
  over = false
  /** The error, once the time is up. */
  error: TimeoutError | undefined = undefined
  /** How long it was given, in ms. */
  readonly given: number
  /** When it began, -1 where it is not measured. */
  readonly started: number
  /** Takes back a listener of a caller's signal. */
  detach: (() => void) | undefined = undefined
  readonly #port: WatchPort
  readonly #attempt: Attempt
  readonly #expired: (error: TimeoutError) => void

  constructor(
    port: WatchPort,
    attempt: Attempt,
    given: number,
    started: number,
    expired: (error: TimeoutError) => void,
  ) {
    this.#port = port
    this.#attempt = attempt
    this.given = given
    this.started = started
    this.#expired = expired
  }

  /** The function has ended; once for each watch, also after its time was up. */
  end(success: boolean): void {
    const late = this.over
    this.over = true
    if (!late) {
      this.#port.stop(this)
      this.#attempt.close()
      this.detach?.()
    }
    if (!late || this.error !== undefined) this.#port.ended(this, success)
  }

  /** Nobody waits for the function any more: its signal is aborted. */
  giveUp(reason: unknown, error?: TimeoutError): void {
    if (this.over) return
    this.over = true
    this.#port.stop(this)
    this.detach?.()
    this.error = error
    this.#attempt.abort(reason)
    if (error !== undefined) this.#expired(error)
  }

  /** What to throw where the function ended with `error`: the time-out, if that had come before. */
  errorFor(error: unknown): unknown {
    const own = this.error
    if (own === undefined || error === own) return error
    own.cause ??= error
    return own
  }

  expire(late: number): void {
    if (this.over || this.#attempt.isAborted) return
    this.#port.late(this, late)
  }
}

/** The error of a try whose time is up. @internal */
export function timedOut(
  timeoutMs: number,
  policy: string | undefined,
  blockedMs: number | undefined,
): TimeoutError {
  const time = `${Number(timeoutMs.toFixed(1))} ms`
  const message =
    blockedMs === undefined
      ? `No answer within ${time}`
      : `No answer within ${time}; the event loop was blocked for ${blockedMs.toFixed(0)} ms or longer`
  // The frames would be those of a timer.
  return stackless(
    () => new TimeoutError(message, timeoutMs, policy, blockedMs),
    `TimeoutError: ${message}`,
  )
}

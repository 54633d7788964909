/** A limit on calls by time. Who may go and when is decided in `core/src/limit/rate`. */
import { classify } from './classify.js'
import type { CallContext, CallOptions } from './context.js'
import { SeawallError } from './errors.js'
import { Listeners } from './events.js'
import { type Gate, rejecting, through } from './gate.js'
import { updated } from './options.js'
import { failed, type Outcome, succeeded } from './outcome.js'
import {
  Line,
  type RateDecision,
  type RateExplanation,
  RateGroup,
  type RateLimiterEvents,
} from './rate-line.js'
import {
  checkRate,
  type RateCallOptions,
  type RateLimiterOptions,
  weightOf,
} from './rate-options.js'

let lineOf: (limiter: RateLimiter) => Line
let groupOf: (limiter: RateLimiter) => RateGroup

/** A rate limiter as part of a pipeline; every call takes one permit. @internal */
export function rateLimiterGate(limiter: RateLimiter): Gate {
  return gateOf(groupOf(limiter), lineOf(limiter), 1, undefined)
}

const nothing = (): void => {}

/** @internal */
export function gateOf(
  group: RateGroup,
  line: Line,
  weight: number,
  maxWaitMs: number | undefined,
): Gate {
  return {
    enter: call => line.enter(weight, maxWaitMs ?? group.options.maxWaitMs ?? 0, call),
    leave: nothing,
  }
}

/** A call behind a limiter, and what is learnt from its end. @internal */
export function limited<T>(
  group: RateGroup,
  line: Line,
  fn: (context: CallContext) => PromiseLike<T> | T,
  options: RateCallOptions | undefined,
): Promise<T> {
  let weight: number
  try {
    weight = weightOf(options?.weight)
  } catch (error) {
    return rejecting(error)
  }
  const call = through(gateOf(group, line, weight, options?.maxWaitMs), fn, options)
  if (!group.options.learn) return call
  return call.then(
    value => {
      const { status } = (value ?? {}) as { status?: unknown }
      if (status === 429 || status === 503) learnFrom(group, line, value)
      return value
    },
    error => {
      if (!(error instanceof SeawallError)) learnFrom(group, line, error)
      throw error
    },
  )
}

/** @internal */
export function learnFrom(group: RateGroup, line: Line, failure: unknown): boolean {
  const wait = classify(failure)?.retryAfterMs
  if (wait === undefined || group.handle < 0) return false
  line.hold(group.clock.now() + wait)
  return true
}

/** A permit, when it is this call's turn. @internal */
export function waited(
  group: RateGroup,
  line: Line,
  weight: number | undefined,
  options: AcquireOptions | undefined,
): Promise<void> {
  if (options?.signal?.aborted) return rejecting(options.signal.reason)
  const maxWaitMs = options?.maxWaitMs ?? group.options.maxWaitMs ?? Number.POSITIVE_INFINITY
  try {
    const ticket = line.enter(weightOf(weight), maxWaitMs, options)
    if (typeof ticket === 'number') return Promise.resolve()
    return ticket instanceof Promise ? ticket.then(nothing) : rejecting(ticket)
  } catch (error) {
    return rejecting(error)
  }
}

/** How long {@link RateLimiter.acquire} waits. */
export interface AcquireOptions extends CallOptions {
  /** The longest wait in ms. Default that of the limiter, else no limit. */
  maxWaitMs?: number | undefined
}

/**
 * So many calls in a while, and no more.
 *
 * @example
 * ```ts
 * import { RateLimiter } from 'seawall'
 *
 * const limiter = new RateLimiter({ limit: 100, perMs: 1000, burst: 10, maxWaitMs: 200 })
 * const answer = await limiter.execute(async () => 'an answer')
 * console.log(answer, limiter.explain().available)
 *
 * const decision = limiter.tryAcquire(5)
 * if (!decision.ok) console.log(`come back in ${decision.retryAfterMs} ms`)
 * ```
 */
export class RateLimiter implements Disposable {
  static {
    lineOf = limiter => limiter.#line
    groupOf = limiter => limiter.#group
  }

  readonly #group: RateGroup
  readonly #line: Line

  /** @throws OptionError for an option that is unknown, of a wrong type or out of range. */
  constructor(options: RateLimiterOptions) {
    checkRate('RateLimiter', options)
    const group = new RateGroup('RateLimiter', this, options, 1, Number.POSITIVE_INFINITY)
    this.#group = group
    this.#line = new Line(group, group.engine.rateAdd(group.handle, group.clock.now()))
  }

  /** Its name, if it was given one. */
  get name(): string | undefined {
    return this.#group.options.name
  }

  /**
   * Calls `fn` when there are permits for it, and answers what it answers. Waits in line for up to
   * `maxWaitMs`, behind those who came before.
   *
   * @throws what `fn` throws; {@link RejectedError} with the code `SEAWALL_RATE_LIMITED` and
   * `retryAfterMs` without calling it; the reason of `signal` if that is aborted while it waits.
   */
  execute<T>(
    fn: (context: CallContext) => PromiseLike<T> | T,
    options?: RateCallOptions,
  ): Promise<T> {
    return limited(this.#group, this.#line, fn, options)
  }

  /** Like {@link execute}, but answers `{ ok: true, value }` or `{ ok: false, error }`. */
  tryExecute<T>(
    fn: (context: CallContext) => PromiseLike<T> | T,
    options?: RateCallOptions,
  ): Promise<Outcome<T>> {
    return this.execute(fn, options).then<Outcome<T>, Outcome<T>>(succeeded, failed)
  }

  /** `weight` permits (default 1) at once or not at all, never before those who wait in line. */
  tryAcquire(weight?: number): RateDecision {
    return this.#line.decide(weightOf(weight))
  }

  /**
   * Resolves when `weight` permits (default 1) have been taken, in the order of arrival. Aborting
   * the signal gives the place in line back, and all behind move up.
   *
   * @throws RejectedError if that takes too long or the line is full; the reason of the signal.
   */
  acquire(weight?: number, options?: AcquireOptions): Promise<void> {
    return waited(this.#group, this.#line, weight, options)
  }

  /**
   * Lets nothing pass before `untilMs` of the limiter's clock (`performance.now()`); those in line
   * wait on. An earlier time than the one in force changes nothing.
   */
  hold(untilMs: number): void {
    if (untilMs > 0) this.#line.hold(untilMs)
  }

  /** Ends a {@link hold}. */
  release(): void {
    this.#line.hold(0)
  }

  /**
   * Holds for as long as a failure or a response asks (`Retry-After`, `RateLimit` headers and the
   * like, see {@link classify}); whether it asks for any wait.
   */
  learn(failure: unknown): boolean {
    return learnFrom(this.#group, this.#line, failure)
  }

  /** What is in use, and when the next permit could be had. */
  explain(): RateExplanation {
    return this.#line.explain()
  }

  /**
   * Goes on by these options, those not given staying as they are. Permits in use stay in use, and
   * those in line stay there.
   *
   * @throws OptionError as the constructor; nothing has changed then.
   */
  update(options: Partial<Omit<RateLimiterOptions, 'clock'>>): void {
    checkRate('RateLimiter', options as RateLimiterOptions)
    this.#group.update(updated(this.#group.options, options))
    this.#line.wake()
  }

  /** Calls `listener` at each such event until the function returned is called. */
  on<E extends keyof RateLimiterEvents>(
    event: E,
    listener: (detail: RateLimiterEvents[E]) => void,
  ): () => void {
    this.#group.listeners ??= new Listeners('RateLimiter')
    return this.#group.listeners.add(event, listener)
  }

  /** Lets go of what the engine holds; those in line are refused. Using it afterwards is an error. */
  [Symbol.dispose](): void {
    if (this.#group.handle < 0) return
    this.#group.free(this)
    this.#line.end(() => this.#group.disposed())
  }
}

import { engine } from './engine/index.js'
import type { Engine } from './engine/types.js'
import { optionProblem } from './errors.js'
import { check, type Kind } from './options.js'
import { seedOr } from './seed.js'

/**
 * How waits are spread, so that callers that failed together do not return together. Whatever is
 * chosen, waits stay spread at `maxDelayMs` and none exceeds it.
 *
 * - `'none'`: not at all
 * - `'full'`: anywhere from 0 to the whole wait
 * - `'equal'`: half the wait for certain, the other half anywhere
 * - a number from 0 to 1: the wait, more or less by up to this share of it; near `maxDelayMs` the
 *   range is moved down so that its top is `maxDelayMs`
 */
export type JitterOption = 'none' | 'full' | 'equal' | number

/** When a schedule gives up, and where its random numbers come from. */
export interface BackoffLimits {
  /** No wait is longer, in ms. Default 30,000 or `delayMs` if that is more; for a list no cap. */
  maxDelayMs?: number | undefined
  /**
   * How many attempts in all, the first included: 3 gives two waits, 1 none. A whole number of at
   * least 1, or `Infinity`. Default no limit.
   */
  maxAttempts?: number | undefined
  /**
   * A wait that would end later than this after the start is not begun, in ms. Default no limit;
   * 0 allows only waits of 0.
   */
  maxElapsedMs?: number | undefined
  /** Whole number below 2^53: the same seed gives the same waits. Default a random one. */
  seed?: number | undefined
}

/** A schedule whose waits are spread. */
export interface SpreadBackoff extends BackoffLimits {
  /** How waits are spread. Default 0.25; for a list `'none'`. */
  jitter?: JitterOption | undefined
}

/** The same wait each time. */
export interface ConstantOptions extends SpreadBackoff {
  /** The wait in ms. Default 100. 0: no wait. */
  delayMs?: number | undefined
}

/** Waits that grow by an equal step. */
export interface LinearOptions extends ConstantOptions {
  /** What each attempt adds, in ms. Default `delayMs`. 0 makes it constant. */
  stepMs?: number | undefined
}

/** Waits that are multiplied. */
export interface ExponentialOptions extends ConstantOptions {
  /** What each attempt multiplies by; at least 1, which makes it constant. Default 2. */
  factor?: number | undefined
}

/** Waits spelt out one by one. */
export interface ListOptions extends SpreadBackoff {
  /** The waits in ms; at least one. */
  delaysMs: readonly number[]
  /** Past the end: the last entry again and again (true), or give up (false, the default). */
  repeatLast?: boolean | undefined
}

/** Waits drawn between the first and three times the one before. */
export interface DecorrelatedOptions extends BackoffLimits {
  /** The shortest wait in ms. Default 100. */
  delayMs?: number | undefined
}

/** Any schedule in one object. An option that belongs to another strategy is refused. */
export interface BackoffOptions
  extends LinearOptions,
    ExponentialOptions,
    Partial<Pick<ListOptions, 'delaysMs' | 'repeatLast'>> {
  /** How waits grow. Default `'exponential'`. */
  strategy?: (typeof STRATEGIES)[number] | undefined
}

const STRATEGIES = [
  'constant',
  'linear',
  'exponential',
  'fibonacci',
  'list',
  'decorrelated',
] as const
const JITTERS = ['none', 'full', 'equal'] as const
const PLUS_MINUS = 3
const FIELDS: Record<string, Kind> = {
  strategy: STRATEGIES,
  delayMs: 'number',
  stepMs: 'number',
  factor: 'number',
  delaysMs: 'numbers',
  repeatLast: 'boolean',
  maxDelayMs: 'number',
  jitter: JITTERS,
  maxAttempts: 'number',
  maxElapsedMs: 'number',
  seed: 'number',
}
const NUMBER_FIELDS: Record<string, Kind> = { ...FIELDS, jitter: 'number' }

/** Refuses unknown options and wrong types; ranges are the engine's business. @internal */
export function checkBackoff(where: string, options: BackoffOptions): void {
  check(where, options, typeof options?.jitter === 'number' ? NUMBER_FIELDS : FIELDS)
}

/** The options as `BackoffOptions` of `core/src/backoff/options.rs`, field by field. @internal */
export function backoffNumbers(options: BackoffOptions): Float64Array {
  const { strategy, delaysMs: list, repeatLast, jitter } = options
  const share = typeof jitter === 'number'
  const numbers = [
    strategy && STRATEGIES.indexOf(strategy),
    options.delayMs,
    options.maxDelayMs,
    options.stepMs,
    options.factor,
    ...(list ? [list.length, ...list] : [undefined]),
    repeatLast === undefined ? undefined : Number(repeatLast),
    share ? PLUS_MINUS : jitter && JITTERS.indexOf(jitter),
    share ? jitter : undefined,
    options.maxAttempts,
    options.maxElapsedMs,
  ]
  return Float64Array.from(numbers, number => number ?? Number.NaN)
}

let handleOf: (backoff: Backoff) => number
let forgotten: FinalizationRegistry<number> | undefined

/**
 * How long to wait before trying again, and when to stop.
 *
 * A schedule keeps nothing of a run, so one may serve any number of runs at a time. Iterating over
 * it gives the waits of one run.
 *
 * @example
 * ```ts
 * const backoff = exponential({ delayMs: 100, maxDelayMs: 5000, maxAttempts: 5 })
 * backoff.delay(1) // 75 to 125
 * new Redis({ retryStrategy: connectionSchedule().times() })
 * ```
 */
export class Backoff implements Disposable, Iterable<number> {
  readonly #engine: Engine
  #handle: number

  static {
    handleOf = backoff => backoff.#handle
  }

  /** @throws OptionError for an option that is unknown, of a wrong type or out of range */
  constructor(options: BackoffOptions = {}) {
    checkBackoff('Backoff', options)
    const core = engine()
    const handle = core.backoffNew(backoffNumbers(options), seedOr(options.seed))
    if (handle < 0) throw optionProblem('Backoff', options, core)
    this.#engine = core
    this.#handle = handle
    forgotten ??= new FinalizationRegistry(handle => engine().backoffFree(handle))
    forgotten.register(this, handle, this)
  }

  /**
   * The wait in ms after attempt number `attempt` (1 is the first) has failed, or `null` to give
   * up. A disposed schedule gives up.
   *
   * @param previousMs - the wait before that attempt; only `decorrelated` uses it. Default 0
   * @param elapsedMs - the time since the start, for `maxElapsedMs`. Default 0
   */
  delay(attempt: number, previousMs = 0, elapsedMs = 0): number | null {
    if (this.#handle < 0) return null
    const wait = this.#engine.backoffDelay(this.#handle, attempt, previousMs, elapsedMs)
    return wait < 0 ? null : wait
  }

  /**
   * A function of the number of the attempt that failed (1 is the first), as ioredis' and
   * node-redis' reconnect options want it. `null` ends the reconnecting. Number 1 begins a new run.
   */
  times(): (times: number) => number | null {
    let previous = 0
    let elapsed = 0
    return times => {
      if (times <= 1) previous = elapsed = 0
      const wait = this.delay(times, previous, elapsed)
      previous = wait ?? 0
      elapsed += previous
      return wait
    }
  }

  /** The waits of one run; elapsed time is taken to be their sum. */
  *[Symbol.iterator](): Generator<number, undefined> {
    let previous = 0
    let elapsed = 0
    for (let attempt = 1; ; attempt++) {
      const wait = this.delay(attempt, previous, elapsed)
      if (wait === null) return
      yield wait
      previous = wait
      elapsed += wait
    }
  }

  /** Gives its memory back now rather than when it is collected. */
  [Symbol.dispose](): void {
    if (this.#handle < 0) return
    forgotten?.unregister(this)
    this.#engine.backoffFree(this.#handle)
    this.#handle = -1
  }
}

/** The engine's handle of a schedule, for the policies that hand it on. @internal */
export function backoffHandle(backoff: Backoff): number {
  return handleOf(backoff)
}

/** The same wait each time. */
export function constant(options: ConstantOptions = {}): Backoff {
  return new Backoff({ ...options, strategy: 'constant' })
}

/** `delayMs`, then `stepMs` more each time. */
export function linear(options: LinearOptions = {}): Backoff {
  return new Backoff({ ...options, strategy: 'linear' })
}

/** `delayMs`, then `factor` times as long each time. */
export function exponential(options: ExponentialOptions = {}): Backoff {
  return new Backoff({ ...options, strategy: 'exponential' })
}

/** `delayMs` times 1, 1, 2, 3, 5, 8 and so on. */
export function fibonacci(options: ConstantOptions = {}): Backoff {
  return new Backoff({ ...options, strategy: 'fibonacci' })
}

/** The waits given, in turn. */
export function list(options: ListOptions): Backoff {
  return new Backoff({ ...options, strategy: 'list' })
}

/**
 * Anywhere from `delayMs` to three times the wait before, `maxDelayMs` at most: spreads callers
 * apart without a fixed ladder.
 */
export function decorrelated(options: DecorrelatedOptions = {}): Backoff {
  return new Backoff({ ...options, strategy: 'decorrelated' })
}

/**
 * 100, 250, 500, 1000, 2500 and then 5000 ms for ever: for reconnecting to something the service
 * cannot do without. Exact unless `jitter` is set.
 */
export function connectionSchedule(options: SpreadBackoff = {}): Backoff {
  return list({ ...options, delaysMs: [100, 250, 500, 1000, 2500, 5000], repeatLast: true })
}

/**
 * 10, 20 and 40 ms, then no more: for a request somebody is waiting for. Exact unless `jitter` is
 * set.
 */
export function requestSchedule(options: SpreadBackoff = {}): Backoff {
  return list({ ...options, delaysMs: [10, 20, 40] })
}

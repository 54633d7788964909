/**
 * Repeating calls that failed. Whether and when is the engine's decision; this file calls
 * functions and waits.
 *
 * A first try that succeeds costs a `.then`, and a look at the options: no engine, no timer, no
 * `AbortController`, no `async` frame.
 */
import { Backoff, backoffHandle } from './backoff.js'
import { classify, isTransientError, type Verdict } from './classify.js'
import { systemClock } from './clock.js'
import { engine } from './engine/index.js'
import type { Engine } from './engine/types.js'
import { optionProblem } from './errors.js'
import { call, report } from './events.js'
import type { Outcome } from './outcome.js'
import { checkRetry, isPlain, type RetryOptions, retryNumbers } from './retry-options.js'
import { seedOr } from './seed.js'
import { sleep } from './timer.js'

const NONE: RetryOptions = {}
const PROCESSED = ['no', 'maybe', 'yes']
const SCOPES = ['request', 'statement', 'transaction', 'connection']

/**
 * Calls `fn`, and calls it again while it fails in a way that may pass.
 *
 * The first call is made at once. When there is no further call, the promise rejects with the very
 * error of the last one. Options that are out of range reject before `fn` is called.
 *
 * @example
 * ```ts
 * const user = await withRetry(() => db.selectFrom('user').selectAll().execute(), {
 *   maxAttempts: 5,
 *   signal: request.signal,
 * })
 * ```
 */
export function withRetry<T>(fn: () => PromiseLike<T> | T, options?: RetryOptions): Promise<T> {
  let started = 0
  if (options !== undefined) {
    const refused = refusal(options)
    if (refused !== undefined) return Promise.reject(refused)
    const { signal } = options
    if (signal?.aborted) return Promise.reject(signal.reason)
    if (isTimed(options)) started = (options.clock ?? systemClock).now()
  }
  let first: PromiseLike<T> | T
  try {
    first = fn()
  } catch (error) {
    return again(fn, options ?? NONE, started, error)
  }
  return Promise.resolve(first).then(undefined, error => again(fn, options ?? NONE, started, error))
}

/**
 * `fn` with {@link withRetry} around it, for the same arguments in each call. Options are checked
 * at each call. `this` is not passed on.
 */
export function createRetryWrapper<A extends unknown[], R>(
  fn: (...args: A) => Promise<R>,
  options?: RetryOptions,
): (...args: A) => Promise<R> {
  return (...args) => withRetry(() => fn(...args), options)
}

/** {@link withRetry} that answers how it ended instead of rejecting. */
export function tryRetry<T>(
  fn: () => PromiseLike<T> | T,
  options?: RetryOptions,
): Promise<Outcome<T>> {
  return withRetry(fn, options).then(
    value => ({ ok: true, value }),
    error => ({ ok: false, error }),
  )
}

/** Whether anything asks how long the calls have taken. */
function isTimed(options: RetryOptions): boolean {
  return options.maxElapsedMs !== undefined || typeof options.backoff === 'object'
}

/** Found to be in order last: callers tend to pass the same object again. */
let passed: RetryOptions | undefined

/**
 * Why options cannot be used, or nothing. The two sentences are those of `@kysera/infra`. Options
 * that are plainly in order do not reach the engine.
 */
function refusal(options: RetryOptions): unknown {
  if (typeof options !== 'object' || options === null) return judged(options)
  const { maxAttempts, maxDelayMs, delayMs = 1000 } = options
  if (maxAttempts !== undefined && !(maxAttempts >= 1)) {
    return new Error(`maxAttempts must be at least 1, got ${maxAttempts}`)
  }
  if (maxDelayMs !== undefined && maxDelayMs < delayMs) {
    return new Error(
      `maxDelayMs (${maxDelayMs}) must be greater than or equal to delayMs (${delayMs})`,
    )
  }
  if (options === passed) return undefined
  const problem = isPlain(options) ? undefined : judged(options)
  if (problem === undefined) passed = options
  return problem
}

/** What the type check or the engine says against the options. */
function judged(options: RetryOptions): unknown {
  try {
    checkRetry(options)
    new Rule(options).free()
    return undefined
  } catch (error) {
    return error
  }
}

/** The engine's side of one call that has failed. */
class Rule {
  readonly #engine: Engine
  readonly #handle: number

  /** @throws OptionError */
  constructor(options: RetryOptions) {
    const core = engine()
    this.#engine = core
    const { backoff } = options
    const own = typeof backoff === 'object' && !(backoff instanceof Backoff)
    const schedule = own ? new Backoff(backoff) : (backoff as Backoff | boolean | undefined)
    const beside = schedule instanceof Backoff ? backoffHandle(schedule) : -1
    const seed = options.seed ?? (beside < 0 ? undefined : core.backoffSeed(beside))
    this.#handle = core.retryNew(retryNumbers(options), beside, seedOr(seed))
    const problem = this.#handle < 0 ? optionProblem('withRetry', options, core) : undefined
    if (own) (schedule as Backoff)[Symbol.dispose]()
    if (problem) throw problem
  }

  isOver(attempt: number, elapsedMs: number): boolean {
    return this.#engine.retryOver(this.#handle, attempt, elapsedMs) !== 0
  }

  /** The wait in ms, or a number below 0 to stop. */
  decide(failure: Failure, verdict: Verdict | undefined, wanted: boolean): number {
    return this.#engine.retryDecide(
      this.#handle,
      failure.attempt,
      failure.elapsedMs,
      failure.previousMs,
      verdict ? bits(verdict) : -1,
      verdict?.retryAfterMs ?? -1,
      wanted ? 1 : 0,
    )
  }

  free(): void {
    this.#engine.retryFree(this.#handle)
  }
}

interface Failure {
  attempt: number
  elapsedMs: number
  previousMs: number
}

/** `Verdict::to_bits` of the core. */
function bits(verdict: Verdict): number {
  const { transient, throttled, processed, scope } = verdict
  return (
    Number(transient) |
    (Number(throttled) << 1) |
    (PROCESSED.indexOf(processed) << 2) |
    (SCOPES.indexOf(scope) << 4)
  )
}

/** The calls after the first, which failed with `failure`. */
async function again<T>(
  fn: () => PromiseLike<T> | T,
  options: RetryOptions,
  started: number,
  failure: unknown,
): Promise<T> {
  const { signal, clock = systemClock, onRetry } = options
  let rule: Rule
  try {
    rule = new Rule(options)
  } catch (error) {
    report(error, 'withRetry')
    throw failure
  }
  const timed = isTimed(options)
  let error = failure
  let previousMs = 0
  try {
    for (let attempt = 1; ; attempt++) {
      let elapsedMs = timed ? clock.now() - started : 0
      if (signal?.aborted || rule.isOver(attempt, elapsedMs)) throw error
      const answer = wanted(options, error)
      const yes = typeof answer === 'boolean' ? answer : await heard(answer)
      if (timed) elapsedMs = clock.now() - started
      const verdict = yes ? classify(error) : undefined
      const wait = rule.decide({ attempt, elapsedMs, previousMs }, verdict, yes)
      if (wait < 0) throw error
      if (onRetry) call(() => onRetry(attempt, error), 'withRetry: onRetry')
      await sleep(clock, wait, signal ?? undefined)
      previousMs = wait
      try {
        return await fn()
      } catch (next) {
        error = next
      }
    }
  } finally {
    rule.free()
  }
}

/** The caller's word; a word that throws is no. */
function wanted(options: RetryOptions, error: unknown): boolean | PromiseLike<boolean> {
  const { shouldRetry = isTransientError } = options
  try {
    const answer = shouldRetry(error)
    return isPromiseLike(answer) ? answer : Boolean(answer)
  } catch (problem) {
    report(problem, 'withRetry: shouldRetry')
    return false
  }
}

async function heard(answer: PromiseLike<boolean>): Promise<boolean> {
  try {
    return Boolean(await answer)
  } catch (problem) {
    report(problem, 'withRetry: shouldRetry')
    return false
  }
}

function isPromiseLike(value: unknown): value is PromiseLike<boolean> {
  return typeof (value as PromiseLike<boolean> | undefined)?.then === 'function'
}

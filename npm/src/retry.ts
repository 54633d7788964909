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
import { CircuitBreakerError, isA, optionProblem, RejectedError } from './errors.js'
import { asked, call, report } from './events.js'
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
    return repeat(fn, options ?? NONE, started, { ok: false, error })
  }
  const { retryResult } = options ?? NONE
  return Promise.resolve(first).then(
    retryResult &&
      (value =>
        isUnwanted(retryResult, value)
          ? repeat(fn, options ?? NONE, started, { ok: true, value })
          : value),
    error => repeat(fn, options ?? NONE, started, { ok: false, error }),
  )
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
  return (
    options.maxElapsedMs !== undefined ||
    options.deadline !== undefined ||
    typeof options.backoff === 'object'
  )
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

/** What the type check or the engine says against the options. @internal */
export function judged(options: RetryOptions): unknown {
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
  decide(failure: Failure): number {
    const { attempt, elapsedMs, previousMs, verdict, wanted, refused, delayMs, leftMs } = failure
    const numbers = [
      attempt,
      elapsedMs,
      previousMs,
      verdict && bits(verdict),
      verdict?.retryAfterMs,
      wanted,
      refused,
      delayMs,
      leftMs,
    ]
    return this.#engine.retryDecide(
      this.#handle,
      Float64Array.from(numbers, value => (value === undefined ? Number.NaN : Number(value))),
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
  verdict: Verdict | undefined
  /** The caller's word; without one the verdict decides. */
  wanted: boolean | undefined
  refused: boolean
  delayMs: number | undefined
  leftMs: number | undefined
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

/** What a pipeline adds to a retry. @internal */
export interface RetryHooks {
  /** Whether a further call is within the budget; each yes is ended by `ended`. */
  allow(): boolean
  ended(): void
  /** Told of the call that follows after `waitMs`. */
  waiting(attempt: number, waitMs: number, error: unknown): void
}

/**
 * The calls after the first, which ended as `first` says. Answers or rejects with the end of the
 * last one. @internal
 */
export async function repeat<T>(
  run: (attempt: number) => PromiseLike<T> | T,
  options: RetryOptions,
  started: number,
  first: Outcome<T>,
  hooks?: RetryHooks,
): Promise<T> {
  const { signal, clock = systemClock, onRetry, retryResult, deadline } = options
  let rule: Rule
  try {
    rule = new Rule(options)
  } catch (error) {
    report(error, 'withRetry')
    return settled(first)
  }
  const timed = isTimed(options)
  let end = first
  let previousMs = 0
  try {
    for (let attempt = 1; ; attempt++) {
      const elapsedMs = timed ? clock.now() - started : 0
      if (signal?.aborted || rule.isOver(attempt, elapsedMs)) return settled(end)
      const error = end.ok ? end.value : end.error
      const refusedMs = options.onRefusal === undefined || end.ok ? -1 : refusalMs(error)
      const answer = end.ok || refusedMs >= 0 || wanted(options, error, hooks !== undefined)
      const yes = isPromiseLike(answer) ? await heard(answer, signal ?? undefined) : answer
      const wait = rule.decide({
        attempt,
        elapsedMs: timed ? clock.now() - started : 0,
        previousMs,
        verdict: yes !== false && refusedMs < 0 ? classify(error) : undefined,
        wanted: yes,
        refused: refusedMs >= 0,
        delayMs: refusedMs >= 0 ? refusedMs : ownDelay(options, error, attempt),
        leftMs: deadline === undefined ? undefined : Math.max(0, deadline - clock.now()),
      })
      if (wait < 0 || hooks?.allow() === false) return settled(end)
      hooks?.waiting(attempt, wait, error)
      if (onRetry) call(() => onRetry(attempt, error), 'withRetry: onRetry')
      try {
        await sleep(clock, wait, signal ?? undefined)
        previousMs = wait
        end = await outcomeOf(run, attempt + 1)
      } finally {
        hooks?.ended()
      }
      if (end.ok && !(retryResult && isUnwanted(retryResult, end.value))) return end.value
    }
  } finally {
    rule.free()
  }
}

function settled<T>(end: Outcome<T>): T {
  if (end.ok) return end.value
  throw end.error
}

async function outcomeOf<T>(
  run: (attempt: number) => PromiseLike<T> | T,
  attempt: number,
): Promise<Outcome<T>> {
  try {
    return { ok: true, value: await run(attempt) }
  } catch (error) {
    return { ok: false, error }
  }
}

/** The wait a refusal of an own policy names, 0 if it names none, or -1 where it is no refusal. */
function refusalMs(error: unknown): number {
  if (!(isA(error, RejectedError) || isA(error, CircuitBreakerError))) return -1
  return error.retryAfterMs ?? 0
}

/** Whether an answer is one to call again for; a word that throws is no. @internal */
export function isUnwanted(retryResult: (result: unknown) => boolean, value: unknown): boolean {
  return Boolean(asked(() => retryResult(value), false, 'withRetry: retryResult'))
}

/** The caller's wait for this error, if there is one. */
function ownDelay(options: RetryOptions, error: unknown, attempt: number): number | undefined {
  const { delayFor } = options
  if (!delayFor) return undefined
  const ms = asked(() => delayFor(error, attempt), undefined, 'withRetry: delayFor')
  return typeof ms === 'number' && ms >= 0 ? ms : undefined
}

/** The caller's word, or that of `@kysera/infra`, which pipelines do not go by. One that throws is no. */
function wanted(
  options: RetryOptions,
  error: unknown,
  isPipeline: boolean,
): boolean | PromiseLike<boolean> | undefined {
  if (isPipeline && options.shouldRetry === undefined) return undefined
  const { shouldRetry = isTransientError } = options
  try {
    const answer = shouldRetry(error)
    return isPromiseLike(answer) ? answer : Boolean(answer)
  } catch (problem) {
    report(problem, 'withRetry: shouldRetry')
    return false
  }
}

/** The word that a promise brings; rejects with the reason of `signal` as soon as that is aborted. */
function heard(answer: PromiseLike<boolean>, signal: AbortSignal | undefined): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal?.reason)
    const end = (yes: boolean): void => {
      signal?.removeEventListener('abort', abort)
      resolve(yes)
    }
    Promise.resolve(answer).then(
      yes => end(Boolean(yes)),
      problem => {
        report(problem, 'withRetry: shouldRetry')
        end(false)
      },
    )
    if (signal?.aborted) abort()
    else signal?.addEventListener('abort', abort, { once: true })
  })
}

function isPromiseLike(value: unknown): value is PromiseLike<boolean> {
  return typeof (value as PromiseLike<boolean> | undefined)?.then === 'function'
}

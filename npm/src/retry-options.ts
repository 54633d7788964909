import type { Backoff, BackoffOptions } from './backoff.js'
import type { Clock } from './clock.js'
import { check, type Kind } from './options.js'

/** How a call is repeated. Times are in milliseconds. */
export interface RetryOptions {
  /**
   * How many calls in all, the first included: 3 is one try and two repetitions, 1 is no
   * repetition. A whole number of at least 1, or `Infinity`. Default 3; with a `backoff` object
   * that gives up by itself as many as that allows.
   */
  maxAttempts?: number | undefined
  /**
   * A wait that would end later than this after the first call began is not begun. Running calls
   * are not cut short. Default no limit.
   */
  maxElapsedMs?: number | undefined
  /** The first wait. Default 1000. 0: none. Not with a `backoff` object. */
  delayMs?: number | undefined
  /**
   * The longest wait before jitter. Default 30,000, or `delayMs` if that is more. Not with a
   * `backoff` object.
   */
  maxDelayMs?: number | undefined
  /**
   * `true` (default) doubles the wait each time, `false` waits exactly `delayMs` each time, an
   * object is a schedule of its own.
   */
  backoff?: boolean | Backoff | BackoffOptions | undefined
  /**
   * By which share a doubling wait is spread: 0.25 is a quarter more or less, also above
   * `maxDelayMs`. Default 0.25. Not with a `backoff` object.
   */
  jitterFactor?: number | undefined
  /**
   * Whether the failure is worth another call; asked for each failure but the last. May answer a
   * promise. If it throws, that is reported and there is no further call. Default
   * `isTransientError`.
   */
  shouldRetry?: ((error: unknown) => boolean | PromiseLike<boolean>) | undefined
  /**
   * Called before each wait with the number of the call that failed (1 is the first). What it
   * throws is reported and changes nothing.
   */
  onRetry?: ((attempt: number, error: unknown) => void) | undefined
  /**
   * `false`: the call must not be carried out twice, so a failure after which that is possible (a
   * reset connection, a timeout, or one nobody knows) is not repeated. Default `true`.
   */
  idempotent?: boolean | undefined
  /** Whether a wait that the error names (Retry-After) is the least wait. Default `true`. */
  respectRetryAfter?: boolean | undefined
  /** If the error names a longer wait than this, there is no further call. Default 30,000. */
  maxRetryAfterMs?: number | undefined
  /**
   * What a refusal by one of your own policies (an open breaker, a full bulkhead, a rate limiter)
   * means: `'stop'` ends the call at once, `'wait'` waits for as long as the refusal says, within
   * `maxRetryAfterMs`. `shouldRetry` is not asked about refusals then. Default: refusals are
   * failures like any other, which the default `shouldRetry` does not repeat.
   */
  onRefusal?: 'stop' | 'wait' | undefined
  /**
   * Whether an answer is one to repeat the call for. When there is no further call, the last answer
   * is what the caller gets. A wait that the answer names (a `Retry-After` header) is kept. What it
   * throws is reported and counts as no.
   */
  retryResult?: ((result: unknown) => boolean) | undefined
  /**
   * The wait in ms for this error (or result), `undefined` for the schedule's. The limits hold, and
   * a wait that the error names is kept. What it throws is reported, and the schedule's wait taken.
   */
  delayFor?: ((error: unknown, attempt: number) => number | undefined) | undefined
  /** When the call must be over, in ms of the clock: a wait that would end later is not begun. */
  deadline?: number | undefined
  /**
   * Ends a wait at once; the promise rejects with `signal.reason`. Aborted before the first call,
   * nothing is called. A running call is not interrupted: give it the signal yourself.
   */
  signal?: AbortSignal | undefined
  /** The same seed gives the same waits. Default a random one, or the one of a `Backoff`. */
  seed?: number | undefined
  /** Where time and timers come from. Default the runtime's. */
  clock?: Clock | undefined
}

const FIELDS: Record<string, Kind> = {
  maxAttempts: 'number',
  maxElapsedMs: 'number',
  delayMs: 'number',
  maxDelayMs: 'number',
  backoff: 'any',
  jitterFactor: 'number',
  shouldRetry: 'function',
  onRetry: 'function',
  idempotent: 'boolean',
  respectRetryAfter: 'boolean',
  maxRetryAfterMs: 'number',
  onRefusal: ['stop', 'wait'],
  retryResult: 'function',
  delayFor: 'function',
  deadline: 'number',
  signal: 'object',
  seed: 'number',
  clock: 'object',
}

/** Refuses unknown options and wrong types; ranges are the engine's business. */
export function checkRetry(options: RetryOptions): void {
  check('withRetry', options, FIELDS)
}

/** Whether options are surely in order. A `switch` because a look-up in a table costs four times as much. */
export function isPlain(options: RetryOptions): boolean {
  for (const key in options) {
    const value: unknown = options[key as keyof RetryOptions]
    switch (key) {
      case 'maxAttempts':
        if (value !== undefined && !Number.isInteger(value)) return false
        break
      case 'delayMs':
      case 'maxDelayMs':
      case 'jitterFactor':
      case 'maxElapsedMs':
      case 'maxRetryAfterMs':
      case 'seed':
        if (value !== undefined && !(typeof value === 'number' && value >= 0 && value < Infinity)) {
          return false
        }
        break
      case 'shouldRetry':
      case 'onRetry':
      case 'retryResult':
      case 'delayFor':
        if (value !== undefined && typeof value !== 'function') return false
        break
      case 'backoff':
      case 'idempotent':
      case 'respectRetryAfter':
        if (value !== undefined && typeof value !== 'boolean') return false
        break
      case 'signal':
      case 'clock':
        if (value !== undefined && (typeof value !== 'object' || value === null)) return false
        break
      default:
        return false
    }
  }
  return true
}

/** The options as `RetryOptions` of `core/src/retry/options.rs`, field by field. */
export function retryNumbers(options: RetryOptions): Float64Array {
  const { backoff, respectRetryAfter, idempotent, onRefusal } = options
  const numbers = [
    options.maxAttempts,
    options.maxElapsedMs,
    options.delayMs,
    options.maxDelayMs,
    typeof backoff === 'boolean' ? backoff : undefined,
    options.jitterFactor,
    respectRetryAfter,
    options.maxRetryAfterMs,
    idempotent,
    onRefusal === undefined ? undefined : onRefusal === 'wait',
  ]
  return Float64Array.from(numbers, value => (value === undefined ? Number.NaN : Number(value)))
}

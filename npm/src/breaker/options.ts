import { type BackoffOptions, backoffNumbers, checkBackoff } from '../backoff.js'
import type { Clock } from '../clock.js'
import { describe, OptionError } from '../errors.js'
import { check, type Kind } from '../options.js'

/** What a circuit breaker does with calls, in `@kysera/infra`'s three words. */
export type CircuitState = 'closed' | 'open' | 'half-open'

/** How a circuit breaker watches, and what it does about it. Times are in milliseconds. */
export interface CircuitBreakerOptions {
  /**
   * One breaker for all who use this name: in the whole process with the native engine,
   * `worker_threads` included; in the isolate with WASM. The same name with other options is an
   * error. Without a name a breaker is never shared. The name is also in its errors.
   */
  name?: string | undefined
  /** Opens after this many failures in a row. With `withinMs`: after this many within that time. Default 5. */
  threshold?: number | undefined
  /** Makes `threshold` count the failures within this time, whatever succeeded between them. */
  withinMs?: number | undefined
  /** Opens when this share of the calls in `window` failed: above 0, at most 1. */
  failureRate?: number | undefined
  /** Opens when this share of the calls in `window` took longer than `slowCallMs`: above 0, at most 1. */
  slowCallRate?: number | undefined
  /** Above which a call is slow. */
  slowCallMs?: number | undefined
  /**
   * The calls a rate is taken of: the last so many, or those of the last `ms` in `slices` parts
   * (default 10). Default `{ calls: 100 }`.
   */
  window?:
    | { calls?: number | undefined; ms?: number | undefined; slices?: number | undefined }
    | undefined
  /** No rate is judged on fewer calls. Default 20, or the size of a smaller window of calls. */
  minimumCalls?: number | undefined
  /** How long the breaker stays open before it lets a probe through. 0: until the next call. Default 60,000. */
  resetTimeMs?: number | undefined
  /** How long it stays open, as a schedule over its 1st, 2nd, … opening since it was last closed. */
  resetBackoff?: BackoffOptions | undefined
  /**
   * How long to stay open as a single result says: called with each failure (and each value if
   * `isFailureResult` is set), and where it answers a number the breaker opens at once for so long.
   * `'retry-after'`: as long as the error says by its Retry-After or the like.
   */
  openFor?:
    | 'retry-after'
    | ((error: unknown, value: unknown) => number | null | undefined)
    | undefined
  /** The trial after the open time. */
  halfOpen?:
    | {
        /** Calls let through as probes; all others are refused meanwhile. Default 1. */
        permits?: number | undefined
        /** The share of probes that must succeed: above 0, at most 1. Default 1. */
        successRate?: number | undefined
        /**
         * After how long a probe that has not ended gives its place to another; its result counts all
         * the same. Default: as long as the breaker was open.
         */
        leaseMs?: number | undefined
      }
    | undefined
  /** Closes in steps instead of all at once, each with its own verdict. */
  reclose?:
    | {
        /** The share of calls let through in each step, growing, each above 0 and below 1. */
        shares: number[]
        /** Results that judge a step. Default 10. */
        calls?: number | undefined
        /** How long a step lasts at most. Default 10,000. */
        stepMs?: number | undefined
      }
    | undefined
  /**
   * `'enforce'` refuses calls. `'dryRun'` decides, counts and reports the same, and lets every call
   * through. `'disabled'` lets every call through and judges none. Default `'enforce'`.
   */
  mode?: BreakerMode | undefined
  /** Whether an error speaks against the other side. The others count as neutral. Default: all do. */
  isFailure?: ((error: unknown) => boolean) | undefined
  /** Whether a value counts as a failure, such as a response with status 503. Default: none does. */
  isFailureResult?: ((value: unknown) => boolean) | undefined
  /** Called after each change between the three states, with the new and the old one. */
  onStateChange?: ((newState: CircuitState, previousState: CircuitState) => void) | undefined
  /** Whether refusals carry stack frames, at several times the cost. Default false. */
  stack?: boolean | undefined
  /** Seed of the jitter of `resetBackoff` and of the spread of `reclose`. Default: random. */
  seed?: number | undefined
  /** Another clock, for tests. */
  clock?: Pick<Clock, 'now'> | undefined
}

/** What a circuit breaker does with its decisions. */
export type BreakerMode = 'enforce' | 'dryRun' | 'disabled'

export const MODES: readonly BreakerMode[] = ['enforce', 'dryRun', 'disabled']

const FIELDS: Record<keyof CircuitBreakerOptions, Kind> = {
  name: 'string',
  threshold: 'number',
  withinMs: 'number',
  failureRate: 'number',
  slowCallRate: 'number',
  slowCallMs: 'number',
  window: 'object',
  minimumCalls: 'number',
  resetTimeMs: 'number',
  resetBackoff: 'object',
  openFor: 'any',
  halfOpen: 'object',
  reclose: 'object',
  mode: MODES,
  isFailure: 'function',
  isFailureResult: 'function',
  onStateChange: 'function',
  stack: 'boolean',
  seed: 'number',
  clock: 'object',
}

/** Refuses what is no breaker option. */
export function checkBreaker(options: CircuitBreakerOptions): void {
  check('CircuitBreaker', options, FIELDS)
  check('CircuitBreaker window', options.window, {
    calls: 'number',
    ms: 'number',
    slices: 'number',
  })
  check('CircuitBreaker halfOpen', options.halfOpen, {
    permits: 'number',
    successRate: 'number',
    leaseMs: 'number',
  })
  check('CircuitBreaker reclose', options.reclose, {
    shares: 'numbers',
    calls: 'number',
    stepMs: 'number',
  })
  if (options.resetBackoff !== undefined)
    checkBackoff('CircuitBreaker resetBackoff', options.resetBackoff)
  const { openFor, clock } = options
  if (openFor !== undefined && openFor !== 'retry-after' && typeof openFor !== 'function') {
    throw new OptionError(
      `CircuitBreaker: \`openFor\` must be "retry-after" or a function, got ${describe(openFor)}`,
      'openFor',
    )
  }
  if (clock !== undefined && typeof clock.now !== 'function') {
    throw new OptionError(
      `CircuitBreaker: \`clock.now\` must be a function, got ${describe(clock.now)}`,
      'clock.now',
    )
  }
}

/** The options as the numbers of `BreakerOptions` in `core/src/breaker/options.rs`, field by field. */
export function breakerNumbers(options: CircuitBreakerOptions): Float64Array {
  const { window, halfOpen, reclose, resetBackoff } = options
  const shares = reclose?.shares
  const numbers = [
    options.threshold,
    options.withinMs,
    options.failureRate,
    options.slowCallRate,
    options.slowCallMs,
    window?.calls,
    window?.ms,
    window?.slices,
    options.minimumCalls,
    options.resetTimeMs,
    ...(resetBackoff ? [1, ...backoffNumbers(resetBackoff)] : [undefined]),
    halfOpen?.permits,
    halfOpen?.successRate,
    halfOpen?.leaseMs,
    ...(shares ? [shares.length, ...shares] : [undefined]),
    reclose?.calls,
    reclose?.stepMs,
    options.mode && MODES.indexOf(options.mode),
  ]
  return Float64Array.from(numbers, number => number ?? Number.NaN)
}

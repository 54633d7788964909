import type { Clock } from './clock.js'
import type { CallOptions } from './context.js'
import { describe, OptionError } from './errors.js'
import { check, type Kind } from './options.js'

/** How permits are counted, by the number of the core's `Kind`. */
const KINDS = ['gcra', 'slidingWindow'] as const

/** What a rate limiter allows. Times are in milliseconds. */
export interface RateLimiterOptions {
  /** Permits in a period; a call takes one unless it weighs more. A whole number of at least 1. */
  limit: number
  /** The period. Default 1000. */
  perMs?: number | undefined
  /** Permits at once, after a pause. Default `limit`. Not with `kind: 'slidingWindow'`. */
  burst?: number | undefined
  /**
   * `'gcra'` (default): a steady rate with bursts; within a period up to `limit + burst` pass, on
   * average `limit`. `'slidingWindow'`: at most `limit` within any period, wherever it begins;
   * exact up to a limit of 32, above it a permit comes back up to a 32nd of the period late.
   * Neither costs more for a longer period or a larger limit.
   */
  kind?: (typeof KINDS)[number] | undefined
  /**
   * The longest wait in line. Default 0 for `execute`, which then refuses at once, and no limit for
   * `acquire`.
   */
  maxWaitMs?: number | undefined
  /** How many calls may wait in line. Default 1000. 0: none. */
  maxQueue?: number | undefined
  /**
   * Whether a failure, or a response of status 429 or 503, that names a wait (`Retry-After`,
   * `RateLimit`, `x-ratelimit-reset` and the like) lets nothing pass for as long. Default `false`.
   */
  learn?: boolean | undefined
  /** Stands in its errors and explanations. */
  name?: string | undefined
  /** Where time and timers come from. Default the runtime's. */
  clock?: Clock | undefined
}

/** What a single call may bring. */
export interface RateCallOptions extends CallOptions {
  /** How many permits it takes. A whole number of at least 1. Default 1. */
  weight?: number | undefined
  /** The longest wait of this call, in ms. Default that of the limiter. */
  maxWaitMs?: number | undefined
}

const FIELDS: Record<string, Kind> = {
  limit: 'number',
  perMs: 'number',
  burst: 'number',
  kind: KINDS,
  maxWaitMs: 'number',
  maxQueue: 'number',
  learn: 'boolean',
  name: 'string',
  clock: 'object',
}

/** Refuses unknown options and wrong types; ranges are the engine's business. @internal */
export function checkRate(
  where: string,
  options: RateLimiterOptions,
  more: Record<string, Kind> = {},
): void {
  check(where, options ?? null, { ...FIELDS, ...more })
}

/** The options as `RateOptions` of `core/src/limit/rate/options.rs`, field by field. @internal */
export function rateNumbers(options: RateLimiterOptions): Float64Array {
  const { limit, perMs, burst, kind, maxQueue, maxWaitMs } = options
  const numbers = [limit, perMs, burst, kind && KINDS.indexOf(kind), maxQueue, maxWaitMs]
  return Float64Array.from(numbers, value => value ?? Number.NaN)
}

/** @internal */
export function weightOf(weight: number | undefined): number {
  if (weight === undefined) return 1
  if (!Number.isInteger(weight) || weight < 1) {
    throw new OptionError(
      `RateLimiter: \`weight\` must be a whole number of at least 1, got ${describe(weight)}`,
      'weight',
    )
  }
  return Math.min(weight, 2 ** 32 - 1)
}

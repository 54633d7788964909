import type { Clock } from './clock.js'
import type { CallContext } from './context.js'
import { OptionError } from './errors.js'
import { check, type Kind } from './options.js'

/** A time-out that follows the latencies of late. */
export interface TimeoutFollows {
  /** Which quantile of them, above 0 and at most 1: 0.99 is what one call in a hundred exceeds. */
  quantile: number
  /** How many times that; above 0. Default 2. */
  factor?: number | undefined
  /** The least time-out in ms; above 0. Default 10, or `maxMs` if that is less. */
  minMs?: number | undefined
  /** The longest time-out in ms. Default 30,000, or `minMs` if that is more. */
  maxMs?: number | undefined
}

/** What happens to the caller when the time is up. */
export type TimeoutMode = 'hard' | 'cooperative'

/** How long calls may take. Times are in milliseconds. */
export interface TimeoutOptions {
  /**
   * The time-out: a number above 0 (`Infinity` for none), what a function tells for each call, or
   * one that follows the latencies. Whatever it is, the deadline of the call comes first.
   */
  timeoutMs: number | ((context: CallContext) => number) | TimeoutFollows
  /**
   * `'hard'` (default): the caller gets the error at once, the function's signal is aborted, and what
   * comes of it later is ignored. `'cooperative'`: the signal is aborted and the call ends when the
   * function does; if that still succeeds, the call does.
   */
  mode?: TimeoutMode | undefined
  /**
   * A call with less time than this until its deadline is not begun. 0: begun as long as there is
   * any. Default the median of the latencies of late, of calls that had a deadline or whose time-out
   * follows.
   */
  leastMs?: number | undefined
  /**
   * The time-out while there are too few latencies to follow, and where the function throws or
   * answers no number above 0. Default the longest one that follows, else 30,000.
   */
  fallbackMs?: number | undefined
  /** How many latencies are enough to go by. Default 20; for a quantile of 0.99, 100. */
  minSamples?: number | undefined
  /** How old a latency may be. Default 60,000. */
  windowMs?: number | undefined
  /**
   * A time-out that fires later than this after its time was held up by a blocked event loop: its
   * error has `blockedMs` and is held against nobody. Default 50.
   */
  lateMs?: number | undefined
  /** Its name in errors. */
  name?: string | undefined
  /** Where time and timers come from. Default the runtime's. */
  clock?: Clock | undefined
}

const FIELDS: Record<string, Kind> = {
  timeoutMs: 'any',
  mode: ['hard', 'cooperative'],
  leastMs: 'number',
  fallbackMs: 'number',
  minSamples: 'number',
  windowMs: 'number',
  lateMs: 'number',
  name: 'string',
  clock: 'object',
}
const FOLLOWS: Record<string, Kind> = {
  quantile: 'number',
  factor: 'number',
  minMs: 'number',
  maxMs: 'number',
}

/** Refuses unknown options and wrong types; ranges are the engine's business. */
export function checkTimeout(options: TimeoutOptions): void {
  check('Timeout', options, FIELDS)
  const timeoutMs: unknown = options?.timeoutMs
  if (typeof timeoutMs === 'function') return
  if (typeof timeoutMs === 'object' && timeoutMs !== null) {
    check('Timeout timeoutMs', timeoutMs, FOLLOWS)
    check(
      'Timeout timeoutMs',
      { quantile: (timeoutMs as TimeoutFollows).quantile ?? null },
      FOLLOWS,
    )
    return
  }
  if (timeoutMs === undefined) {
    throw new OptionError('Timeout: `timeoutMs` must be given', 'timeoutMs')
  }
  check('Timeout', { timeoutMs }, { timeoutMs: 'number' })
}

/** The options as `TimeoutOptions` of `core/src/timeout/options.rs`, field by field. */
export function timeoutNumbers(options: TimeoutOptions): Float64Array {
  const { timeoutMs } = options
  const follows = typeof timeoutMs === 'object' ? timeoutMs : undefined
  const numbers = [
    typeof timeoutMs === 'number' ? timeoutMs : undefined,
    follows?.quantile,
    follows?.factor,
    follows?.minMs,
    follows?.maxMs,
    options.fallbackMs,
    options.minSamples,
    options.windowMs,
    options.leastMs,
    options.lateMs,
  ]
  return Float64Array.from(numbers, value => value ?? Number.NaN)
}

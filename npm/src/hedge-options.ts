import type { Clock } from './clock.js'
import type { CallContext } from './context.js'
import { OptionError } from './errors.js'
import { check, type Kind } from './options.js'

/** A delay that follows the latencies of late. */
export interface HedgeFollows {
  /** Which quantile of them, above 0 and at most 1: with 0.95, one call in twenty is hedged. */
  quantile: number
  /** The least delay in ms. Default 0. */
  minMs?: number | undefined
}

/** What limits extra calls, as a retry budget does. */
export interface HedgeBudget {
  /** Whether one more call may begin. */
  allow(): boolean
  /** One that was allowed is over: its function has ended, or nobody waits for it any more. */
  ended(): void
}

/** When calls get a second try beside the first. Times are in milliseconds. */
export interface HedgeOptions {
  /**
   * How long to wait for the tries under way before the next: a number (0: all at once), what a
   * function tells for each call, or a delay that follows the latencies.
   */
  delayMs: number | ((context: CallContext) => number) | HedgeFollows
  /** How many hedges a call may have. Default 1. */
  maxHedges?: number | undefined
  /**
   * The delay while there are too few latencies to follow, and where the function throws or answers
   * no number from 0. Default no hedge then.
   */
  fallbackMs?: number | undefined
  /** How many latencies are enough to go by. Default 20; for a quantile of 0.99, 100. */
  minSamples?: number | undefined
  /** How old a latency may be. Default 60,000. */
  windowMs?: number | undefined
  /** Asked before each hedge; a refusal leaves the call with the tries under way. Default none. */
  budget?: HedgeBudget | undefined
  /** Its name in what it explains. */
  name?: string | undefined
  /** Where time and timers come from. Default the runtime's. */
  clock?: Clock | undefined
}

const FIELDS: Record<string, Kind> = {
  delayMs: 'any',
  maxHedges: 'number',
  fallbackMs: 'number',
  minSamples: 'number',
  windowMs: 'number',
  budget: 'object',
  name: 'string',
  clock: 'object',
}
const FOLLOWS: Record<string, Kind> = { quantile: 'number', minMs: 'number' }

/** Refuses unknown options and wrong types; ranges are the engine's business. */
export function checkHedge(options: HedgeOptions): void {
  check('Hedge', options, FIELDS)
  const delayMs: unknown = options?.delayMs
  if (options?.budget) {
    const { allow, ended } = options.budget
    check(
      'Hedge budget',
      { allow: allow ?? null, ended: ended ?? null },
      { allow: 'function', ended: 'function' },
    )
  }
  if (typeof delayMs === 'function') return
  if (typeof delayMs === 'object' && delayMs !== null) {
    check('Hedge delayMs', delayMs, FOLLOWS)
    check('Hedge delayMs', { quantile: (delayMs as HedgeFollows).quantile ?? null }, FOLLOWS)
    return
  }
  if (delayMs === undefined) throw new OptionError('Hedge: `delayMs` must be given', 'delayMs')
  check('Hedge', { delayMs }, { delayMs: 'number' })
}

/** The options as `HedgeOptions` of `core/src/hedge/options.rs`, field by field. */
export function hedgeNumbers(options: HedgeOptions): Float64Array {
  const { delayMs } = options
  const follows = typeof delayMs === 'object' ? delayMs : undefined
  const numbers = [
    typeof delayMs === 'number' ? delayMs : undefined,
    follows?.quantile,
    follows?.minMs,
    options.fallbackMs,
    options.minSamples,
    options.windowMs,
    options.maxHedges,
  ]
  return Float64Array.from(numbers, value => value ?? Number.NaN)
}

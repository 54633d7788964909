import type { Clock } from './clock.js'
import { check, type Kind } from './options.js'
import type { Priorities } from './priority.js'

/** The rules by which a limit follows what is measured, in the order of `core/src/limit/adaptive`. */
export const ALGORITHMS = ['correlated', 'gradient2', 'vegas', 'aimd'] as const

/**
 * The rule by which a limit follows what is measured.
 *
 * - `'correlated'`: latency against its own past, where that is known to be free of waiting. Withstands
 *   lasting overload, constant time-outs and sides that get slower and slower.
 * - `'gradient2'`, `'vegas'`, `'aimd'`: as in Netflix's `concurrency-limits`, with their weaknesses.
 */
export type AdaptiveAlgorithm = (typeof ALGORITHMS)[number]

/** What may be changed later. */
export interface AdaptiveLimits {
  /** The rule. Default `'correlated'`. */
  algorithm?: AdaptiveAlgorithm | undefined
  /** The limit never goes below; at least 1. Default 1. */
  minLimit?: number | undefined
  /** The limit never goes above. Default 200. */
  maxLimit?: number | undefined
  /** Calls that may wait for a place. Default 0; with `priorities` three times the limit. */
  maxQueue?: number | undefined
  /** How long a call may wait, above 0. Default `Infinity`: without end. */
  queueTimeoutMs?: number | undefined
  /** The shortest time between two decisions; twice the latency if that is more. Default 1000. */
  minWindowMs?: number | undefined
  /** The longest time between two decisions, if there are calls enough. Default 30,000. */
  maxWindowMs?: number | undefined
  /** How many calls a decision needs at least. Default 50. */
  minSamples?: number | undefined
  /** The share of calls of a window that its latency stands for, up to 1. Default 0.9. */
  quantile?: number | undefined
  /** `'aimd'`: a window slower than this many ms lowers the limit. Default 5000. */
  slowAfterMs?: number | undefined
}

/** What an adaptive limiter is made of. */
export interface AdaptiveLimiterOptions extends AdaptiveLimits {
  /** The limit to begin with. Default 20, or the nearest between `minLimit` and `maxLimit`. */
  initialLimit?: number | undefined
  /**
   * Whether calls are turned away by their `priority` and `user` from two thirds of the queue on:
   * `true`, or {@link Priorities} that several limiters share. Default `false`.
   */
  priorities?: boolean | Priorities | undefined
  /** Told in errors. */
  name?: string | undefined
  /** The same seed draws the same. Default a random one. */
  seed?: number | undefined
  /** Where time and timers come from. Default the runtime's. */
  clock?: Clock | undefined
}

const LIMITS: Record<string, Kind> = {
  algorithm: ALGORITHMS,
  minLimit: 'number',
  maxLimit: 'number',
  maxQueue: 'number',
  queueTimeoutMs: 'number',
  minWindowMs: 'number',
  maxWindowMs: 'number',
  minSamples: 'number',
  quantile: 'number',
  slowAfterMs: 'number',
}
const FIELDS: Record<string, Kind> = {
  ...LIMITS,
  initialLimit: 'number',
  priorities: 'any',
  name: 'string',
  seed: 'number',
  clock: 'object',
}

/** @throws OptionError for what JavaScript can see; ranges are the engine's business. */
export function checkAdaptive(options: unknown): void {
  check('AdaptiveLimiter', options, FIELDS)
}

/** The same for what may be changed later. */
export function checkLimits(options: unknown): void {
  check('AdaptiveLimiter', options ?? null, LIMITS)
}

/** The options as `AdaptiveOptions` of `core/src/limit/adaptive/options.rs`, field by field. */
export function adaptiveNumbers(options: AdaptiveLimiterOptions): Float64Array {
  const { algorithm } = options
  const numbers = [
    algorithm && ALGORITHMS.indexOf(algorithm),
    options.initialLimit,
    options.minLimit,
    options.maxLimit,
    options.minWindowMs,
    options.maxWindowMs,
    options.minSamples,
    options.quantile,
    options.slowAfterMs,
  ]
  return Float64Array.from(numbers, value => value ?? Number.NaN)
}

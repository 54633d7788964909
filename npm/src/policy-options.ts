import type { CircuitBreaker } from './breaker.js'
import type { CircuitBreakerOptions } from './breaker-options.js'
import type { ChaosOptions } from './chaos.js'
import type { Clock } from './clock.js'
import { OptionError } from './errors.js'
import { check, type Kind } from './options.js'
import type { PolicyCall } from './policy-run.js'
import type { RetryOptions } from './retry-options.js'

/** Chaos within a policy: also by call, so that a tenant or a share of callers can be tried. */
export interface PolicyChaosOptions extends ChaosOptions {
  /** Which calls may be struck at all. Default every call. What it throws counts as no. */
  when?: ((call: PolicyCall) => boolean) | undefined
}

/** What a policy is made of. A part that is not named is not there and costs nothing. */
export interface PolicyOptions {
  /** Its name, in errors and events. */
  name?: string | undefined
  /** Repeats failed calls. */
  retry?: Omit<RetryOptions, 'signal' | 'clock' | 'deadline'> | undefined
  /** Fails calls fast while the other side is down: options, or a breaker that others use too. */
  breaker?: CircuitBreakerOptions | CircuitBreaker | undefined
  /** Failures on purpose, next to the function. */
  chaos?: PolicyChaosOptions | undefined
  /** The parts named, from the outermost to the innermost. Default {@link STAGES}. */
  order?: readonly Stage[] | undefined
  /**
   * Keeps the last so many decisions for `Policy.log()`; a whole number. Default 0: none, and no
   * cost. Each entry takes 48 bytes.
   */
  log?: number | undefined
  /** For all parts that draw numbers and have no seed of their own. Default a random one each. */
  seed?: number | undefined
  /** Where time and timers come from, for all parts. Default the runtime's. */
  clock?: Clock | undefined
}

/** The parts of a policy in their default order, the first the outermost. */
export const STAGES = ['retry', 'breaker', 'chaos'] as const

/** A part of a policy. */
export type Stage = (typeof STAGES)[number]

const FIELDS: Record<string, Kind> = {
  name: 'string',
  retry: 'object',
  breaker: 'object',
  chaos: 'object',
  order: 'any',
  log: 'integer',
  seed: 'number',
  clock: 'object',
}

/** Refuses what nobody knows and orders that leave parts out. Answers the parts in their order. */
export function stagesOf(options: PolicyOptions): Stage[] {
  check('policy', options, FIELDS)
  const { log = 0 } = options
  if (log < 0) throw new OptionError(`policy: \`log\` must be 0 or more, got ${log}`, 'log')
  const used = STAGES.filter(stage => options[stage] !== undefined)
  const { order } = options
  if (order === undefined) return used
  const fits =
    Array.isArray(order) &&
    order.length === used.length &&
    new Set(order).size === used.length &&
    used.every(stage => order.includes(stage))
  if (fits) return [...order]
  throw new OptionError(
    `policy: \`order\` must name each part of the policy once (${used.join(', ')}), got ${
      Array.isArray(order) ? `[${order.join(', ')}]` : typeof order
    }`,
    'order',
  )
}

/** All parts in the order of `Stage` in `core/src/policy`, whose numbers they are. */
const CODES = [
  'fallback',
  'cache',
  'coalesce',
  'deadlineMs',
  'retry',
  'hedge',
  'rateLimit',
  'throttle',
  'breaker',
  'bulkhead',
  'adaptive',
  'timeout',
  'chaos',
]

/** The options as `PlanNumbers` of the core, field by field. */
export function planNumbers(options: PolicyOptions, stages: readonly Stage[]): Float64Array {
  const { retry } = options
  const numbers = [
    stages.length,
    ...stages.map(stage => CODES.indexOf(stage)),
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
    retry?.maxElapsedMs,
  ]
  return Float64Array.from(numbers, value => (value === undefined ? Number.NaN : Number(value)))
}

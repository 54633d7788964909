import type { AdaptiveLimiter } from './adaptive-limiter.js'
import type { AdaptiveLimiterOptions } from './adaptive-options.js'
import type { CircuitBreaker } from './breaker/index.js'
import type { CircuitBreakerOptions } from './breaker/options.js'
import type { RetryBudget, RetryBudgetOptions } from './budget.js'
import type { Bulkhead } from './bulkhead.js'
import type { BulkheadOptions } from './bulkhead-options.js'
import type { Cache } from './cache/index.js'
import type { CacheOptions } from './cache/options.js'
import type { ChaosOptions } from './chaos.js'
import type { Clock } from './clock.js'
import type { Coalescer, CoalescerOptions } from './coalesce.js'
import { describe, OptionError } from './errors.js'
import type { Fallback } from './fallback.js'
import type { Hedge } from './hedge.js'
import type { HedgeOptions } from './hedge-options.js'
import { check, type Kind } from './options.js'
import type { PolicyCall } from './policy-run.js'
import { rankCode } from './priority.js'
import type { RateLimiter } from './rate-limiter.js'
import type { RateLimiterOptions } from './rate-options.js'
import type { RetryOptions } from './retry-options.js'
import type { Throttle, ThrottleOptions } from './throttle.js'
import type { Timeout } from './timeout.js'
import type { TimeoutOptions } from './timeout-options.js'

/** Chaos within a policy: also by call, so that a tenant or a share of callers can be tried. */
export interface PolicyChaosOptions extends Omit<ChaosOptions, 'rate'> {
  /** The share of calls struck, 0 to 1, or a function of the call that tells it. Default 0.001. */
  rate?: number | ((call: PolicyCall) => number) | undefined
  /** Which calls may be struck at all. Default every call. What it throws counts as no. */
  when?: ((call: PolicyCall) => boolean) | undefined
}

/**
 * What a policy is made of. A part that is not named is not there and costs nothing. Each is given by
 * its options, or as an object that others use too; what is made of options has the policy's clock
 * and is let go with it.
 */
export interface PolicyOptions {
  /** Its name, in what it tells. */
  name?: string | undefined
  /** Answers in place of a failure: a function of the error, or one that others use too. */
  fallback?: Fallback<unknown> | ((error: unknown) => unknown) | undefined
  /** Answers what it knows, for calls that bring a `key`. */
  cache?: CacheOptions<unknown> | Cache<unknown> | undefined
  /** Makes parallel calls that bring the same `key` a single one. */
  coalesce?: boolean | CoalescerOptions | Coalescer | undefined
  /**
   * How long the whole call may take, with all its tries and waits. The parts inside know it; a
   * function that neither ends nor looks at its signal is a failure to the breaker only with a
   * `timeout`.
   */
  deadlineMs?: number | undefined
  /**
   * Repeats failed calls. Without a `shouldRetry`, `classify` says which; a refusal by another
   * part ends the call unless `onRefusal` is `'wait'`.
   */
  retry?: Omit<RetryOptions, 'signal' | 'clock' | 'deadline'> | undefined
  /** How many of the calls may be repetitions and hedges. */
  budget?: RetryBudgetOptions | RetryBudget | undefined
  /** Calls a second time where the first takes long. */
  hedge?: HedgeOptions | Hedge | undefined
  /** So many calls in a time. */
  rateLimit?: RateLimiterOptions | RateLimiter | undefined
  /** Refuses what the other side would refuse. */
  throttle?: ThrottleOptions | Throttle | undefined
  /** Fails calls fast while the other side is down. */
  breaker?: CircuitBreakerOptions | CircuitBreaker | undefined
  /** How long one try may take, in ms, or as the options say. */
  timeout?: number | TimeoutOptions | Timeout | undefined
  /** So many calls at a time. */
  bulkhead?: BulkheadOptions | Bulkhead | undefined
  /** As many calls at a time as the other side bears. */
  adaptive?: AdaptiveLimiterOptions | AdaptiveLimiter | undefined
  /** Failures on purpose, next to the function. */
  chaos?: PolicyChaosOptions | undefined
  /** The parts named, from the outermost to the innermost. Default {@link STAGES}. */
  order?: readonly Stage[] | undefined
  /**
   * Keeps the last so many decisions for `Policy.log()`; a whole number up to 10,000,000. Default 0: none, and no
   * cost. Each entry takes 48 bytes.
   */
  log?: number | undefined
  /** For all parts that draw numbers and have no seed of their own. Default a random one each. */
  seed?: number | undefined
  /** Where time and timers come from, for all parts. Default the runtime's. */
  clock?: Clock | undefined
}

/** The parts of a policy in their default order, the first the outermost. */
export const STAGES = [
  'fallback',
  'cache',
  'coalesce',
  'deadlineMs',
  'retry',
  'hedge',
  'rateLimit',
  'throttle',
  'breaker',
  'timeout',
  'bulkhead',
  'adaptive',
  'chaos',
] as const

/** A part of a policy. */
export type Stage = (typeof STAGES)[number]

/** @internal */
export const FIELDS: Record<string, Kind> = {
  name: 'string',
  fallback: 'any',
  cache: 'object',
  coalesce: 'any',
  deadlineMs: 'number',
  retry: 'object',
  budget: 'object',
  hedge: 'object',
  rateLimit: 'object',
  throttle: 'object',
  breaker: 'object',
  timeout: 'any',
  bulkhead: 'object',
  adaptive: 'object',
  chaos: 'object',
  order: 'any',
  log: 'integer',
  seed: 'number',
  clock: 'object',
}

/** Options that may be of several types. */
const EITHER: readonly (readonly [Stage, readonly string[], string])[] = [
  ['fallback', ['function', 'object'], 'a function or a Fallback'],
  ['coalesce', ['boolean', 'object'], 'a boolean, options or a Coalescer'],
  ['timeout', ['number', 'object'], 'a number, options or a Timeout'],
]

/** What is wrong with a call, if anything is. Names nobody knows pass: a context may be handed on. @internal */
export function callProblem(fn: unknown, call: PolicyCall): OptionError | undefined {
  const wrong = (option: string, must: string, got: unknown): OptionError =>
    new OptionError(`policy: \`${option}\` must be ${must}, got ${describe(got)}`, option)
  if (typeof fn !== 'function') return wrong('fn', 'a function', fn)
  if (typeof call !== 'object' || call === null) return wrong('options', 'an object', call)
  const { signal, deadline, priority, user, key, idempotent } = call
  if (signal !== undefined && typeof signal?.addEventListener !== 'function') {
    return wrong('signal', 'an AbortSignal', signal)
  }
  if (deadline !== undefined && (typeof deadline !== 'number' || Number.isNaN(deadline))) {
    return wrong('deadline', 'a number', deadline)
  }
  if (priority !== undefined && Number.isNaN(rankCode(priority))) {
    return wrong('priority', 'a class or a number', priority)
  }
  if (user !== undefined && typeof user !== 'string') return wrong('user', 'a string', user)
  if (key !== undefined && typeof key !== 'string') return wrong('key', 'a string', key)
  if (idempotent !== undefined && typeof idempotent !== 'boolean') {
    return wrong('idempotent', 'a boolean', idempotent)
  }
  return undefined
}

/** The parts that are there, in the default order. */
export function usedStages(options: PolicyOptions): Stage[] {
  return STAGES.filter(stage => options[stage] !== undefined && options[stage] !== false)
}

/** Refuses what nobody knows and orders that leave parts out. Answers the parts in their order. */
export function stagesOf(options: PolicyOptions): Stage[] {
  check('policy', options ?? null, FIELDS)
  for (const [option, kinds, words] of EITHER) {
    const value = options[option]
    if (value !== undefined && (value === null || !kinds.includes(typeof value))) {
      throw new OptionError(
        `policy: \`${option}\` must be ${words}, got ${describe(value)}`,
        option,
      )
    }
  }
  const used = usedStages(options)
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
  'timeout',
  'bulkhead',
  'adaptive',
  'chaos',
]

/** The options as `PlanNumbers` of the core, field by field. Of parts that are objects nothing is known. */
export function planNumbers(options: PolicyOptions, stages: readonly Stage[]): Float64Array {
  const { retry, timeout, hedge, bulkhead, budget } = options
  const ms = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined)
  const timeoutMs =
    typeof timeout === 'object' && 'timeoutMs' in timeout ? timeout.timeoutMs : timeout
  const numbers = [
    stages.length,
    ...stages.map(stage => CODES.indexOf(stage)),
    budget !== undefined,
    options.deadlineMs,
    ms(timeoutMs),
    hedge && 'delayMs' in hedge ? ms(hedge.delayMs) : undefined,
    bulkhead && 'queueTimeoutMs' in bulkhead ? ms(bulkhead.queueTimeoutMs) : undefined,
    retry?.maxElapsedMs,
    options.log,
  ]
  return Float64Array.from(numbers, value => (value === undefined ? Number.NaN : Number(value)))
}

import type { Bulkhead } from './bulkhead.js'
import type { Clock } from './clock.js'
import { describe, OptionError, type RejectedError } from './errors.js'
import { check, type Kind } from './options.js'
import { Priorities } from './priority.js'

/** How much a bulkhead lets in. */
export interface BulkheadLimits {
  /** Calls that may run at once; at least 1. */
  maxConcurrent: number
  /** Calls that may wait for a place. Default 0; with `priorities` three times `maxConcurrent`. */
  maxQueue?: number | undefined
  /** How long a call may wait, above 0. Default `Infinity`: without end. */
  queueTimeoutMs?: number | undefined
}

/** What a bulkhead is made of. */
export interface BulkheadOptions extends BulkheadLimits {
  /**
   * Whether calls are turned away by their `priority` and `user` from two thirds of the queue on:
   * `true`, or {@link Priorities} that several limiters share. Default `false`: first come, first
   * served, until the queue is full.
   */
  priorities?: boolean | Priorities | undefined
  /** Told in errors. */
  name?: string | undefined
  /** The same seed draws the same levels with `priorities: true`. Default a random one. */
  seed?: number | undefined
  /** Where time and timers come from. Default the runtime's. */
  clock?: Clock | undefined
}

/** A bulkhead as it stands. */
export interface BulkheadExplanation {
  /** What a call without a priority would hear now. */
  readonly outlook: 'admit' | 'queue' | 'refuse'
  /** Calls that run. */
  readonly running: number
  /** Calls that wait. */
  readonly queued: number
  readonly maxConcurrent: number
  readonly maxQueue: number
  /** How long a call may wait; `undefined` without end. */
  readonly queueTimeoutMs: number | undefined
  /** How long the first in the queue has waited. */
  readonly oldestWaitMs: number | undefined
  /** In how long it has waited too long. */
  readonly expiresInMs: number | undefined
  /** What became of calls that did not begin at once. */
  readonly totals: {
    /** Had to wait. */
    readonly queued: number
    /** Waited and began. */
    readonly admitted: number
    /** Refused because all was full. */
    readonly full: number
    /** Refused by priority. */
    readonly priority: number
    /** Waited too long. */
    readonly queueTimeout: number
    /** Aborted while they waited. */
    readonly aborted: number
  }
}

/** What a bulkhead tells of itself; see {@link Bulkhead.on}. */
export interface BulkheadEvents {
  /** A call has to wait; `queued` with it. */
  queued: { queued: number; bulkhead: Bulkhead }
  /** A call was refused. `error.rule` is `full`, `queueTimeout` or `priority`. */
  rejected: { error: RejectedError; bulkhead: Bulkhead }
}

/** A place, until it is given back. */
export interface BulkheadPermit extends Disposable {
  /** Gives the place back; the second time does nothing. */
  release(): void
}

/** What `update` may change. @internal */
export const LIMITS: Record<string, Kind> = {
  maxConcurrent: 'number',
  maxQueue: 'number',
  queueTimeoutMs: 'number',
}
const FIELDS: Record<string, Kind> = {
  ...LIMITS,
  priorities: 'any',
  name: 'string',
  seed: 'number',
  clock: 'object',
}

/** @throws OptionError for an option that is unknown or of the wrong type. @internal */
export function checkBulkhead(options: BulkheadOptions): void {
  check('Bulkhead', options ?? null, FIELDS)
  const { priorities } = options
  if (
    priorities === undefined ||
    typeof priorities === 'boolean' ||
    priorities instanceof Priorities
  ) {
    return
  }
  const got = describe(priorities)
  const message = `Bulkhead: \`priorities\` must be a boolean or a Priorities, got ${got}`
  throw new OptionError(message, 'priorities')
}

/** The options as `BulkheadOptions` of `core/src/limit/bulkhead/options.rs`, field by field. */
export function bulkheadNumbers(options: BulkheadOptions): Float64Array {
  const { maxConcurrent, maxQueue, queueTimeoutMs, priorities } = options
  const numbers = [maxConcurrent, maxQueue, queueTimeoutMs, priorities && 1]
  return Float64Array.from(numbers, value => (value === undefined ? Number.NaN : Number(value)))
}

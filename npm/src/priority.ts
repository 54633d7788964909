/**
 * Whom limiters turn away first when there is not enough for all. Levels and thresholds are the
 * engine's (`core/src/limit/priority`).
 */
import { Handles } from './engine/handles.js'
import { policyEngine } from './engine/policies/index.js'
import type { PriorityName } from './gate.js'
import { check, type Kind } from './options.js'
import { seedOr } from './seed.js'

/** What {@link Priorities} may be given. */
export interface PrioritiesOptions {
  /** The same seed draws the same levels. Default a random one. */
  seed?: number | undefined
}

/** What {@link Priorities} remember. */
export interface PrioritiesExplanation {
  /** Calls remembered, up to a thousand. */
  readonly calls: number
  /** Users among them. */
  readonly users: number
  /** The level below which calls are turned away where the share asked for is. */
  readonly threshold: number
}

const FIELDS: Record<string, Kind> = { seed: 'number' }

/** The classes in the order of the core. */
const NAMES: readonly PriorityName[] = ['veryLow', 'low', 'medium', 'high', 'veryHigh']
/** Codes from here on are classes, those below are levels. */
const CLASSES = 1_000

/** The number the engine knows a priority by; NaN for those that say nothing. @internal */
export function rankCode(priority: PriorityName | number | undefined): number {
  if (typeof priority === 'number') return Math.min(Math.max(priority, 0), CLASSES - 1)
  const index = priority === undefined ? -1 : NAMES.indexOf(priority)
  return index < 0 ? Number.NaN : CLASSES + index
}

/** The place of a class, that of `'medium'` for nothing said; -1 for a level and for what is no class. @internal */
export function classIndex(priority: PriorityName | number | undefined): number {
  if (priority === undefined) return 2
  return typeof priority === 'number' ? -1 : NAMES.indexOf(priority)
}

const handles = new Handles(handle => policyEngine().priorityFree(handle))

let handleOf: (priorities: Priorities) => number

/** The engine's handle. @internal */
export function prioritiesHandle(priorities: Priorities): number {
  return handleOf(priorities)
}

/**
 * Levels and users of the calls that came lately, to be shared by limiters that shall agree on whom
 * they turn away.
 *
 * A call has a level from 0 to 499, in five classes of a hundred: `'veryLow'`, `'low'`, `'medium'`,
 * `'high'`, `'veryHigh'`. The higher the level, the longer it is served. Calls that name their class
 * get a level within it: drawn, or by how much their `user` asked for beside others. Remembered are
 * the last thousand calls that came while a limiter was full, and no more users than that.
 *
 * @example
 * ```ts
 * import { Bulkhead, Priorities } from 'seawall'
 *
 * const priorities = new Priorities()
 * const reads = new Bulkhead({ maxConcurrent: 20, priorities })
 * const writes = new Bulkhead({ maxConcurrent: 5, priorities })
 * await reads.execute(async () => 'a page', { priority: 'low', user: 'tenant 7' })
 * await writes.execute(async () => 'paid', { priority: 'veryHigh' })
 * ```
 */
export class Priorities implements Disposable {
  static {
    handleOf = priorities => priorities.#handle
  }

  #handle: number

  /** @throws OptionError for an option that is unknown or of a wrong type */
  constructor(options: PrioritiesOptions = {}) {
    check('Priorities', options, FIELDS)
    this.#handle = policyEngine().priorityNew(seedOr(options.seed))
    handles.watch(this, this.#handle)
  }

  /** What is remembered, and the threshold where the share `rate` (0 to 1) is turned away. */
  explain(rate = 0): PrioritiesExplanation {
    const numbers = policyEngine().priorityExplain(this.#handle, rate)
    const [calls = 0, users = 0, threshold = 0] = Array.from(numbers)
    return { calls, users, threshold }
  }

  /** Lets go of what the engine holds; limiters that still use it treat all calls alike. */
  [Symbol.dispose](): void {
    if (this.#handle < 0) return
    handles.release(this, this.#handle)
    this.#handle = -1
  }
}

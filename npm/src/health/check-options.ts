import type { Clock } from '../clock.js'
import type { Kind } from '../options.js'
import { type HealthKind, KINDS } from './words.js'

/**
 * How a check runs and counts. Times are in ms.
 *
 * In Workers timers end with the request that set them, and so does a run. Checks run there when
 * {@link HealthChecks.check} (`healthHandler` calls it) asks after their interval, not by themselves.
 */
export interface CheckOptions {
  /**
   * Which question it counts for. `readiness` (default): should this instance be sent work.
   * `liveness`: can it go on at all, or is it to be restarted; it counts for readiness too, and
   * should look at nothing outside of this process. `startup`: has it come up; once passed it is not
   * run again, and until then the instance is not ready.
   */
  kind?: HealthKind | undefined
  /** How long a run may take. Above 0; `Infinity`: no limit. Default 5000. */
  timeoutMs?: number | undefined
  /**
   * From the start of one run to that of the next. Above 0; `Infinity`: it runs when it is added, and
   * then only by {@link HealthChecks.run} and {@link HealthChecks.check}. Default 10,000.
   */
  intervalMs?: number | undefined
  /**
   * How old the last result may be; older, it is not healthy. Above 0; `Infinity`: any age. Default
   * three intervals and the timeout, 10,000 without an interval, any age for `liveness`.
   */
  maxAgeMs?: number | undefined
  /** How many runs in a row must fail before it counts as failing. Default 1, for `liveness` 3. */
  failures?: number | undefined
  /** How many runs in a row must pass before it counts as well again. Default 1. */
  successes?: number | undefined
  /**
   * How long a run may hang before another is begun beside it, at least `timeoutMs`; twice as long
   * after each that was given up. `Infinity`: never. Default 60,000.
   */
  abandonMs?: number | undefined
}

/** What all checks have in common. */
export interface HealthChecksOptions {
  /** Where time and timers come from. Default the runtime's. */
  clock?: Clock | undefined
}

/** The options of a check by their kinds. @internal */
export const CHECK_FIELDS: Record<string, Kind> = {
  kind: ['liveness', 'readiness', 'startup'],
  timeoutMs: 'number',
  intervalMs: 'number',
  maxAgeMs: 'number',
  failures: 'number',
  successes: 'number',
  abandonMs: 'number',
}

/** The options as `WatchOptions` of `core/src/health/watch.rs`, field by field. @internal */
export function numbersOf(options: CheckOptions): Float64Array {
  const { kind, timeoutMs, intervalMs, maxAgeMs, failures, successes, abandonMs } = options
  const number = kind === undefined ? undefined : KINDS.indexOf(kind)
  return Float64Array.from(
    [number, timeoutMs, intervalMs, maxAgeMs, failures, successes, abandonMs],
    value => value ?? Number.NaN,
  )
}

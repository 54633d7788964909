import type { Kysely } from 'kysely'
import type { Check } from '../health/flight.js'
import type { HealthLimits } from '../health/grade.js'
import { checkDatabaseHealth } from './check.js'
import type { MetricsPool } from './pool.js'

/** What {@link databaseCheck} looks at. */
export interface DatabaseCheckOptions extends Omit<HealthLimits, 'timeoutMs'> {
  /** A pool whose connections to report; see `createMetricsPool`. */
  pool?: MetricsPool | undefined
}

/**
 * A database as a check for `HealthChecks` of `seawall/health`: it sends a ping, and an answer that
 * takes `unhealthyMs` (default 500) or longer fails. The time limit is that of the check.
 *
 * @example
 * ```ts
 * import { databaseCheck } from 'seawall/kysely'
 * import { HealthChecks } from 'seawall/health'
 * import type { Kysely } from 'kysely'
 *
 * export function watch(db: Kysely<unknown>): HealthChecks {
 *   const checks = new HealthChecks()
 *   checks.add('database', databaseCheck(db), { timeoutMs: 2000 })
 *   return checks
 * }
 * ```
 */
export function databaseCheck<DB>(db: Kysely<DB>, options: DatabaseCheckOptions = {}): Check {
  const limits = { ...options, timeoutMs: Number.POSITIVE_INFINITY }
  return () => checkDatabaseHealth(db, options.pool, limits)
}

import type { Kysely } from 'kysely'
import { checkTimeout, type Grade, gradeOf, type HealthLimits } from '../health/grade.js'
import { ping, versionQuery } from './database.js'
import { limited, messageOf } from './limited.js'
import type { KyseraLogger } from './logger.js'
import type { MetricsPool, PoolMetrics } from './pool.js'
import { readPool } from './read-pool.js'

/** How well the database answered: in good time, late, or too late or not at all. */
export type HealthStatus = Grade

/** One thing that was checked. */
export interface HealthCheck {
  name: string
  status: HealthStatus
  message?: string
  details?: Record<string, unknown>
}

/** What a health check found. */
export interface HealthCheckResult {
  /** The worst status of all checks. */
  status: HealthStatus
  checks: HealthCheck[]
  /** Why the database is unhealthy; absent where it answered. */
  errors?: string[]
  metrics?: HealthMetrics
  timestamp: Date
}

/** Numbers of a health check. */
export interface HealthMetrics {
  /** What the server says of its version, or `Unknown`. Only with `verbose`. */
  databaseVersion?: string
  /** The pool's connections, where a pool was given. */
  poolMetrics?: {
    totalConnections: number
    activeConnections: number
    idleConnections: number
    waitingRequests: number
  }
  /** Never set; kept for the type. */
  queryMetrics?: {
    totalQueries?: number
    avgResponseTime?: number
    slowQueries?: number
    errors?: number
  }
  /** How long the database took to answer, in milliseconds of the wall clock. */
  checkLatency?: number
}

/** What {@link performHealthCheck} looks at. */
export interface HealthCheckOptions extends HealthLimits {
  /** A pool whose connections to report; see `createMetricsPool`. */
  pool?: MetricsPool | undefined
  /** Also asks the server for its version. Default false. */
  verbose?: boolean | undefined
  /** Accepted as in the original; nothing is ever logged here. */
  logger?: KyseraLogger | undefined
}

/**
 * Sends the database a ping and tells how well it answered. By default an answer within 100 ms is
 * `healthy`, within 500 ms `degraded`, and `unhealthy` from then on; after 5 seconds the check gives
 * up. The query itself is not cancelled.
 *
 * It never rejects because of the database or of the pool: their failures are what it reports. A pool
 * whose `getMetrics` throws is left out of the result.
 *
 * @param pool - a pool whose connections to report; anything without a `getMetrics` is ignored
 * @param limits - other limits than those above; see {@link HealthLimits}
 * @throws OptionError (as a rejection) for limits that are out of range
 *
 * @example
 * ```ts
 * import { checkDatabaseHealth } from 'seawall/kysely'
 * import { Kysely, PostgresDialect } from 'kysely'
 * import pg from 'pg'
 *
 * const db = new Kysely({ dialect: new PostgresDialect({ pool: new pg.Pool() }) })
 * const { status, errors } = await checkDatabaseHealth(db)
 * if (status === 'unhealthy') console.error(errors)
 * await db.destroy()
 * ```
 */
export function checkDatabaseHealth<DB>(
  db: Kysely<DB>,
  pool?: MetricsPool,
  limits: HealthLimits = {},
): Promise<HealthCheckResult> {
  return lookAt(db, pool, limits)
}

/** The check, and a word when the query has ended, whether it was still waited for or not. @internal */
export async function lookAt<DB>(
  db: Kysely<DB>,
  pool: MetricsPool | undefined,
  limits: HealthLimits,
  ended?: () => void,
): Promise<HealthCheckResult> {
  const timeoutMs = checkTimeout('checkDatabaseHealth', limits)
  const start = Date.now()
  try {
    await limited(() => ping(db), timeoutMs, lateText(timeoutMs), ended)
  } catch (error) {
    return failed(messageOf(error), poolMetrics(pool))
  }
  const checkLatency = Date.now() - start
  const status = gradeOf(checkLatency, limits)
  const connections = poolMetrics(pool)
  return {
    status,
    checks: [
      {
        name: 'Database Connection',
        status,
        message: `Connected successfully (${checkLatency}ms)`,
      },
    ],
    metrics: { checkLatency, ...(connections && { poolMetrics: connections }) },
    timestamp: new Date(),
  }
}

/** What is said of a database that did not answer in time. @internal */
export function lateText(timeoutMs: number): string {
  return `Health check timed out after ${timeoutMs}ms`
}

/**
 * {@link checkDatabaseHealth} with its parameters in one object; with `verbose` also the version of
 * the server, `Unknown` where it does not tell within the time limit.
 *
 * @throws OptionError (as a rejection) for limits that are out of range
 *
 * @example
 * ```ts
 * import { performHealthCheck } from 'seawall/kysely'
 * import type { Kysely } from 'kysely'
 *
 * export async function readiness(db: Kysely<unknown>): Promise<number> {
 *   const { status, metrics } = await performHealthCheck(db, { verbose: true, timeoutMs: 1000 })
 *   console.log(metrics?.databaseVersion)
 *   return status === 'unhealthy' ? 503 : 200
 * }
 * ```
 */
export async function performHealthCheck<DB>(
  db: Kysely<DB>,
  options: HealthCheckOptions = {},
): Promise<HealthCheckResult> {
  const result = await checkDatabaseHealth(db, options.pool, options)
  if (options.verbose) {
    const { checkLatency } = result.metrics ?? {}
    const databaseVersion =
      checkLatency === undefined
        ? 'Unknown'
        : await versionOf(db, checkTimeout('performHealthCheck', options) - checkLatency)
    result.metrics = { ...result.metrics, databaseVersion }
  }
  return result
}

async function versionOf<DB>(db: Kysely<DB>, timeoutMs: number): Promise<string> {
  try {
    const query = versionQuery(db)
    return await limited(query, timeoutMs, 'The server did not tell its version in time')
  } catch {
    return 'Unknown'
  }
}

/** A database that did not answer, or with an error. @internal */
export function failed(
  message: string,
  connections: HealthMetrics['poolMetrics'],
): HealthCheckResult {
  return {
    status: 'unhealthy',
    checks: [{ name: 'Database Connection', status: 'unhealthy', message }],
    errors: [message],
    timestamp: new Date(),
    ...(connections && { metrics: { poolMetrics: connections } }),
  }
}

/** The pool's connections, where it tells. @internal */
export function poolMetrics(pool: MetricsPool | undefined): HealthMetrics['poolMetrics'] {
  const metrics: PoolMetrics | undefined = readPool(pool)
  return (
    metrics && {
      totalConnections: metrics.total,
      activeConnections: metrics.active,
      idleConnections: metrics.idle,
      waitingRequests: metrics.waiting,
    }
  )
}

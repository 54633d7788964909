import type { Kysely } from 'kysely'
import { type DurationSummary, isBusy, summarize } from '../health/grade.js'
import type { MetricsPool, PoolMetrics } from './pool.js'
import { readPool } from './read-pool.js'

/** One query, as `@kysera/debug` records it. */
export interface QueryMetrics {
  sql: string
  params?: unknown[]
  /** In milliseconds. */
  duration: number
  /** In epoch milliseconds. */
  timestamp: number
}

/** A database that records its queries, such as that of `withDebug` of `@kysera/debug`. */
export interface DatabaseWithMetrics<_DB = unknown> {
  getMetrics(): QueryMetrics[]
  clearMetrics(): void
}

/** What {@link getMetrics} reports. */
export interface GetMetricsOptions {
  /** A label for the time the metrics are of; only passed through. Default `1h`. */
  period?: string | undefined
  /** A pool whose connections to report; see `createMetricsPool`. */
  pool?: MetricsPool | undefined
  /** Queries that took more milliseconds are slow. Default 100; 0: all that took any time. */
  slowQueryThreshold?: number | undefined
}

/** Numbers about queries and connections. Durations are in milliseconds, to two decimals. */
export interface MetricsResult {
  period: string
  /** When this was made, as an ISO string. */
  timestamp: string
  /** Only with a pool. */
  connections?: {
    total: number
    active: number
    idle: number
    /** The most the pool opens, or `total` where that is not known. */
    max: number
  }
  /** Only if there are any. Percentiles are durations that occurred (nearest rank). */
  queries?: {
    total: number
    avgDuration: number
    minDuration: number
    maxDuration: number
    p95Duration: number
    p99Duration: number
    slowCount: number
  }
  /** What to look into; only with queries, or where there is something to say. */
  recommendations?: string[]
}

/** Whether a database records its queries, so that {@link getMetrics} works. */
export function hasDatabaseMetrics<DB>(db: Kysely<DB>): db is Kysely<DB> & DatabaseWithMetrics<DB> {
  return typeof (db as Partial<DatabaseWithMetrics> | undefined | null)?.getMetrics === 'function'
}

/**
 * A summary of the queries a database has recorded and of the connections of its pool, with
 * recommendations: where more than a tenth of the queries is slow, where their mean is above half
 * of what is slow, and where more than 80 % of the connections are in use.
 *
 * @throws Error where the database does not record its queries.
 *
 * @example
 * ```ts
 * import { getMetrics, hasDatabaseMetrics } from 'seawall/kysely'
 * import type { Kysely } from 'kysely'
 *
 * export function report(db: Kysely<unknown>): void {
 *   if (!hasDatabaseMetrics(db)) return
 *   const { queries, recommendations } = getMetrics(db, { slowQueryThreshold: 50 })
 *   console.log(queries?.p95Duration, recommendations)
 * }
 * ```
 */
export function getMetrics<DB>(
  db: Kysely<DB> | (Kysely<DB> & DatabaseWithMetrics<DB>),
  options: GetMetricsOptions = {},
): MetricsResult {
  const { period = '1h', slowQueryThreshold = 100 } = options
  if (!hasDatabaseMetrics(db)) {
    throw new Error(
      'Database metrics are not available. To collect query metrics, wrap your database with the debug plugin using withDebug() from @kysera/debug. Example: const debugDb = withDebug(db, { maxMetrics: 1000 });',
    )
  }
  const durations = Float64Array.from(db.getMetrics(), metric => metric.duration)
  const summary = summarize(durations, slowQueryThreshold)
  const pool = readPool(options.pool)
  const busy = pool && isBusy(pool.active, pool.total)
  return {
    period,
    timestamp: new Date().toISOString(),
    ...(pool && { connections: connections(pool) }),
    ...(summary && { queries: queries(summary) }),
    ...((summary || busy) && {
      recommendations: [
        ...(summary ? queryAdvice(summary) : []),
        ...(busy ? [poolAdvice(pool)] : []),
      ],
    }),
  }
}

function connections(pool: PoolMetrics): MetricsResult['connections'] & object {
  const { total, active, idle, max } = pool
  return { total, active, idle, max: max ?? total }
}

function queries(summary: DurationSummary): MetricsResult['queries'] & object {
  return {
    total: summary.count,
    avgDuration: rounded(summary.mean),
    minDuration: rounded(summary.min),
    maxDuration: rounded(summary.max),
    p95Duration: rounded(summary.p95),
    p99Duration: rounded(summary.p99),
    slowCount: summary.slow,
  }
}

function queryAdvice({ manySlow, nearLimit, slow, count, mean }: DurationSummary): string[] {
  const advice: string[] = []
  if (manySlow) {
    advice.push(
      `High number of slow queries detected (${slow}/${count}). Consider query optimization or indexing.`,
    )
  }
  if (nearLimit) {
    advice.push(
      `Average query duration (${mean.toFixed(2)}ms) is approaching slow query threshold. Monitor performance closely.`,
    )
  }
  return advice
}

function poolAdvice({ active, total }: PoolMetrics): string {
  const share = ((active / total) * 100).toFixed(1)
  return `Connection pool utilization is high (${share}%). Consider increasing pool size.`
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100
}

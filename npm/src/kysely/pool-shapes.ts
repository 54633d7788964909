import type { PoolMetrics } from './pool.js'

/** A pool of a known kind. */
export interface Shape {
  /** What its connections are doing now. */
  measure(): PoolMetrics
  /** How it is closed, where that is not called `end`. */
  close?: () => unknown
}

type Loose = Record<string, unknown>
type Counted = { length?: number } | undefined
type Recognizer = (pool: Loose) => Shape | undefined

/** Tells of which kind a pool is by what it has; asked once, its numbers are read at each call. */
export function recognize(pool: object): Shape {
  for (const recognizer of RECOGNIZERS) {
    const shape = recognizer(pool as Loose)
    if (shape) return shape
  }
  return unknown()
}

/** The order matters: a pool may look like two kinds. */
const RECOGNIZERS: readonly Recognizer[] = [
  pg,
  mysqlPromise,
  betterSqlite,
  mysqlCallback,
  mssql,
  tarn,
  nodeSqlite,
  own,
]

/** pg, and pools that follow it, such as Neon's. */
function pg(pool: Loose): Shape | undefined {
  if (!('totalCount' in pool && 'idleCount' in pool)) return undefined
  return {
    measure() {
      const { totalCount, idleCount, waitingCount, options } = pool as {
        totalCount: number
        idleCount: number
        waitingCount: number
        options?: { max?: number }
      }
      const total = totalCount > 0 ? totalCount : (options?.max ?? 10)
      return metrics(total, idleCount, waitingCount, totalCount - idleCount, options?.max)
    },
  }
}

interface MysqlCore {
  _allConnections?: Counted
  _freeConnections?: Counted
  _connectionQueue?: Counted
  config?: { connectionLimit?: number }
}

/** mysql2/promise: a wrapper around the pool with callbacks. */
function mysqlPromise(pool: Loose): Shape | undefined {
  const core = pool.pool as MysqlCore | undefined
  if (!core?._allConnections) return undefined
  return mysql(
    () => pool.pool as MysqlCore,
    () => (pool as MysqlCore).config,
  )
}

/** mysql2 with callbacks. */
function mysqlCallback(pool: Loose): Shape | undefined {
  return pool._allConnections
    ? mysql(
        () => pool as MysqlCore,
        () => undefined,
      )
    : undefined
}

function mysql(core: () => MysqlCore, outer: () => MysqlCore['config']): Shape {
  return {
    measure() {
      const { _allConnections, _freeConnections, _connectionQueue, config } = core()
      const limit = outer()?.connectionLimit ?? config?.connectionLimit
      const free = _freeConnections?.length ?? 0
      const open = _allConnections?.length ?? 0
      return metrics(limit ?? 10, free, _connectionQueue?.length ?? 0, open - free, limit)
    },
  }
}

/** better-sqlite3: one connection, in use for as long as the file is open. */
function betterSqlite(pool: Loose): Shape | undefined {
  if (!('open' in pool && 'memory' in pool)) return undefined
  return sqlite(pool, () => pool.open)
}

/** The same for `DatabaseSync` of `node:sqlite`. */
function nodeSqlite(pool: Loose): Shape | undefined {
  if (!('isOpen' in pool && typeof pool.prepare === 'function')) return undefined
  return sqlite(pool, () => pool.isOpen)
}

function sqlite(pool: Loose, isOpen: () => unknown): Shape {
  return { measure: () => metrics(1, 0, 0, isOpen() ? 1 : 0, 1), ...closing(pool, 'close') }
}

/** The ConnectionPool of mssql. Its numbers are those of a tarn pool it has only while it is connected. */
function mssql(pool: Loose): Shape | undefined {
  if (!('borrowed' in pool && 'available' in pool && 'pending' in pool)) return undefined
  return {
    measure() {
      const { config, pool: inner } = pool as {
        config?: { pool?: { max?: number } }
        pool?: { max?: number } | null
      }
      const max = inner?.max ?? config?.pool?.max ?? 10
      try {
        const { available, pending, borrowed } = pool as Record<string, number>
        return metrics(max, available as number, pending as number, borrowed as number, max)
      } catch {
        return metrics(max, 0, 0, 0, max)
      }
    },
    ...closing(pool, 'close'),
  }
}

interface Tarn {
  max?: number
  numUsed(): number
  numFree(): number
  numPendingAcquires(): number
}

/** tarn, the pool of Kysely's own MSSQL dialect and of Knex. */
function tarn(pool: Loose): Shape | undefined {
  const methods = ['numUsed', 'numFree', 'numPendingAcquires']
  if (!methods.every(method => typeof pool[method] === 'function')) return undefined
  return {
    measure() {
      const counted = pool as unknown as Tarn
      const [used, free] = [counted.numUsed(), counted.numFree()]
      return metrics(
        counted.max ?? used + free,
        free,
        counted.numPendingAcquires(),
        used,
        counted.max,
      )
    },
    ...closing(pool, 'destroy'),
  }
}

/** A pool of another kind that tells its numbers itself. */
function own(pool: Loose): Shape | undefined {
  if (typeof pool.getMetrics !== 'function') return undefined
  return { measure: () => (pool as unknown as Shape & { getMetrics(): PoolMetrics }).getMetrics() }
}

function unknown(): Shape {
  return {
    measure: () => hidden({ total: 10, idle: 0, waiting: 0, active: 0 }, { detected: false }),
  }
}

function closing(pool: Loose, method: string): { close?: () => unknown } {
  if (typeof pool[method] !== 'function') return {}
  return { close: () => (pool as Record<string, () => unknown>)[method]?.() }
}

function metrics(
  total: number,
  idle: number,
  waiting: number,
  active: number,
  max: number | undefined,
): PoolMetrics {
  return hidden(
    { total, idle, waiting, active },
    { detected: true, ...(max !== undefined && { max }) },
  )
}

/** Adds properties that comparisons and JSON do not see. */
function hidden(metrics: PoolMetrics, extra: Partial<PoolMetrics>): PoolMetrics {
  for (const [key, value] of Object.entries(extra)) Object.defineProperty(metrics, key, { value })
  return metrics
}

// @ts-check
// Pools and health checks of seawall/kysely against real servers.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kysely, MysqlDialect, PostgresDialect } from 'kysely'
import mysql from 'mysql2'
import mysqlPromise from 'mysql2/promise'
import pg from 'pg'
import {
  createMetricsPool,
  gracefulShutdown,
  HealthMonitor,
  performHealthCheck,
} from 'seawall/kysely'
import { mariadb, postgres, skipped } from './servers.mjs'

const numbers = (total, idle, active, waiting) => ({ total, idle, active, waiting })
const quiet = /** @type {any} */ (
  Object.fromEntries(
    ['trace', 'debug', 'info', 'warn', 'error', 'fatal'].map(level => [level, () => {}]),
  )
)

/** Waits until `what` holds; a test whose condition never does fails. */
async function until(what, ms = 20_000) {
  const deadline = Date.now() + ms
  while (!(await what())) {
    assert.ok(Date.now() < deadline, `in vain for ${ms} ms: ${what}`)
    await sleep(20)
  }
}

describe('PostgreSQL', { skip: skipped('postgres') }, () => {
  /** @type {import('./servers.mjs').Server} */
  let server
  before(async () => {
    server = await postgres({ max_connections: 10 })
  })
  after(() => server.remove())
  const open = max => {
    const { host, port, user } = server
    const pool = new pg.Pool({ host, port, user, max })
    // Without a listener the loss of an idle connection ends the process.
    pool.on('error', () => {})
    return createMetricsPool(pool)
  }

  it('a pool is measured while it works', async () => {
    const pool = open(3)
    const clients = await Promise.all([pool.connect(), pool.connect(), pool.connect()])
    const late = pool.query('select 1')
    assert.deepEqual(pool.getMetrics(), numbers(3, 0, 3, 1))
    for (const client of clients) client.release()
    await late
    assert.deepEqual(pool.getMetrics(), numbers(3, 3, 0, 0))
    await pool.end()
  })

  it('a monitor follows the server down and up, and the version is told', async () => {
    const pool = open(2)
    const db = new Kysely({ dialect: new PostgresDialect({ pool }) })
    const result = await performHealthCheck(db, { verbose: true, pool })
    assert.match(result.metrics?.databaseVersion ?? '', /^PostgreSQL \d+/)
    assert.equal(result.metrics?.poolMetrics?.idleConnections, 1)
    const monitor = new HealthMonitor(db, { intervalMs: 30, logger: quiet })
    monitor.start()
    const failed = () => monitor.getLastCheck()?.errors
    await until(() => monitor.getLastCheck() && !failed())
    await server.kill()
    await until(failed)
    assert.equal(monitor.getLastCheck()?.status, 'unhealthy')
    await server.start()
    await until(() => !failed())
    monitor.stop()
    await gracefulShutdown(db, { logger: quiet })
    assert.equal(pool.ended, true)
  })

  it('a query that hangs is given up', async () => {
    const pool = open(1)
    const db = new Kysely({ dialect: new PostgresDialect({ pool }) })
    const held = await pool.connect()
    const result = await performHealthCheck(db, { pool, verbose: true, timeoutMs: 100 })
    assert.deepEqual(result.errors, ['Health check timed out after 100ms'])
    assert.equal(result.metrics?.poolMetrics?.waitingRequests, 1)
    held.release()
    await db.destroy()
  })
})

describe('MariaDB', { skip: skipped('mariadb') }, () => {
  /** @type {import('./servers.mjs').Server} */
  let server
  before(async () => {
    server = await mariadb()
  })
  after(() => server.remove())
  const config = connectionLimit => {
    const { host, port, user } = server
    return { host, port, user, database: 'test', connectionLimit }
  }

  it('FIX A3-2: a promise pool is measured while it works', async () => {
    const pool = createMetricsPool(mysqlPromise.createPool(config(2)))
    const [a, b] = await Promise.all([pool.getConnection(), pool.getConnection()])
    const late = pool.query('select 1 as one')
    await until(() => pool.getMetrics().waiting === 1)
    assert.deepEqual(pool.getMetrics(), numbers(2, 0, 2, 1))
    a.release()
    const [rows] = /** @type {any} */ (await late)
    assert.deepEqual(rows, [{ one: 1 }])
    b.release()
    await until(() => pool.getMetrics().idle === 2)
    assert.deepEqual(pool.getMetrics(), numbers(2, 2, 0, 0))
    await pool.end()
  })

  it('FIX A3-2: a pool with callbacks is measured, and serves Kysely; its version is told', async () => {
    const pool = createMetricsPool(mysql.createPool(config(4)))
    const db = new Kysely({ dialect: new MysqlDialect({ pool }) })
    const result = await performHealthCheck(db, { verbose: true, pool, timeoutMs: 20_000 })
    assert.equal(result.errors, undefined)
    assert.match(result.metrics?.databaseVersion ?? '', /^\d+\.\d+.*MariaDB/)
    await until(() => pool.getMetrics().idle === 1)
    assert.deepEqual(pool.getMetrics(), numbers(4, 1, 0, 0))
    await db.destroy()
  })
})

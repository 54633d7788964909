// @ts-check
// Pools of seawall/kysely, against the contract of @kysera/infra 0.8.8 and against the real drivers.
import assert from 'node:assert/strict'
import { after, before, describe, it, mock } from 'node:test'
import { PGlite } from '@electric-sql/pglite'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'
import Database from 'better-sqlite3'
import { Kysely, PostgresDialect } from 'kysely'
import mssql from 'mssql'
import mysql from 'mysql2'
import mysqlPromise from 'mysql2/promise'
import pg from 'pg'
import { checkDatabaseHealth, createMetricsPool, isMetricsPool, poolSize } from 'seawall/kysely'
import * as tarn from 'tarn'

const end = async () => {}
/** A pool of any shape. @returns {any} */
const shaped = shape => createMetricsPool({ end, ...shape })
const numbers = (total, idle, active, waiting) => ({ total, idle, active, waiting })

describe('createMetricsPool', () => {
  it('knows pg by its counts', () => {
    const pool = { totalCount: 10, idleCount: 7, waitingCount: 2, options: { max: 15 } }
    assert.deepEqual(shaped(pool).getMetrics(), numbers(10, 7, 3, 2))
  })

  it('pg without connections: total is what it may open', () => {
    const pool = { totalCount: 0, idleCount: 0, waitingCount: 0 }
    assert.equal(shaped({ ...pool, options: { max: 20 } }).getMetrics().total, 20)
    assert.equal(shaped(pool).getMetrics().total, 10)
  })

  it('knows the promise pool of mysql2 by its lists', () => {
    const pool = { _allConnections: { length: 8 }, _freeConnections: { length: 5 } }
    assert.deepEqual(
      shaped({ pool, config: { connectionLimit: 12 } }).getMetrics(),
      numbers(12, 5, 3, 0),
    )
    assert.equal(shaped({ pool, config: {} }).getMetrics().total, 10)
  })

  it('knows better-sqlite3', () => {
    assert.deepEqual(shaped({ open: true, memory: true }).getMetrics(), numbers(1, 0, 1, 0))
    assert.deepEqual(shaped({ open: false, memory: false }).getMetrics(), numbers(1, 0, 0, 0))
  })

  it('invents numbers for what it does not know; FIX 7: and says so', () => {
    const metrics = shaped({}).getMetrics()
    assert.deepEqual(metrics, numbers(10, 0, 0, 0))
    assert.equal(metrics.detected, false)
    assert.equal(metrics.max, undefined)
    assert.equal(shaped({ open: true, memory: true }).getMetrics().detected, true)
  })

  it('FIX 7: a pool that tells its numbers itself is believed', () => {
    const own = numbers(3, 1, 2, 5)
    assert.deepEqual(shaped({ getMetrics: () => own }).getMetrics(), own)
  })

  it('reads the numbers at each call, from the pool itself', () => {
    const pool = { totalCount: 1, idleCount: 1, waitingCount: 0, end }
    const measured = createMetricsPool(pool)
    pool.totalCount = 5
    assert.equal(measured.getMetrics().active, 4)
  })

  it('lists its numbers in the order of the original', () => {
    assert.deepEqual(Object.keys(shaped({}).getMetrics()), ['total', 'idle', 'waiting', 'active'])
  })

  it('does not modify the pool, and passes all else on to it', () => {
    const pool = { end, name: 'a', query: mock.fn(async sql => sql) }
    const measured = createMetricsPool(pool)
    assert.equal('getMetrics' in pool, false)
    assert.equal(measured.name, 'a')
    measured.name = 'b'
    assert.equal(pool.name, 'b')
    measured.query('select 1')
    assert.equal(pool.query.mock.callCount(), 1)
    assert.equal(measured.constructor, Object)
    assert.equal(measured.getMetrics, measured.getMetrics)
    assert.equal(measured.query, measured.query)
  })

  it('wraps a wrapped pool', () => {
    const once = shaped({ totalCount: 3, idleCount: 1, waitingCount: 0 })
    assert.deepEqual(createMetricsPool(once).getMetrics(), numbers(3, 1, 2, 0))
  })

  class Private {
    #open = 4
    #limit = 8
    static made = 0
    get totalCount() {
      return this.#open
    }
    get idleCount() {
      return 1
    }
    get waitingCount() {
      return 0
    }
    get limit() {
      return this.#limit
    }
    set limit(limit) {
      this.#limit = limit
    }
    query() {
      return this.#open
    }
    *each() {
      yield this.#open
    }
    itself() {
      return this
    }
    end() {
      this.#open = 0
    }
  }

  it('FIX 3: classes with #private members work', () => {
    const pool = new Private()
    const measured = createMetricsPool(pool)
    assert.deepEqual(measured.getMetrics(), numbers(4, 1, 3, 0))
    assert.equal(measured.query(), 4)
    const { query } = measured
    assert.equal(query(), 4, 'also detached')
    assert.deepEqual([...measured.each()], [4])
    measured.limit = 9
    assert.equal(pool.limit, 9)
    assert.equal(measured.itself(), measured, 'a chain keeps the metrics')
    assert.ok(measured instanceof Private)
    assert.equal(measured.constructor, Private)
    measured.end()
    assert.equal(pool.totalCount, 0)
  })

  it('FIX 3: classes a pool carries stay what they are', () => {
    const measured = shaped({ Client: Private })
    assert.equal(measured.Client, Private)
  })

  it('a frozen pool can be measured', () => {
    const measured = createMetricsPool(Object.freeze({ open: true, memory: true, end }))
    assert.equal(measured.getMetrics().active, 1)
    assert.equal(typeof measured.end, 'function')
    assert.equal('getMetrics' in measured, false, 'the language forbids to say so')
  })

  it('FIX 4: getMetrics is in the pool', () => {
    assert.equal('getMetrics' in shaped({}), true)
    assert.equal('nothing' in shaped({}), false)
  })

  it('FIX 6: what is no pool is refused in words', () => {
    for (const other of [null, undefined, 7, 'pool']) {
      assert.throws(() => createMetricsPool(/** @type {any} */ (other)), {
        name: 'OptionError',
        code: 'SEAWALL_INVALID_OPTION',
        message: /^createMetricsPool: the pool must be an object, got /,
      })
    }
  })
})

describe('isMetricsPool', () => {
  it('is true where getMetrics is a function', () => {
    assert.equal(isMetricsPool({ end, getMetrics: () => numbers(1, 0, 1, 0) }), true)
    assert.equal(isMetricsPool({ end }), false)
    assert.equal(isMetricsPool(shaped({})), true)
  })

  it('FIX 6: is false for what is no pool', () => {
    for (const other of [null, undefined, 7, 'pool']) assert.equal(isMetricsPool(other), false)
  })
})

describe('a real pg pool', () => {
  const db = new PGlite()
  /** @type {PGLiteSocketServer} */
  let server
  before(async () => {
    server = new PGLiteSocketServer({ db, host: '127.0.0.1', port: 0, maxConnections: 4 })
    await server.start()
  })
  after(async () => {
    await server.stop()
    await db.close()
  })
  const connect = () => {
    const [host, port] = server.getServerConn().split(':')
    return createMetricsPool(new pg.Pool({ host, port: Number(port), user: 'postgres', max: 2 }))
  }

  it('is measured while it works', async () => {
    const pool = connect()
    assert.deepEqual(pool.getMetrics(), numbers(2, 0, 0, 0))
    const [a, b] = [await pool.connect(), await pool.connect()]
    const c = pool.connect()
    assert.deepEqual(pool.getMetrics(), numbers(2, 0, 2, 1))
    a.release()
    ;(await c).release()
    b.release()
    assert.deepEqual(pool.getMetrics(), numbers(2, 2, 0, 0))
    assert.equal(pool.getMetrics().max, 2)
    await pool.end()
    assert.equal(pool.ended, true)
  })

  it('serves Kysely as the pool of its dialect, and its health check', async () => {
    const pool = connect()
    const kysely = new Kysely({ dialect: new PostgresDialect({ pool }) })
    const result = await checkDatabaseHealth(kysely, pool, { timeoutMs: 60_000 })
    assert.equal(result.errors, undefined)
    assert.deepEqual(result.metrics?.poolMetrics, {
      totalConnections: 1,
      activeConnections: 0,
      idleConnections: 1,
      waitingRequests: 0,
    })
    await kysely.destroy()
    assert.equal(pool.ended, true)
  })
})

describe('a real better-sqlite3 database', () => {
  it('FIX 5: is closed by end()', async () => {
    const file = new Database(':memory:')
    const pool = createMetricsPool(file)
    assert.deepEqual(pool.getMetrics(), numbers(1, 0, 1, 0))
    assert.equal(pool.prepare('select 1 as one').pluck().get(), 1)
    assert.equal('end' in pool, true)
    await pool.end()
    assert.equal(file.open, false)
    assert.equal(pool.getMetrics().active, 0)
  })
})

describe('a real node:sqlite database', () => {
  it('is measured and closed by end()', async () => {
    const { DatabaseSync } = await import('node:sqlite')
    const file = new DatabaseSync(':memory:')
    const pool = createMetricsPool(file)
    assert.deepEqual(pool.getMetrics(), numbers(1, 0, 1, 0))
    assert.deepEqual({ ...pool.prepare('select 1 as one').get() }, { one: 1 })
    await pool.end()
    assert.deepEqual(pool.getMetrics(), numbers(1, 0, 0, 0))
  })
})

describe('FIX 1: a real tarn pool', () => {
  it('is measured while it works', async () => {
    const made = new tarn.Pool({ create: async () => ({}), destroy() {}, min: 0, max: 2 })
    const pool = createMetricsPool(made)
    assert.deepEqual(pool.getMetrics(), numbers(2, 0, 0, 0))
    const a = await pool.acquire().promise
    const b = await pool.acquire().promise
    const c = pool.acquire()
    assert.deepEqual(pool.getMetrics(), numbers(2, 0, 2, 1))
    pool.release(a)
    const third = await c.promise
    pool.release(b)
    assert.deepEqual(pool.getMetrics(), numbers(2, 1, 1, 0))
    assert.equal(pool.getMetrics().max, 2)
    pool.release(third)
    await pool.end()
    assert.deepEqual(pool.getMetrics(), numbers(2, 0, 0, 0))
  })

  it('without a known limit counts what is open', () => {
    const counts = { numUsed: () => 4, numFree: () => 1, numPendingAcquires: () => 0 }
    assert.equal(shaped(counts).getMetrics().total, 5)
  })
})

describe('FIX 1: a ConnectionPool of mssql', () => {
  const config = { server: '127.0.0.1', user: 'sa', password: 'x', pool: { max: 3 } }

  it('is measured before it is connected', () => {
    const pool = createMetricsPool(new mssql.ConnectionPool(config))
    assert.deepEqual(pool.getMetrics(), numbers(3, 0, 0, 0))
    assert.equal(pool.getMetrics().max, 3)
  })

  // No SQL Server runs here: the ConnectionPool is real, what its tarn pool hands out is not.
  it('is measured while it works', async () => {
    const made = new mssql.ConnectionPool(config)
    const pool = createMetricsPool(made)
    const inner = new tarn.Pool({ create: async () => ({}), destroy() {}, min: 0, max: 3 })
    Object.assign(made, { pool: inner })
    const a = await inner.acquire().promise
    const b = await inner.acquire().promise
    inner.release(b)
    assert.deepEqual(pool.getMetrics(), numbers(3, 1, 1, 0))
    inner.release(a)
    await inner.destroy()
  })

  it('is closed by end()', async () => {
    const made = new mssql.ConnectionPool(config)
    const close = mock.method(made, 'close')
    await createMetricsPool(made).end()
    assert.equal(close.mock.callCount(), 1)
  })
})

describe('FIX 2: real mysql2 pools', () => {
  it('the limit of a promise pool is found where it is', async () => {
    const pool = createMetricsPool(mysqlPromise.createPool({ connectionLimit: 4 }))
    assert.deepEqual(pool.getMetrics(), numbers(4, 0, 0, 0))
    assert.equal(pool.getMetrics().max, 4)
    await pool.end()
  })

  it('a pool with callbacks is known too', async () => {
    const pool = createMetricsPool(mysql.createPool({ connectionLimit: 4 }))
    assert.deepEqual(pool.getMetrics(), numbers(4, 0, 0, 0))
    assert.equal(pool.getMetrics().detected, true)
    await new Promise(resolve => pool.end(resolve))
  })

  it('who waits is counted', () => {
    const lists = {
      _allConnections: { length: 2 },
      _freeConnections: { length: 0 },
      _connectionQueue: { length: 6 },
    }
    assert.equal(shaped({ pool: lists, config: {} }).getMetrics().waiting, 6)
    assert.equal(shaped(lists).getMetrics().waiting, 6)
  })
})

describe('poolSize', () => {
  it('keeps half of the server free for a deploy', () => {
    const { size, fits, explanation } = poolSize({ serverMax: 100, instances: 6 })
    assert.deepEqual([size, fits], [8, true])
    assert.equal(
      explanation,
      '100 connections, of which 50 % stay free, leave 50; divided among 6 processes and rounded down that is 8 for each',
    )
  })

  it('without options is half of what PostgreSQL has', () => {
    assert.equal(poolSize().size, 50)
    assert.match(poolSize().explanation, /among 1 process and/)
  })

  it('counts processes, the reserve, and what others hold', () => {
    assert.equal(poolSize({ instances: 3, processes: 4 }).size, 4)
    assert.equal(poolSize({ reserve: 0 }).size, 100)
    const { size, explanation } = poolSize({
      serverMax: 151,
      held: 11,
      instances: 2,
      reserve: 0.25,
    })
    assert.equal(size, 52)
    assert.match(
      explanation,
      /^151 connections without the 11 that others hold, of which 25 % stay free, leave 105;/,
    )
  })

  it('says so when there are more processes than connections', () => {
    const { size, fits, explanation } = poolSize({ serverMax: 10, instances: 6 })
    assert.deepEqual([size, fits], [1, false])
    assert.match(explanation, /leave 5; that is less than one for each of 6 processes/)
  })

  for (const [option, options] of [
    ['serverMax', { serverMax: 0 }],
    ['serverMax', { serverMax: 1.5 }],
    ['serverMax', { serverMax: 3, held: 4 }],
    ['instances', { instances: 0 }],
    ['processes', { processes: Number.POSITIVE_INFINITY }],
    ['reserve', { reserve: 1.5 }],
    ['reserve', { reserve: Number.NaN }],
    ['held', { held: -1 }],
    ['instance', { instance: 3 }],
  ]) {
    it(`refuses ${JSON.stringify(options)}`, () => {
      assert.throws(() => poolSize(/** @type {any} */ (options)), {
        code: 'SEAWALL_INVALID_OPTION',
        option,
      })
    })
  }
})

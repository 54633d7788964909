// @ts-check
// Query metrics of seawall/kysely, against the contract of @kysera/infra 0.8.8.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createMetricsPool, getMetrics, hasDatabaseMetrics } from 'seawall/kysely'

const UNAVAILABLE =
  'Database metrics are not available. To collect query metrics, wrap your database with the debug plugin using withDebug() from @kysera/debug. Example: const debugDb = withDebug(db, { maxMetrics: 1000 });'

/** A database that has recorded queries of these durations. */
const recorded = (...durations) =>
  /** @type {any} */ ({
    getMetrics: () => durations.map(duration => ({ sql: 'select 1', duration, timestamp: 0 })),
    clearMetrics() {},
  })
const pool = metrics => /** @type {any} */ ({ end() {}, getMetrics: () => metrics })

describe('hasDatabaseMetrics', () => {
  it('is true where getMetrics is a function', () => {
    assert.equal(hasDatabaseMetrics(recorded()), true)
    for (const other of [{}, { getMetrics: 'a string' }, null, undefined]) {
      assert.equal(hasDatabaseMetrics(/** @type {any} */ (other)), false)
    }
  })
})

describe('getMetrics', () => {
  it('throws for a database that records nothing', () => {
    assert.throws(
      () => getMetrics(/** @type {any} */ ({})),
      error => {
        assert.equal(/** @type {Error} */ (error).constructor, Error)
        assert.equal(/** @type {Error} */ (error).message, UNAVAILABLE)
        return true
      },
    )
  })

  it('without queries has a period and a time only', () => {
    const result = getMetrics(recorded())
    assert.deepEqual(Object.keys(result), ['period', 'timestamp'])
    assert.equal(result.period, '1h')
    assert.equal(new Date(result.timestamp).toISOString(), result.timestamp)
    assert.equal(getMetrics(recorded(), { period: '5m' }).period, '5m')
  })

  it('answers at once, not by a promise', () => {
    assert.equal(typeof (/** @type {any} */ (getMetrics(recorded(1))).then), 'undefined')
  })

  it('calls getMetrics of the database on the database', () => {
    const db = {
      list: [{ sql: '', duration: 3, timestamp: 0 }],
      getMetrics() {
        return this.list
      },
    }
    assert.equal(getMetrics(/** @type {any} */ (db)).queries?.total, 1)
  })

  it('sums up', () => {
    assert.deepEqual(getMetrics(recorded(300, 10, 150, 50, 200)).queries, {
      total: 5,
      avgDuration: 142,
      minDuration: 10,
      maxDuration: 300,
      p95Duration: 300,
      p99Duration: 300,
      slowCount: 3,
    })
  })

  it('rounds to two decimals as Math.round does', () => {
    const { queries } = getMetrics(recorded(33.333333, 66.666666))
    assert.equal(queries?.avgDuration, 50)
    assert.equal(queries?.minDuration, 33.33)
    assert.equal(queries?.maxDuration, 66.67)
    assert.equal(getMetrics(recorded(1.115)).queries?.avgDuration, 1.12)
  })

  it('percentiles are those of the nearest rank', () => {
    const { queries } = getMetrics(recorded(...Array.from({ length: 100 }, (_, i) => 100 - i)))
    assert.equal(queries?.p95Duration, 95)
    assert.equal(queries?.p99Duration, 99)
    assert.equal(getMetrics(recorded(1, 2)).queries?.p95Duration, 2)
  })

  it('a query is slow above the threshold, not on it', () => {
    assert.equal(getMetrics(recorded(100, 100.01)).queries?.slowCount, 1)
    assert.equal(
      getMetrics(recorded(50, 150, 250), { slowQueryThreshold: 200 }).queries?.slowCount,
      1,
    )
  })

  it('recommends nothing where queries are fast, in an empty list', () => {
    assert.deepEqual(getMetrics(recorded(1)).recommendations, [])
  })

  it('recommends in order: slow queries, their mean, the pool', () => {
    const options = { pool: pool({ total: 10, active: 9, idle: 1, waiting: 0 }) }
    assert.deepEqual(getMetrics(recorded(50, 150), options).recommendations, [
      'High number of slow queries detected (1/2). Consider query optimization or indexing.',
      'Average query duration (100.00ms) is approaching slow query threshold. Monitor performance closely.',
      'Connection pool utilization is high (90.0%). Consider increasing pool size.',
    ])
  })

  it('a tenth is not many, half the threshold is not near, four fifths are not busy', () => {
    const nine = Array(9).fill(1)
    assert.deepEqual(getMetrics(recorded(101, ...nine)).recommendations, [])
    assert.equal(getMetrics(recorded(101, ...nine.slice(1))).recommendations?.length, 1)
    assert.deepEqual(getMetrics(recorded(50)).recommendations, [])
    assert.match(getMetrics(recorded(50.004)).recommendations?.[0] ?? '', /\(50\.00ms\)/)
    const busy = pool({ total: 10, active: 8, idle: 2, waiting: 0 })
    assert.equal(getMetrics(recorded(), { pool: busy }).recommendations, undefined)
  })

  it('a busy pool is told of without queries too', () => {
    const result = getMetrics(recorded(), {
      pool: pool({ total: 3, active: 3, idle: 0, waiting: 4 }),
    })
    assert.deepEqual(result.connections, { total: 3, active: 3, idle: 0, max: 3 })
    assert.deepEqual(result.recommendations, [
      'Connection pool utilization is high (100.0%). Consider increasing pool size.',
    ])
  })

  it('ignores a pool without getMetrics', () => {
    assert.equal(getMetrics(recorded(), { pool: /** @type {any} */ ({}) }).connections, undefined)
  })

  it('leaves out a pool whose getMetrics throws, and reports it', t => {
    const warn = t.mock.method(process, 'emitWarning', () => {})
    const broken = /** @type {any} */ ({
      getMetrics() {
        throw new Error('pool broken')
      },
    })
    const result = getMetrics(recorded(1), { pool: broken })
    assert.equal(result.connections, undefined)
    assert.equal(result.queries?.total, 1)
    assert.equal(warn.mock.callCount(), 1)
  })

  it('FIX 6: 200,000 queries are summed up', () => {
    const many = Array.from({ length: 200_000 }, (_, i) => i)
    const db = /** @type {any} */ ({ getMetrics: () => many.map(duration => ({ duration })) })
    const { queries } = getMetrics(db)
    assert.equal(queries?.minDuration, 0)
    assert.equal(queries?.maxDuration, 199_999)
    assert.equal(queries?.p95Duration, 189_999)
  })

  it('FIX 7: max is what the pool may open, where that is known', () => {
    const known = pool({ total: 3, active: 1, idle: 2, waiting: 0, max: 20 })
    assert.equal(getMetrics(recorded(), { pool: known }).connections?.max, 20)
    const pg = { totalCount: 3, idleCount: 2, waitingCount: 0, options: { max: 20 }, end() {} }
    const { connections } = getMetrics(recorded(), { pool: createMetricsPool(pg) })
    assert.deepEqual(connections, { total: 3, active: 1, idle: 2, max: 20 })
  })

  it('FIX 8: an empty pool is not infinitely busy', () => {
    const empty = pool({ total: 0, active: 2, idle: 0, waiting: 0 })
    assert.equal(getMetrics(recorded(), { pool: empty }).recommendations, undefined)
  })
})

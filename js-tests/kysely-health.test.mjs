// @ts-check
// Health checks and the monitor of seawall/kysely, against the contract of @kysera/infra 0.8.8.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { afterEach, describe, it, mock } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { PGlite } from '@electric-sql/pglite'
import Database from 'better-sqlite3'
import { Kysely, PGliteDialect, SqliteDialect } from 'kysely'
import { checkDatabaseHealth, HealthMonitor, performHealthCheck } from 'seawall/kysely'

/** A database whose ping does what `execute` does. */
const database = execute => /** @type {any} */ ({ selectNoFrom: () => ({ execute }) })
const answering = database(async () => [{ ping: 1 }])
const silent = database(() => new Promise(() => {}))
const failing = error =>
  database(async () => {
    throw error
  })
const pool = (total, active, idle, waiting) =>
  /** @type {any} */ ({ end() {}, getMetrics: () => ({ total, active, idle, waiting }) })

/** A logger that keeps its lines. */
function recorder() {
  const lines = []
  const write =
    level =>
    (message, ...args) =>
      lines.push([level, message, ...args])
  const logger = Object.fromEntries(
    ['trace', 'debug', 'info', 'warn', 'error', 'fatal'].map(level => [level, write(level)]),
  )
  return {
    logger: /** @type {any} */ (logger),
    lines,
    of: level => lines.filter(line => line[0] === level),
  }
}

/** Makes a check seem to take so long: its first look at the clock is the start. */
function latency(t, ms) {
  let looks = 0
  const start = Date.now()
  return t.mock.method(Date, 'now', () => (looks++ === 0 ? start : start + ms))
}

/** Lets promises settle that need no timer. */
const settle = async () => {
  for (let i = 0; i < 5; i++) await turn()
}

afterEach(() => mock.timers.reset())

describe('checkDatabaseHealth', () => {
  for (const [ms, status] of [
    [0, 'healthy'],
    [99, 'healthy'],
    [100, 'degraded'],
    [499, 'degraded'],
    [500, 'unhealthy'],
    [600, 'unhealthy'],
  ]) {
    it(`grades ${ms} ms as ${status}, from the first look at Date.now on`, async t => {
      const clock = latency(t, ms)
      const result = await checkDatabaseHealth(answering)
      assert.equal(result.status, status)
      assert.equal(result.metrics?.checkLatency, ms)
      assert.equal(result.checks[0]?.message, `Connected successfully (${ms}ms)`)
      assert.equal(clock.mock.callCount(), 2)
    })
  }

  it('FIX 1: the check has the status of the result', async t => {
    latency(t, 150)
    const result = await checkDatabaseHealth(answering)
    assert.equal(result.checks[0]?.status, 'degraded')
  })

  it('tells of a success in this form', async () => {
    const result = await checkDatabaseHealth(answering)
    assert.deepEqual(Object.keys(result), ['status', 'checks', 'metrics', 'timestamp'])
    assert.equal(result.checks.length, 1)
    assert.equal(result.checks[0]?.name, 'Database Connection')
    assert.ok(result.timestamp instanceof Date)
  })

  for (const [what, db, text] of [
    ['a rejection', failing(new Error('gone')), 'gone'],
    ['a rejection with a string', failing('a string'), 'a string'],
    ['a rejection with undefined', failing(undefined), 'undefined'],
    [
      'a rejection with what cannot be printed',
      failing(Object.create(null)),
      'an error that cannot be printed',
    ],
    [
      'a throw',
      database(() => {
        throw new Error('at once')
      }),
      'at once',
    ],
  ]) {
    it(`never rejects: ${what} makes it unhealthy`, async () => {
      const result = await checkDatabaseHealth(db)
      const { timestamp, ...rest } = result
      assert.ok(timestamp instanceof Date)
      assert.deepEqual(rest, {
        status: 'unhealthy',
        checks: [{ name: 'Database Connection', status: 'unhealthy', message: text }],
        errors: [text],
      })
    })
  }

  it('gives up after 5000 ms', async () => {
    mock.timers.enable({ apis: ['setTimeout', 'Date'] })
    let result
    checkDatabaseHealth(silent).then(value => (result = value))
    mock.timers.tick(4999)
    await settle()
    assert.equal(result, undefined)
    mock.timers.tick(1)
    await settle()
    assert.equal(result.status, 'unhealthy')
    assert.deepEqual(result.errors, ['Health check timed out after 5000ms'])
  })

  for (const [what, db] of [
    ['answers', answering],
    ['fails', failing(new Error('gone'))],
    [
      'throws',
      database(() => {
        throw new Error('at once')
      }),
    ],
    ['never answers', silent],
  ]) {
    it(`sets and clears exactly one timer of the global object if the database ${what}`, async t => {
      mock.timers.enable({ apis: ['setTimeout'] })
      const set = t.mock.method(globalThis, 'setTimeout')
      const clear = t.mock.method(globalThis, 'clearTimeout')
      const checks = Promise.all(Array.from({ length: 10 }, () => checkDatabaseHealth(db)))
      await settle()
      mock.timers.tick(6000)
      await checks
      assert.equal(set.mock.callCount(), 10)
      assert.equal(clear.mock.callCount(), 10)
    })
  }

  it('is done as soon as the query is, without a timer going off', async () => {
    mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'setImmediate', 'Date'] })
    let result
    checkDatabaseHealth(answering).then(value => (result = value))
    for (let i = 0; i < 20; i++) await null
    assert.equal(result?.status, 'healthy')
  })

  it('a late failure of a query that was given up is not unhandled', async () => {
    mock.timers.enable({ apis: ['setTimeout'] })
    const unhandled = mock.fn()
    process.on('unhandledRejection', unhandled)
    const { promise, reject } = Promise.withResolvers()
    const check = checkDatabaseHealth(database(() => promise))
    mock.timers.tick(5000)
    await check
    reject(new Error('late'))
    await settle()
    process.off('unhandledRejection', unhandled)
    assert.equal(unhandled.mock.callCount(), 0)
  })

  it('reports the pool on success and on failure', async () => {
    const poolMetrics = {
      totalConnections: 10,
      activeConnections: 3,
      idleConnections: 7,
      waitingRequests: 2,
    }
    const good = await checkDatabaseHealth(answering, pool(10, 3, 7, 2))
    assert.deepEqual(good.metrics?.poolMetrics, poolMetrics)
    assert.deepEqual(Object.keys(good.metrics ?? {}), ['checkLatency', 'poolMetrics'])
    const bad = await checkDatabaseHealth(failing(new Error('gone')), pool(10, 3, 7, 2))
    assert.deepEqual(bad.metrics, { poolMetrics })
  })

  it('ignores a pool without getMetrics', async () => {
    const result = await checkDatabaseHealth(answering, /** @type {any} */ ({}))
    assert.equal(result.status, 'healthy')
    assert.equal(result.metrics?.poolMetrics, undefined)
  })

  it('FIX 2: a pool whose getMetrics throws is left out and reported', async t => {
    const warn = t.mock.method(process, 'emitWarning', () => {})
    const broken = /** @type {any} */ ({
      end() {},
      getMetrics() {
        throw new Error('pool broken')
      },
    })
    const good = await checkDatabaseHealth(answering, broken)
    assert.equal(good.status, 'healthy')
    assert.equal(good.metrics?.poolMetrics, undefined)
    const bad = await checkDatabaseHealth(failing(new Error('gone')), broken)
    assert.deepEqual(bad.errors, ['gone'])
    assert.equal(bad.metrics, undefined)
    assert.match(String(warn.mock.calls[0]?.arguments[0]), /getMetrics\(\) threw: .*pool broken/s)
  })

  it('FIX 10: the time limit is an option', async () => {
    mock.timers.enable({ apis: ['setTimeout'] })
    const check = checkDatabaseHealth(silent, undefined, { timeoutMs: 250 })
    mock.timers.tick(250)
    assert.deepEqual((await check).errors, ['Health check timed out after 250ms'])
  })

  it('FIX 10: the latency limits are options', async t => {
    latency(t, 40)
    const limits = { degradedMs: 30, unhealthyMs: 60 }
    assert.equal((await checkDatabaseHealth(answering, undefined, limits)).status, 'degraded')
  })

  it('an infinite time limit sets no timer', async t => {
    const set = t.mock.method(globalThis, 'setTimeout')
    await checkDatabaseHealth(answering, undefined, { timeoutMs: Number.POSITIVE_INFINITY })
    assert.equal(set.mock.callCount(), 0)
  })

  for (const [option, limits] of [
    ['timeoutMs', { timeoutMs: 0 }],
    ['timeoutMs', { timeoutMs: Number.NaN }],
    ['degradedMs', { degradedMs: -1 }],
    ['unhealthyMs', { degradedMs: 200, unhealthyMs: 100 }],
  ]) {
    it(`refuses ${JSON.stringify(limits)} before it asks the database`, async () => {
      const execute = mock.fn(async () => [])
      await assert.rejects(
        checkDatabaseHealth(database(execute), undefined, /** @type {any} */ (limits)),
        { code: 'SEAWALL_INVALID_OPTION', option },
      )
      assert.equal(execute.mock.callCount(), 0)
    })
  }
})

describe('performHealthCheck', () => {
  it('is the plain check with the parameters in one object', async () => {
    const result = await performHealthCheck(answering, { pool: pool(5, 1, 4, 0) })
    assert.equal(result.status, 'healthy')
    assert.equal(result.metrics?.poolMetrics?.totalConnections, 5)
    assert.equal((await performHealthCheck(answering)).metrics?.databaseVersion, undefined)
  })

  it('takes the time limit from its options', async () => {
    mock.timers.enable({ apis: ['setTimeout'] })
    const check = performHealthCheck(silent, { timeoutMs: 70 })
    mock.timers.tick(70)
    assert.deepEqual((await check).errors, ['Health check timed out after 70ms'])
  })

  it('verbose: a database that cannot tell its version is Unknown, without a word', async t => {
    const { logger, lines } = recorder()
    const clear = t.mock.method(globalThis, 'clearTimeout')
    const result = await performHealthCheck(answering, { verbose: true, logger })
    assert.equal(result.status, 'healthy')
    assert.equal(result.metrics?.databaseVersion, 'Unknown')
    assert.deepEqual(lines, [])
    assert.equal(clear.mock.callCount(), 1, 'and without a second query')
  })

  it('verbose: a logger of four levels is enough', async () => {
    const { debug, info, warn, error } = recorder().logger
    const logger = /** @type {any} */ ({ debug, info, warn, error })
    assert.equal((await performHealthCheck(answering, { verbose: true, logger })).status, 'healthy')
  })

  it('verbose: a database that is down is Unknown, and not asked', async () => {
    const result = await performHealthCheck(failing(new Error('gone')), { verbose: true })
    assert.deepEqual(result.metrics, { databaseVersion: 'Unknown' })
    assert.deepEqual(Object.keys(result), ['status', 'checks', 'errors', 'timestamp', 'metrics'])
  })
})

describe('with real databases behind Kysely', () => {
  const sqlite = () =>
    new Kysely({ dialect: new SqliteDialect({ database: new Database(':memory:') }) })

  it('SQLite answers; FIX 9: and tells its version', async () => {
    const db = sqlite()
    const result = await performHealthCheck(db, { verbose: true })
    await db.destroy()
    assert.equal(result.status, 'healthy')
    assert.match(result.metrics?.databaseVersion ?? '', /^3\.\d+/)
  })

  it('PostgreSQL answers; FIX 9: and tells its version', async () => {
    const db = new Kysely({ dialect: new PGliteDialect({ pglite: new PGlite() }) })
    const first = await checkDatabaseHealth(db, undefined, { timeoutMs: 60_000 })
    assert.equal(first.errors, undefined)
    const result = await performHealthCheck(db, { verbose: true })
    assert.match(result.metrics?.databaseVersion ?? '', /^PostgreSQL \d+/)
    await db.destroy()
  })

  it('a destroyed database is unhealthy', async () => {
    const db = sqlite()
    await checkDatabaseHealth(db)
    await db.destroy()
    const result = await performHealthCheck(db, { verbose: true })
    assert.equal(result.status, 'unhealthy')
    assert.match(result.errors?.[0] ?? '', /destroyed/)
    assert.equal(result.metrics?.databaseVersion, 'Unknown')
  })

  it('FIX 9: a version query that fails is silent and Unknown', async () => {
    const { logger, lines } = recorder()
    const file = new Database(':memory:')
    file.function('sqlite_version', () => {
      throw new Error('not telling')
    })
    const db = new Kysely({ dialect: new SqliteDialect({ database: file }) })
    const result = await performHealthCheck(db, { verbose: true, logger })
    await db.destroy()
    assert.equal(result.status, 'healthy')
    assert.equal(result.metrics?.databaseVersion, 'Unknown')
    assert.deepEqual(lines, [])
  })

  it('FIX 9: asks each dialect in its own words', async () => {
    const asked = async adapter => {
      const calls = []
      const eb = {
        val: value => ({ as: () => value }),
        fn: (name, args) => ({ as: () => [name, ...args.map(a => a.as())] }),
      }
      const db = /** @type {any} */ ({
        getExecutor: () => ({ adapter }),
        selectNoFrom: callback => {
          calls.push(callback(eb))
          return { execute: async () => [{ ping: 1, version: '1.2.3' }] }
        },
      })
      const result = await performHealthCheck(db, { verbose: true })
      assert.equal(result.metrics?.databaseVersion, '1.2.3')
      return calls[1]
    }
    const features = (supportsOutput, supportsReturning, supportsTransactionalDdl) => ({
      supportsOutput,
      supportsReturning,
      supportsTransactionalDdl,
    })
    assert.deepEqual(await asked(features(false, true, true)), ['version'], 'PostgreSQL')
    assert.deepEqual(await asked(features(false, true, false)), ['sqlite_version'], 'SQLite')
    assert.deepEqual(await asked(features(false, false, false)), ['version'], 'MySQL')
    assert.deepEqual(
      await asked(features(true, false, true)),
      ['serverproperty', 'ProductVersion'],
      'SQL Server',
    )
  })
})

describe('HealthMonitor', () => {
  /** A monitor under a clock that stands still; tick to move it. */
  function monitored(db, options = {}) {
    mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
    const { logger, lines, of } = recorder()
    return { monitor: new HealthMonitor(db, { logger, ...options }), lines, of }
  }

  it('does nothing before it is started', () => {
    const { monitor, lines } = monitored(answering)
    assert.equal(monitor.isRunning(), false)
    assert.equal(monitor.getLastCheck(), undefined)
    assert.deepEqual(lines, [])
  })

  it('checks at once and then every 30 s', async () => {
    const { monitor, lines } = monitored(answering)
    const onCheck = mock.fn()
    monitor.start(onCheck)
    assert.equal(monitor.isRunning(), true)
    await settle()
    assert.equal(onCheck.mock.callCount(), 1)
    assert.equal(monitor.getLastCheck()?.status, 'healthy')
    mock.timers.tick(29_999)
    await settle()
    assert.equal(onCheck.mock.callCount(), 1)
    mock.timers.tick(1)
    await settle()
    assert.equal(onCheck.mock.callCount(), 2)
    monitor.stop()
    assert.deepEqual(lines, [
      ['debug', 'Starting health monitor with 30000ms interval'],
      ['debug', 'Stopping health monitor'],
    ])
  })

  it('has checked within microtasks when the query answers so', async () => {
    const { monitor } = monitored(answering)
    monitor.start()
    for (let i = 0; i < 20; i++) await null
    assert.equal(monitor.getLastCheck()?.status, 'healthy')
    monitor.stop()
  })

  it('makes no look at Date.now before the first check starts', async t => {
    const { monitor, of } = monitored(answering)
    latency(t, 200)
    monitor.start()
    await settle()
    assert.deepEqual(of('warn'), [['warn', 'Health check status: degraded']])
    monitor.stop()
  })

  it('warns of a database that is down, and goes on', async () => {
    const { monitor, of } = monitored(failing(new Error('down')), { intervalMs: 1000 })
    const onCheck = mock.fn()
    monitor.start(onCheck)
    await settle()
    mock.timers.tick(1000)
    await settle()
    assert.equal(onCheck.mock.callCount(), 2)
    assert.deepEqual(of('warn'), Array(2).fill(['warn', 'Health check status: unhealthy']))
    assert.deepEqual(of('error'), [])
    monitor.stop()
  })

  it('a second start changes nothing, not even the callback', async () => {
    const { monitor } = monitored(answering)
    const [first, second] = [mock.fn(), mock.fn()]
    monitor.start(first)
    monitor.start(second)
    await settle()
    assert.equal(first.mock.callCount(), 1)
    assert.equal(second.mock.callCount(), 0)
    monitor.stop()
  })

  for (const end of ['stop', 'destroy', Symbol.dispose]) {
    it(`${String(end)} ends the checks, may be called again, and a start begins anew`, async () => {
      const { monitor, of } = monitored(answering, { intervalMs: 1000 })
      const onCheck = mock.fn()
      monitor.start(onCheck)
      await settle()
      monitor[end]()
      monitor[end]()
      assert.equal(monitor.isRunning(), false)
      assert.equal(of('debug').length, 2)
      mock.timers.tick(5000)
      await settle()
      assert.equal(onCheck.mock.callCount(), 1)
      monitor.start(onCheck)
      await settle()
      assert.equal(onCheck.mock.callCount(), 2)
      monitor[end]()
    })
  }

  it('a check under way at stop still becomes the last one', async () => {
    const { monitor } = monitored(answering)
    monitor.start()
    monitor.stop()
    assert.equal(monitor.isRunning(), false)
    await settle()
    assert.equal(monitor.getLastCheck()?.status, 'healthy')
  })

  it('checkNow stores and answers the same object, without log or callback', async () => {
    const { monitor, lines } = monitored(failing(new Error('down')))
    const result = await monitor.checkNow()
    assert.equal(result.status, 'unhealthy')
    assert.equal(monitor.getLastCheck(), result)
    assert.deepEqual(lines, [])
  })

  it('reports the pool', async () => {
    const { monitor } = monitored(answering, { pool: pool(10, 3, 7, 1) })
    const { metrics } = await monitor.checkNow()
    assert.equal(metrics?.poolMetrics?.waitingRequests, 1)
  })

  it('FIX 3: a callback that throws is logged once, called once, and is no dead database', async () => {
    const { monitor, of } = monitored(answering)
    const error = new Error('in the callback')
    const onCheck = mock.fn(() => {
      throw error
    })
    monitor.start(onCheck)
    await settle()
    assert.equal(onCheck.mock.callCount(), 1)
    assert.deepEqual(of('error'), [['error', 'Health check callback failed:', error]])
    assert.equal(monitor.getLastCheck()?.status, 'healthy')
    monitor.stop()
  })

  it('FIX 3: a callback that rejects is logged too', async () => {
    const { monitor, of } = monitored(answering)
    monitor.start(/** @type {any} */ (async () => Promise.reject(new Error('later'))))
    await settle()
    assert.equal(of('error').length, 1)
    monitor.stop()
  })

  it('FIX 4: a check under way makes the next fall out', async () => {
    const waiting = []
    const db = database(() => new Promise(resolve => waiting.push(resolve)))
    const { monitor } = monitored(db, { intervalMs: 100, timeoutMs: 60_000 })
    monitor.start()
    mock.timers.tick(1000)
    assert.equal(waiting.length, 1)
    waiting[0]()
    await settle()
    mock.timers.tick(100)
    assert.equal(waiting.length, 2)
    monitor.stop()
  })

  it('FIX 4: a query that hangs past its time is alone, and reported at each interval', async () => {
    const waiting = []
    const db = database(() => new Promise(resolve => waiting.push(resolve)))
    const { monitor, of } = monitored(db, { intervalMs: 1000, timeoutMs: 500 })
    const onCheck = mock.fn()
    monitor.start(onCheck)
    for (let i = 0; i < 60; i++) {
      mock.timers.tick(500)
      await settle()
    }
    assert.equal(waiting.length, 1, 'one query in thirty seconds')
    assert.equal(onCheck.mock.callCount(), 31)
    assert.deepEqual(monitor.getLastCheck()?.errors, ['Health check timed out after 500ms'])
    assert.equal(of('warn').length, 31)
    assert.equal(monitor.isStale(), false)
    waiting[0]()
    await settle()
    mock.timers.tick(1000)
    assert.equal(waiting.length, 2, 'the next one may begin')
    waiting[1]()
    await settle()
    assert.equal(monitor.getLastCheck()?.status, 'healthy')
    monitor.stop()
  })

  it('is stale before its first result, after three intervals without one, and when stopped', async t => {
    let now = 1000
    t.mock.method(performance, 'now', () => now)
    const { monitor } = monitored(answering, { intervalMs: 1000, timeoutMs: 500 })
    assert.equal(monitor.isStale(), true)
    monitor.start()
    assert.equal(monitor.isStale(), true)
    await settle()
    assert.equal(monitor.isStale(), false)
    now += 3499
    assert.equal(monitor.isStale(), false)
    now += 1
    assert.equal(monitor.isStale(), true, 'as while the event loop was blocked')
    mock.timers.tick(1000)
    await settle()
    assert.equal(monitor.isStale(), false)
    monitor.stop()
    assert.equal(monitor.isStale(), true)
  })

  it('FIX 4: it does not keep a process alive', () => {
    const script = `
      import { HealthMonitor } from 'seawall/kysely'
      const db = { selectNoFrom: () => ({ execute: async () => [] }) }
      new HealthMonitor(db).start(() => console.log('checked'))
    `
    const { status, stdout, error } = spawnSync(
      process.execPath,
      ['--input-type=module', '-e', script],
      {
        cwd: import.meta.dirname,
        encoding: 'utf8',
        timeout: 20_000,
      },
    )
    assert.equal(error, undefined)
    assert.equal(status, 0)
    assert.match(stdout, /checked/)
  })

  it('FIX 5: after stop the callback is not called', async () => {
    const { monitor } = monitored(answering)
    const onCheck = mock.fn()
    monitor.start(onCheck)
    monitor.stop()
    await settle()
    assert.ok(monitor.getLastCheck())
    assert.equal(onCheck.mock.callCount(), 0)
  })

  it('FIX 5: a check of before a restart does not call the new callback', async () => {
    const waiting = []
    const { monitor } = monitored(database(() => new Promise(resolve => waiting.push(resolve))))
    const [first, second] = [mock.fn(), mock.fn()]
    monitor.start(first)
    monitor.stop()
    monitor.start(second)
    waiting[0]()
    await settle()
    assert.equal(first.mock.callCount() + second.mock.callCount(), 0)
    waiting[1]()
    await settle()
    assert.equal(second.mock.callCount(), 1)
    monitor.stop()
  })

  for (const intervalMs of [0, -1, Number.NaN]) {
    it(`FIX 11: refuses an interval of ${intervalMs}`, () => {
      assert.throws(() => new HealthMonitor(answering, { intervalMs }), {
        code: 'SEAWALL_INVALID_OPTION',
        option: 'intervalMs',
        message: /`intervalMs` must be a number above 0, got/,
      })
    })
  }

  it('FIX 11: an interval past what timers can count does not become 1 ms', t => {
    const set = t.mock.method(globalThis, 'setInterval', () => ({ unref() {} }))
    const { logger } = recorder()
    const monitor = new HealthMonitor(answering, { intervalMs: Number.POSITIVE_INFINITY, logger })
    monitor.start()
    assert.equal(set.mock.calls[0]?.arguments[1], 2 ** 31 - 1)
    monitor.stop()
  })

  it('FIX 10: its limits are options, checked when it is made', async t => {
    const { logger, of } = recorder()
    const monitor = new HealthMonitor(answering, { degradedMs: 10, logger })
    latency(t, 20)
    assert.equal((await monitor.checkNow()).status, 'degraded')
    assert.deepEqual(of('warn'), [])
    assert.throws(() => new HealthMonitor(answering, { timeoutMs: -5 }), { option: 'timeoutMs' })
  })

  it('a logger that throws stops nothing', async t => {
    t.mock.method(process, 'emitWarning', () => {})
    const broken = () => {
      throw new Error('disk full')
    }
    const logger = /** @type {any} */ ({ debug: broken, warn: broken, error: broken })
    mock.timers.enable({ apis: ['setInterval'] })
    const monitor = new HealthMonitor(failing(new Error('down')), { logger })
    const onCheck = mock.fn()
    monitor.start(onCheck)
    await settle()
    assert.equal(onCheck.mock.callCount(), 1)
    monitor.stop()
  })

  it('writes to the console by default', async t => {
    mock.timers.enable({ apis: ['setInterval'] })
    const debug = t.mock.method(console, 'debug', () => {})
    const warn = t.mock.method(console, 'warn', () => {})
    const monitor = new HealthMonitor(failing(new Error('down')))
    monitor.start()
    await settle()
    monitor.stop()
    assert.deepEqual(
      debug.mock.calls.map(call => call.arguments[0]),
      [
        '[kysera:debug] Starting health monitor with 30000ms interval',
        '[kysera:debug] Stopping health monitor',
      ],
    )
    assert.deepEqual(warn.mock.calls[0]?.arguments, [
      '[kysera:warn] Health check status: unhealthy',
    ])
  })
})

// @ts-check
// The same scenes played with @kysera/infra 0.8.8 and with seawall/kysely: everything that can be
// seen and is no mended defect must be the same, down to the order of keys and log lines.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { afterEach, describe, it, mock } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import * as original from '@kysera/infra'
import * as originalHealth from '@kysera/infra/health'
import * as originalPool from '@kysera/infra/pool'
import * as originalResilience from '@kysera/infra/resilience'
import * as originalShutdown from '@kysera/infra/shutdown'
import Database from 'better-sqlite3'
import { Kysely, SqliteDialect } from 'kysely'
import * as ours from 'seawall/kysely'
import * as ourHealth from 'seawall/kysely/health'
import * as ourPool from 'seawall/kysely/pool'
import * as ourResilience from 'seawall/kysely/resilience'
import * as ourShutdown from 'seawall/kysely/shutdown'

/** @typedef {any} Infra */

afterEach(() => mock.timers.reset())

const settle = async () => {
  for (let i = 0; i < 5; i++) await turn()
}
const database = execute => /** @type {any} */ ({ selectNoFrom: () => ({ execute }) })
const rejecting = error => database(() => Promise.reject(error))

/** Keys in their order, dates and errors by what they are. */
function visible(value) {
  if (value instanceof Date) return 'a Date'
  if (value instanceof Error) return `${value.constructor.name}: ${value.message}`
  if (Array.isArray(value)) return value.map(visible)
  if (typeof value !== 'object' || value === null) return value
  return Object.entries(value).map(([key, inner]) => [
    key,
    key === 'timestamp' ? typeof inner : visible(inner),
  ])
}

/** What `scene` makes of a promise or a throw. */
async function outcome(scene) {
  try {
    return ['answered', visible(await scene())]
  } catch (error) {
    return ['failed', visible(error)]
  }
}

/** Plays a scene with both and compares what it answers and what was seen on the way. */
function same(title, scene) {
  it(title, async t => {
    const play = async (/** @type {Infra} */ infra) => {
      const seen = []
      const see = (...what) => void seen.push(visible(what))
      const logger = Object.fromEntries(
        ['trace', 'debug', 'info', 'warn', 'error', 'fatal'].map(level => [
          level,
          (...args) => see(level, ...args),
        ]),
      )
      const end = await outcome(() => scene(infra, { see, logger, t }))
      mock.timers.reset()
      mock.restoreAll()
      return { end, seen }
    }
    const theirs = await play(original)
    assert.deepEqual(await play(ours), theirs)
    assert.ok(theirs.seen.length > 0 || theirs.end[1] !== undefined, 'the scene shows something')
  })
}

describe('exports', () => {
  const main = /** @type {Record<string, unknown>} */ ({ ...ours })

  it('main: every value of the original, CircuitBreakerError, databaseCheck and poolSize', () => {
    assert.deepEqual(
      Object.keys(ours).sort(),
      [...Object.keys(original), 'CircuitBreakerError', 'databaseCheck', 'poolSize'].sort(),
    )
  })

  for (const [name, theirs, mine, more] of [
    ['health', originalHealth, ourHealth, ['databaseCheck']],
    ['resilience', originalResilience, ourResilience, ['DatabaseError']],
    ['pool', originalPool, ourPool, ['poolSize']],
    ['shutdown', originalShutdown, ourShutdown, []],
  ]) {
    it(`${name}: every value of the original`, () => {
      assert.deepEqual(Object.keys(mine).sort(), [...Object.keys(theirs), ...more].sort())
      for (const key of Object.keys(theirs)) {
        assert.equal(typeof mine[key], typeof theirs[key], key)
        if (key in main) assert.equal(mine[key], main[key], `${key} is one in all entries`)
      }
    })
  }

  it('methods of the classes', () => {
    const methods = of =>
      Object.getOwnPropertyNames(of.prototype).filter(name => name !== 'constructor')
    const inOriginal = ['execute', 'reset', 'getState', 'isOpen', 'isClosed', 'forceOpen']
    for (const name of inOriginal) {
      assert.ok(methods(original.CircuitBreaker).includes(name))
      assert.ok(methods(ours.CircuitBreaker).includes(name), name)
    }
    assert.deepEqual(
      methods(ours.HealthMonitor).sort(),
      methods(original.HealthMonitor)
        .filter(name => !/^(performCheck|runCheck|check)$/.test(name))
        .concat('isStale')
        .sort(),
    )
  })

  it('an import starts nothing: no timer, no listener, no output', () => {
    const script = `
      const before = process.getActiveResourcesInfo().length
      const { setTimeout, setInterval } = globalThis
      for (const name of ['setTimeout', 'setInterval', 'setImmediate']) globalThis[name] = () => { throw new Error(name) }
      await import('seawall/kysely')
      console.log(process.getActiveResourcesInfo().length - before, process.listenerCount('SIGTERM'))
    `
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
    })
    assert.deepEqual([stdout.trim(), stderr], ['0 0', ''])
  })
})

describe('health checks', () => {
  const poolOf = metrics => ({ end() {}, getMetrics: () => metrics })
  const counts = { total: 10, idle: 6, active: 4, waiting: 1 }
  const fixed = () => {
    const now = Date.now()
    mock.method(Date, 'now', () => now)
  }

  same('an answer', infra => {
    fixed()
    return infra.checkDatabaseHealth(database(async () => []))
  })
  same('an answer, with a pool', infra => {
    fixed()
    return infra.checkDatabaseHealth(
      database(async () => []),
      poolOf(counts),
    )
  })
  for (const [name, thrown] of Object.entries({
    Error: new Error('gone'),
    string: 'gone',
    number: 7,
    object: { code: 'X' },
    null: null,
  })) {
    same(`a rejection with ${name}`, infra => infra.checkDatabaseHealth(rejecting(thrown)))
    same(`a rejection with ${name}, with a pool`, infra =>
      infra.checkDatabaseHealth(rejecting(thrown), poolOf(counts)),
    )
  }
  same('a throw', infra =>
    infra.checkDatabaseHealth(
      database(() => {
        throw new TypeError('at once')
      }),
    ),
  )
  same('no answer', async infra => {
    mock.timers.enable({ apis: ['setTimeout'] })
    const result = infra.checkDatabaseHealth(database(() => new Promise(() => {})))
    mock.timers.tick(5000)
    return result
  })
  for (const [name, pool] of Object.entries({
    undefined: undefined,
    null: null,
    'an empty object': {},
  })) {
    same(`${name} for a pool`, infra => {
      fixed()
      return infra.checkDatabaseHealth(
        database(async () => []),
        pool,
      )
    })
  }
  for (const options of [
    undefined,
    {},
    { verbose: true },
    { verbose: true, pool: poolOf(counts) },
  ]) {
    const what = options ? Object.keys(options).join(' and ') || 'nothing' : 'no options'
    same(`performHealthCheck with ${what}`, (infra, { logger }) => {
      fixed()
      return infra.performHealthCheck(
        database(async () => []),
        options && { ...options, logger },
      )
    })
    same(`performHealthCheck of a failure with ${what}`, (infra, { logger }) =>
      infra.performHealthCheck(rejecting(new Error('gone')), options && { ...options, logger }),
    )
  }
  same('a real database', async infra => {
    const db = new Kysely({ dialect: new SqliteDialect({ database: new Database(':memory:') }) })
    fixed()
    const result = await infra.checkDatabaseHealth(db)
    await db.destroy()
    return result
  })
  for (const ms of [0, 99, 100, 499, 500, 12_345]) {
    same(`a latency of ${ms} ms, but for FIX 1`, async infra => {
      let looks = 0
      mock.method(Date, 'now', () => (looks++ === 0 ? 0 : ms))
      const { checks, ...rest } = await infra.checkDatabaseHealth(database(async () => []))
      return { ...rest, message: checks[0].message }
    })
  }
})

describe('HealthMonitor', () => {
  for (const [name, db] of [
    ['an answering database', database(async () => [])],
    ['a database that is down', rejecting(new Error('down'))],
  ]) {
    same(`the life of a monitor of ${name}`, async (infra, { see, logger }) => {
      mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
      const now = Date.now()
      mock.method(Date, 'now', () => now)
      const monitor = new infra.HealthMonitor(db, { logger, intervalMs: 1000 })
      const look = () => see('running', monitor.isRunning(), 'last', monitor.getLastCheck())
      look()
      see(
        'start',
        monitor.start(result => see('onCheck', result)),
      )
      monitor.start(() => see('never'))
      look()
      await settle()
      look()
      for (let i = 0; i < 3; i++) {
        mock.timers.tick(1000)
        await settle()
      }
      see('stop', monitor.stop())
      monitor.stop()
      look()
      mock.timers.tick(5000)
      await settle()
      monitor.start(result => see('again', result.status))
      await settle()
      monitor[Symbol.dispose]()
      monitor.destroy()
      const result = await monitor.checkNow()
      see('same object', result === monitor.getLastCheck())
      return result
    })
  }
  same('stop right after start', async (infra, { see, logger }) => {
    const now = Date.now()
    mock.method(Date, 'now', () => now)
    const monitor = new infra.HealthMonitor(
      database(async () => []),
      { logger },
    )
    monitor.start()
    monitor.stop()
    await settle()
    see(monitor.getLastCheck())
  })
  same('the console as logger', async (infra, { see }) => {
    for (const level of ['debug', 'info', 'warn', 'error', 'log'])
      mock.method(console, level, (...args) => see(level, ...args))
    const monitor = new infra.HealthMonitor(rejecting(new Error('down')))
    monitor.start()
    await settle()
    monitor.stop()
  })
})

describe('getMetrics', () => {
  const recorded = durations => ({
    getMetrics: () => durations.map(duration => ({ sql: '', duration, timestamp: 0 })),
    clearMetrics() {},
  })
  const poolOf = (total, active) => ({
    end() {},
    getMetrics: () => ({ total, active, idle: total - active, waiting: 0 }),
  })
  for (const durations of [
    [],
    [1],
    [1.115, 8.345, 0.145],
    [50],
    [50.004],
    [101, ...Array(9).fill(1)],
    [101, ...Array(8).fill(1)],
    [300, 10, 150, 50, 200],
    [0, 0],
    Array.from({ length: 997 }, (_, i) => (i * 7919) % 997),
  ]) {
    for (const options of [
      undefined,
      { period: '5m', slowQueryThreshold: 40 },
      { slowQueryThreshold: 0 },
    ]) {
      same(
        `${durations.length} queries from ${durations[0]} ms on with ${JSON.stringify(options)}`,
        infra => infra.getMetrics(recorded(durations), options),
      )
    }
  }
  for (const [total, active] of [
    [10, 8],
    [10, 9],
    [3, 3],
    [7, 6],
    [0, 0],
  ]) {
    same(`a pool with ${active} of ${total} in use`, infra =>
      infra.getMetrics(recorded([]), { pool: poolOf(total, active) }),
    )
    same(`a pool with ${active} of ${total} in use and slow queries`, infra =>
      infra.getMetrics(recorded([500]), { pool: poolOf(total, active) }),
    )
  }
  same('a pool without getMetrics', infra => infra.getMetrics(recorded([1]), { pool: {} }))
  same('a database that records nothing', infra => infra.getMetrics({}))
  for (const db of [{}, { getMetrics: 'x' }, { getMetrics() {} }]) {
    same(`hasDatabaseMetrics of ${JSON.stringify(db)} ${typeof db.getMetrics}`, infra =>
      infra.hasDatabaseMetrics(db),
    )
  }
})

describe('pools', () => {
  const end = () => 'ended'
  const shapes = {
    pg: { end, totalCount: 10, idleCount: 7, waitingCount: 2, options: { max: 15 } },
    'pg without connections': {
      end,
      totalCount: 0,
      idleCount: 0,
      waitingCount: 0,
      options: { max: 20 },
    },
    'pg without options': { end, totalCount: 0, idleCount: 0, waitingCount: 0 },
    'pg with a limit of 0': {
      end,
      totalCount: 0,
      idleCount: 0,
      waitingCount: 0,
      options: { max: 0 },
    },
    'pg without waiting': { end, totalCount: 2, idleCount: 1 },
    'mysql2 as mocked': {
      end,
      pool: { _allConnections: { length: 8 }, _freeConnections: { length: 5 } },
      config: { connectionLimit: 12 },
    },
    'mysql2 without a limit': { end, pool: { _allConnections: [1, 2] }, config: {} },
    'better-sqlite3': { end, open: true, memory: true },
    'better-sqlite3, closed': { end, open: false, memory: false },
    'pg before sqlite': {
      end,
      totalCount: 1,
      idleCount: 0,
      waitingCount: 0,
      open: true,
      memory: true,
    },
    unknown: { end },
    function: Object.assign(() => {}, { end }),
  }
  for (const [name, pool] of Object.entries(shapes)) {
    same(name, (infra, { see }) => {
      const measured = infra.createMetricsPool(pool)
      see(measured.getMetrics(), JSON.stringify(measured.getMetrics()))
      see(
        measured.end(),
        Object.keys(measured),
        typeof measured,
        new Set([measured.getMetrics, measured.getMetrics]).size,
      )
      see(infra.isMetricsPool(measured), infra.isMetricsPool(pool), measured === pool)
      measured.mark = 1
      see(pool.mark)
      delete pool.mark
    })
  }
  same('what is no pool is a TypeError', infra => {
    try {
      infra.createMetricsPool(null)
    } catch (error) {
      return error instanceof TypeError
    }
  })
})

describe('shutdown', () => {
  const db = (see, destroy = async () => {}) => ({
    destroy() {
      see('destroy')
      return destroy()
    },
  })
  const no = async () => {
    throw new Error('no')
  }
  same('shutdownDatabase', (infra, { see }) => infra.shutdownDatabase(db(see)))
  same('shutdownDatabase that fails', (infra, { see }) => infra.shutdownDatabase(db(see, no)))
  same('gracefulShutdown', (infra, { see, logger }) =>
    infra.gracefulShutdown(db(see), {
      logger,
      onShutdown: async () => {
        see('onShutdown')
        await turn()
        see('done')
      },
    }),
  )
  same('gracefulShutdown that fails', (infra, { see, logger }) =>
    infra.gracefulShutdown(db(see, no), { logger }),
  )
  same('gracefulShutdown whose onShutdown fails, but for FIX 1', async (infra, { see, logger }) => {
    await outcome(() =>
      infra.gracefulShutdown(
        db(() => {}),
        { logger, onShutdown: no },
      ),
    ).then(see)
  })
  same('gracefulShutdown with a string thrown at once', (infra, { see, logger }) =>
    infra.gracefulShutdown(
      db(see, () => {
        throw 'at once'
      }),
      { logger },
    ),
  )
  same('gracefulShutdown that takes too long and fails later', async (infra, { see, logger }) => {
    mock.timers.enable({ apis: ['setTimeout'] })
    const { promise, reject } = Promise.withResolvers()
    const result = outcome(() =>
      infra.gracefulShutdown(
        db(see, () => promise),
        { logger, timeout: 250 },
      ),
    )
    mock.timers.tick(250)
    see(await result)
    reject(new Error('late'))
    await settle()
  })
  same('the timeout by default', async infra => {
    mock.timers.enable({ apis: ['setTimeout'] })
    const result = infra.gracefulShutdown({ destroy: () => new Promise(() => {}) })
    mock.timers.tick(30_000)
    return result
  })
  same('a timeout of 0 with a database that closes at once', (infra, { see, logger }) =>
    infra.gracefulShutdown(db(see), { logger, timeout: 0 }),
  )
  same('a controller', async (infra, { see, logger }) => {
    const controller = infra.createShutdownController(db(see), {
      logger,
      onShutdown: () => see('onShutdown', controller.isShuttingDown()),
    })
    see(Object.keys(controller), controller.isShuttingDown())
    await Promise.all([controller.execute(), controller.execute()])
    see(controller.isShuttingDown())
    await controller.execute()
  })
  same('a controller that fails', async (infra, { see, logger }) => {
    const controller = infra.createShutdownController(db(see, no), { logger })
    see(await outcome(() => controller.execute()))
    see(controller.isShuttingDown())
  })

  /** Ends a process of its own by a signal and shows how it went. */
  const process_ = (module, script, signal) => {
    const code = `
      import { registerShutdownHandlers, createShutdownController } from '${module}'
      const line = level => (...args) => console.log(level, ...args.map(a => a instanceof Error ? a.message : a))
      const logger = { info: line('info'), warn: line('warn'), error: line('error') }
      setTimeout(() => process.exit(9), 20_000)
      ${script}
      process.kill(process.pid, '${signal}')
    `
    const {
      status,
      signal: by,
      stdout,
    } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
    })
    return { status, by, lines: stdout.split('\n') }
  }
  const good = `{ destroy: async () => console.log('destroy') }`
  const bad = `{ destroy: async () => { throw new Error('no') } }`
  for (const [title, script, signal] of [
    [
      'SIGTERM',
      `registerShutdownHandlers(${good}, { logger, onShutdown: () => console.log('onShutdown') })`,
      'SIGTERM',
    ],
    ['SIGINT', `registerShutdownHandlers(${good}, { logger })`, 'SIGINT'],
    [
      'SIGUSR2 when asked for',
      `registerShutdownHandlers(${good}, { logger, signals: ['SIGUSR2'] })`,
      'SIGUSR2',
    ],
    [
      'a signal not asked for',
      `registerShutdownHandlers(${good}, { logger, signals: ['SIGUSR2'] })`,
      'SIGTERM',
    ],
    ['a failure', `registerShutdownHandlers(${bad}, { logger })`, 'SIGTERM'],
    [
      'too long',
      `registerShutdownHandlers({ destroy: () => new Promise(() => {}) }, { logger, timeout: 20 })`,
      'SIGTERM',
    ],
    ['the console', `registerShutdownHandlers(${good})`, 'SIGTERM'],
    [
      'a controller',
      `const c = createShutdownController(${good}, { logger }); c.registerSignals(); c.registerSignals`,
      'SIGTERM',
    ],
    [
      'two signals',
      `registerShutdownHandlers(${good}, { logger, onShutdown: () => new Promise(r => setTimeout(r, 200)) }); process.kill(process.pid, 'SIGINT')`,
      'SIGTERM',
    ],
  ]) {
    it(`in a process: ${title}`, () => {
      const theirs = process_('@kysera/infra', script, signal)
      assert.deepEqual(process_('seawall/kysely', script, signal), theirs)
      assert.notEqual(theirs.status, 9)
    })
  }
  for (const none of [undefined, {}, { on() {} }]) {
    same(`no signals: ${JSON.stringify(none)}`, (infra, { see, logger }) => {
      const processOfNode = /** @type {any} */ (
        Object.getOwnPropertyDescriptor(globalThis, 'process')
      )
      Object.defineProperty(globalThis, 'process', {
        value: none,
        configurable: true,
        writable: true,
      })
      try {
        infra.registerShutdownHandlers(db(see), { logger })
        infra.createShutdownController(db(see), { logger }).registerSignals()
      } finally {
        Object.defineProperty(globalThis, 'process', processOfNode)
      }
    })
  }
})

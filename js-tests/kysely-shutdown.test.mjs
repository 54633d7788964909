// @ts-check
// Shutdown of seawall/kysely, against the contract of @kysera/infra 0.8.8.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { afterEach, describe, it, mock } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import {
  createShutdownController,
  gracefulShutdown,
  registerShutdownHandlers,
  shutdownDatabase,
} from 'seawall/kysely'

const database = destroy => /** @type {any} */ ({ destroy })
const closing = () => database(mock.fn(async () => {}))
const never = () => new Promise(() => {})

function recorder() {
  const lines = []
  const write =
    level =>
    (message, ...args) =>
      lines.push([level, message, ...args])
  const logger = Object.fromEntries(
    ['trace', 'debug', 'info', 'warn', 'error', 'fatal'].map(level => [level, write(level)]),
  )
  return { logger: /** @type {any} */ (logger), lines }
}

const settle = async () => {
  for (let i = 0; i < 5; i++) await turn()
}

afterEach(() => mock.timers.reset())

describe('gracefulShutdown', () => {
  it('waits for onShutdown, then closes the database', async () => {
    const order = []
    const db = database(async () => order.push('destroy'))
    await gracefulShutdown(db, {
      onShutdown: async () => {
        await turn()
        order.push('onShutdown')
      },
    })
    assert.deepEqual(order, ['onShutdown', 'destroy'])
  })

  it('closes the database once, saying nothing', async () => {
    const db = closing()
    const { logger, lines } = recorder()
    await gracefulShutdown(db, { logger })
    assert.equal(db.destroy.mock.callCount(), 1)
    assert.deepEqual(lines, [])
  })

  it('gives up after 30 s, without a log line, and the work goes on', async () => {
    mock.timers.enable({ apis: ['setTimeout'] })
    const { promise, resolve } = Promise.withResolvers()
    const { logger, lines } = recorder()
    const db = closing()
    const result = gracefulShutdown(db, { logger, onShutdown: () => promise })
    mock.timers.tick(30_000)
    await assert.rejects(result, error => {
      assert.equal(/** @type {Error} */ (error).constructor, Error)
      assert.equal(/** @type {Error} */ (error).message, 'Shutdown timeout after 30000ms')
      return true
    })
    assert.deepEqual(lines, [])
    resolve()
    await settle()
    assert.equal(db.destroy.mock.callCount(), 1)
  })

  it('one timeout spans both steps', async () => {
    mock.timers.enable({ apis: ['setTimeout'] })
    const wait = ms => new Promise(resolve => setTimeout(resolve, ms))
    const result = gracefulShutdown(
      database(() => wait(60)),
      { timeout: 100, onShutdown: () => wait(60) },
    )
    mock.timers.tick(60)
    await settle()
    mock.timers.tick(40)
    await assert.rejects(result, { message: 'Shutdown timeout after 100ms' })
  })

  it('logs and rethrows the failure of the database', async () => {
    const { logger, lines } = recorder()
    const error = new Error('will not close')
    const db = database(async () => {
      throw error
    })
    await assert.rejects(gracefulShutdown(db, { logger }), thrown => thrown === error)
    assert.deepEqual(lines, [['error', 'Error during database shutdown:', error]])
  })

  it('a failure after the timeout is logged, and not unhandled', async () => {
    mock.timers.enable({ apis: ['setTimeout'] })
    const { promise, reject } = Promise.withResolvers()
    const { logger, lines } = recorder()
    const result = gracefulShutdown(
      database(() => promise),
      { logger, timeout: 10 },
    )
    mock.timers.tick(10)
    await assert.rejects(result, /timeout/)
    reject(new Error('late'))
    await settle()
    assert.equal(lines.length, 1)
  })

  it('clears its timer through the global clearTimeout', async t => {
    const set = t.mock.method(globalThis, 'setTimeout')
    const clear = t.mock.method(globalThis, 'clearTimeout')
    await gracefulShutdown(closing(), { timeout: 1000 })
    assert.equal(set.mock.callCount(), 1)
    assert.equal(clear.mock.callCount(), 1)
    assert.equal(clear.mock.calls[0]?.arguments[0], set.mock.calls[0]?.result)
  })

  it('FIX 1: closes the database although onShutdown fails, and throws that failure', async () => {
    const { logger, lines } = recorder()
    const db = closing()
    const error = new Error('queue not drained')
    const onShutdown = async () => {
      throw error
    }
    await assert.rejects(gracefulShutdown(db, { logger, onShutdown }), thrown => thrown === error)
    assert.equal(db.destroy.mock.callCount(), 1)
    assert.deepEqual(lines, [['error', 'Error during database shutdown:', error]])
  })

  it('FIX 1: of two failures the first is thrown and both are logged', async () => {
    const { logger, lines } = recorder()
    const db = database(() => {
      throw new Error('second')
    })
    const onShutdown = () => {
      throw new Error('first')
    }
    await assert.rejects(gracefulShutdown(db, { logger, onShutdown }), { message: 'first' })
    assert.deepEqual(
      lines.map(line => line[2].message),
      ['first', 'second'],
    )
  })

  for (const timeout of [Number.POSITIVE_INFINITY, 2 ** 31]) {
    it(`FIX 4: a timeout of ${timeout} is none`, async t => {
      const set = t.mock.method(globalThis, 'setTimeout')
      const { promise, resolve } = Promise.withResolvers()
      const result = gracefulShutdown(
        database(() => promise),
        { timeout },
      )
      await settle()
      resolve()
      await result
      assert.equal(set.mock.callCount(), 0)
    })
  }

  it('a timeout of 0 leaves what is done at once', async () => {
    const { logger } = recorder()
    await gracefulShutdown(closing(), { timeout: 0, logger })
    await assert.rejects(gracefulShutdown(database(never), { timeout: 0, logger }), {
      message: 'Shutdown timeout after 0ms',
    })
  })

  for (const timeout of [Number.NaN, -1]) {
    it(`refuses a timeout of ${timeout}`, async () => {
      const problem = { code: 'SEAWALL_INVALID_OPTION', option: 'timeout' }
      await assert.rejects(gracefulShutdown(closing(), { timeout }), problem)
      assert.throws(() => createShutdownController(closing(), { timeout }), problem)
      assert.throws(() => registerShutdownHandlers(closing(), { timeout }), problem)
    })
  }
})

describe('shutdownDatabase', () => {
  it('closes the database once', async () => {
    const db = closing()
    await shutdownDatabase(db)
    assert.equal(db.destroy.mock.callCount(), 1)
  })
})

describe('createShutdownController', () => {
  it('has these three functions, which work detached', async () => {
    const { logger, lines } = recorder()
    const controller = createShutdownController(closing(), { logger })
    assert.deepEqual(Object.keys(controller), ['execute', 'registerSignals', 'isShuttingDown'])
    const { execute, isShuttingDown } = controller
    assert.equal(isShuttingDown(), false)
    await execute()
    assert.equal(isShuttingDown(), true)
    assert.deepEqual(lines, [
      ['info', 'Starting graceful shutdown...'],
      ['info', 'Database connections closed successfully'],
    ])
  })

  it('is shutting down while onShutdown runs', async () => {
    const { logger } = recorder()
    const seen = []
    const controller = createShutdownController(closing(), {
      logger,
      onShutdown: () => void seen.push(controller.isShuttingDown()),
    })
    await controller.execute()
    assert.deepEqual(seen, [true])
  })

  it('FIX 2: a second call answers with the first promise, and closes nothing twice', async () => {
    const { logger } = recorder()
    const { promise, resolve } = Promise.withResolvers()
    const db = database(mock.fn(() => promise))
    const controller = createShutdownController(db, { logger })
    const first = controller.execute()
    const second = controller.execute()
    assert.equal(second, first)
    let done = false
    second.then(() => (done = true))
    await settle()
    assert.equal(done, false)
    resolve()
    await second
    assert.equal(db.destroy.mock.callCount(), 1)
  })

  it('FIX 2: a second call fails as the first did', async () => {
    const { logger } = recorder()
    const db = database(async () => {
      throw new Error('will not close')
    })
    const controller = createShutdownController(db, { logger })
    await assert.rejects(controller.execute(), /will not close/)
    await assert.rejects(controller.execute(), /will not close/)
  })
})

describe('without signals', () => {
  it('warns and registers nothing', t => {
    const { logger, lines } = recorder()
    const processOfNode = Object.getOwnPropertyDescriptor(globalThis, 'process')
    t.after(() => Object.defineProperty(globalThis, 'process', /** @type {any} */ (processOfNode)))
    for (const none of [undefined, {}, { on() {} }, { exit() {} }]) {
      Object.defineProperty(globalThis, 'process', {
        value: none,
        configurable: true,
        writable: true,
      })
      const unregister = registerShutdownHandlers(closing(), { logger })
      createShutdownController(closing(), { logger }).registerSignals()
      unregister()
    }
    const warning =
      'Process signal handlers are not available in this runtime. Shutdown handlers will not be registered. Use createShutdownController().execute() for manual shutdown.'
    assert.deepEqual(lines, Array(8).fill(['warn', warning]))
  })
})

describe('in a process', () => {
  /**
   * Runs `script` in a process of its own, sends the signals once it prints "ready" (the second one
   * at "again"), and answers how it ended.
   */
  async function run(script, ...signals) {
    const prelude = `
      import { registerShutdownHandlers, createShutdownController } from 'seawall/kysely'
      const line = level => (...args) => console.log(level, ...args.map(a => a instanceof Error ? a.message : a))
      const logger = { info: line('info'), warn: line('warn'), error: line('error') }
      const wait = ms => new Promise(resolve => setTimeout(resolve, ms))
      const db = { destroy: async () => { console.log('destroy') } }
      const alive = setInterval(() => {}, 1000)
      process.on('exit', () => clearInterval(alive))
    `
    const child = spawn(process.execPath, ['--input-type=module', '-e', prelude + script], {
      cwd: import.meta.dirname,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const killer = setTimeout(() => child.kill('SIGKILL'), 30_000)
    let output = ''
    child.stdout.setEncoding('utf8')
    const waiting = signals.map((signal, i) => [i === 0 ? 'ready' : 'again', signal])
    child.stdout.on('data', chunk => {
      output += chunk
      while (waiting[0] && output.includes(`${waiting[0][0]}\n`)) child.kill(waiting.shift()?.[1])
    })
    const [code, signal] = await new Promise(resolve => child.on('close', (...end) => resolve(end)))
    clearTimeout(killer)
    const lines = output.split('\n').filter(text => text && !['ready', 'again'].includes(text))
    return { code, signal, lines }
  }

  for (const signal of ['SIGTERM', 'SIGINT']) {
    it(`${signal} closes the database and ends it with 0`, async () => {
      const end = await run(
        `registerShutdownHandlers(db, { logger, onShutdown: () => console.log('onShutdown') }); console.log('ready')`,
        signal,
      )
      assert.equal(end.code, 0)
      assert.deepEqual(end.lines, [
        `info Received ${signal}, starting graceful shutdown...`,
        'onShutdown',
        'destroy',
        'info Database connections closed successfully',
      ])
    })
  }

  it('a shutdown that fails ends it with 1', async () => {
    const end = await run(
      `registerShutdownHandlers({ destroy: async () => { throw new Error('no') } }, { logger }); console.log('ready')`,
      'SIGTERM',
    )
    assert.equal(end.code, 1)
    assert.deepEqual(end.lines, [
      'info Received SIGTERM, starting graceful shutdown...',
      'error Error during database shutdown: no',
      'error Error during shutdown: no',
    ])
  })

  it('a shutdown that takes too long ends it with 1', async () => {
    const end = await run(
      `registerShutdownHandlers({ destroy: () => wait(60_000) }, { logger, timeout: 50 }); console.log('ready')`,
      'SIGTERM',
    )
    assert.equal(end.code, 1)
    assert.equal(end.lines.at(-1), 'error Error during shutdown: Shutdown timeout after 50ms')
  })

  it('listens to the signals of its options only', async () => {
    const end = await run(
      `registerShutdownHandlers(db, { logger, signals: ['SIGUSR2'] }); console.log('ready')`,
      'SIGUSR2',
    )
    assert.equal(end.code, 0)
    const other = await run(
      `registerShutdownHandlers(db, { logger, signals: ['SIGUSR2'] }); console.log('ready')`,
      'SIGTERM',
    )
    assert.equal(other.signal, 'SIGTERM')
  })

  const slow = `{ destroy: async () => { console.log('again'); await wait(300); console.log('destroy') } }`

  it('a second signal is ignored', async () => {
    const end = await run(
      `registerShutdownHandlers(${slow}, { logger }); console.log('ready')`,
      'SIGTERM',
      'SIGINT',
    )
    assert.equal(end.code, 0)
    assert.deepEqual(end.lines, [
      'info Received SIGTERM, starting graceful shutdown...',
      'destroy',
      'info Database connections closed successfully',
    ])
  })

  it('FIX 5: a second signal ends it at once if asked to', async () => {
    const end = await run(
      `registerShutdownHandlers(${slow}, { logger, forceOnSecondSignal: true }); console.log('ready')`,
      'SIGTERM',
      'SIGTERM',
    )
    assert.equal(end.code, 1)
    assert.deepEqual(end.lines, [
      'info Received SIGTERM, starting graceful shutdown...',
      'warn Received SIGTERM during shutdown, exiting at once',
    ])
  })

  it('FIX 5: what registering answers takes the listeners away', async () => {
    const end = await run(
      `registerShutdownHandlers(db, { logger })(); console.log(process.listenerCount('SIGTERM')); console.log('ready')`,
      'SIGTERM',
    )
    assert.equal(end.signal, 'SIGTERM')
    assert.deepEqual(end.lines, ['0'])
  })

  it('FIX 5: two databases are both closed before it ends, and a failure of one is its status', async () => {
    const end = await run(
      `registerShutdownHandlers({ destroy: async () => { throw new Error('no') } }, { logger })
       registerShutdownHandlers({ destroy: async () => { await wait(100); console.log('slow one') } }, { logger })
       console.log('ready')`,
      'SIGTERM',
    )
    assert.equal(end.code, 1)
    assert.ok(end.lines.includes('slow one'))
  })

  it('a signal that cannot be listened to leaves no listener behind', async () => {
    const end = await run(
      `try { registerShutdownHandlers(db, { logger, signals: ['SIGTERM', 'SIGKILL'] }) }
       catch (error) { console.log(error.code, process.listenerCount('SIGTERM')); process.exit(3) }`,
    )
    assert.deepEqual([end.code, end.lines], [3, ['EINVAL 0']])
  })

  it('FIX 3: a signal shutdown is one that execute knows of', async () => {
    const end = await run(
      `const shutdown = createShutdownController(${slow}, { logger })
       shutdown.registerSignals()
       process.on('SIGTERM', () => {
         console.log(shutdown.isShuttingDown())
         shutdown.execute()
       })
       console.log('ready')`,
      'SIGTERM',
    )
    assert.equal(end.code, 0)
    assert.deepEqual(end.lines, [
      'info Received SIGTERM, starting graceful shutdown...',
      'true',
      'destroy',
      'info Database connections closed successfully',
    ])
  })

  it('FIX 3: a signal during execute waits for that and ends the process', async () => {
    const end = await run(
      `const shutdown = createShutdownController({ destroy: async () => { console.log('ready'); await wait(200); console.log('destroy') } }, { logger })
       shutdown.registerSignals()
       shutdown.execute()`,
      'SIGTERM',
    )
    assert.equal(end.code, 0)
    assert.deepEqual(end.lines, [
      'info Starting graceful shutdown...',
      'info Received SIGTERM, graceful shutdown has already begun',
      'destroy',
      'info Database connections closed successfully',
    ])
  })

  it('a logger that throws does not keep the database open', async () => {
    const end = await run(
      `const broken = () => { throw new Error('disk full') }
       process.emitWarning = () => {}
       registerShutdownHandlers(db, { logger: { info: broken, warn: broken, error: broken } }); console.log('ready')`,
      'SIGTERM',
    )
    assert.deepEqual([end.code, end.lines], [0, ['destroy']])
  })
})

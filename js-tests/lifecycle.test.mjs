// @ts-check
// Shutdown in virtual time, its probes, and what closes the usual things.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { describe, it } from 'node:test'
import express from 'express'
import express4 from 'express4'
import fastify from 'fastify'
import { Redis } from 'ioredis'
import { Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely'
import { MongoClient } from 'mongodb'
import mongoose from 'mongoose'
import mysql from 'mysql2'
import mysqlPromise from 'mysql2/promise'
import pg from 'pg'
import { createClient } from 'redis'
import { closeOnShutdown, Lifecycle, Probes, stopOnShutdown } from 'seawall/lifecycle'
import { VirtualClock } from 'seawall/testing'

/** A lifecycle of its own in virtual time, started without signals, and what it tells. */
function scene(options = {}) {
  const clock = new VirtualClock()
  const events = /** @type {string[]} */ ([])
  const codes = /** @type {number[]} */ ([])
  const tell = text => events.push(`${clock.now()} ${text}`)
  const life = new Lifecycle({ clock, exit: code => void codes.push(code) })
  life.on('phase', ({ phase }) => tell(phase))
  life.start({
    graceMs: 30_000,
    signals: [],
    uncaughtException: 'ignore',
    unhandledRejection: 'ignore',
    log: () => {},
    ...options,
  })
  const after = ms => new Promise(resolve => clock.setTimer(() => resolve(undefined), ms))
  return { clock, events, codes, life, tell, after }
}

/** Something that serves for `ms` more. */
function busy({ tell, after }, ms, name = 'api') {
  let left = 1
  return {
    name,
    beginDrain: window => tell(`${name} drains for ${window}`),
    close: async () => {
      tell(`${name} closes`)
      await after(ms)
      left = 0
    },
    force: () => tell(`${name} forced`),
    report: () => ({
      connections: left,
      inFlight: left ? [{ what: 'GET /', ageMs: 5 }] : [],
    }),
  }
}

describe('the sequence', () => {
  it('waits, drains, runs the hooks, and ends with 0', async () => {
    const it = scene({ drainDelayMs: 5000 })
    it.life.add(busy(it, 700))
    it.life.onShutdown('pool', () => it.after(200), { phase: 'db' })
    assert.equal(it.life.ready(), true)
    const done = it.life.shutdown('by hand')
    assert.deepEqual([it.life.ready(), it.life.live()], [false, true])
    assert.equal(it.life.shutdown(), done)
    await it.clock.run()
    assert.equal(await done, 0)
    assert.deepEqual(it.events, [
      '0 notReady',
      '0 api drains for 5000',
      '5000 draining',
      '5000 api closes',
      '5700 hooks',
      '5900 done',
    ])
    assert.deepEqual(it.codes, [0])
    assert.equal(it.clock.pending, 0)
  })

  it('has no timer while it runs', async () => {
    const it = scene()
    it.life.onShutdown('pool', () => {})
    it.life.add(busy(it, 1))
    await it.clock.advance(1000)
    assert.equal(it.clock.pending, 0)
  })

  it('cuts off what takes too long, in time for the hooks', async () => {
    const it = scene()
    it.life.add(busy(it, 60_000))
    it.life.onShutdown('pool', () => it.tell('pool'), { phase: 'db' })
    const done = it.life.shutdown()
    await it.clock.run()
    assert.equal(await done, 75)
    assert.deepEqual(it.events.slice(4), [
      '23000 hooks',
      '23000 api forced',
      '23000 pool',
      '23000 done',
    ])
  })

  it('something that does not close because it fails is no reason to wait', async () => {
    const it = scene()
    const close = () => {
      throw new Error('no')
    }
    it.life.add({ ...busy(it, 0), close, report: () => ({ connections: 0, inFlight: [] }) })
    const done = it.life.shutdown()
    await it.clock.run()
    assert.equal(await done, 1)
  })

  it('hooks that are added while it ends have their turn; those taken back have none', async () => {
    const it = scene()
    const hook = name => () => it.tell(name)
    const taken = it.life.onShutdown('taken', hook('taken'))
    taken()
    it.life.addHook('disposed', hook('disposed'))[Symbol.dispose]()
    it.life.onShutdown('first', () => it.life.onShutdown('late', hook('late'), { phase: 'logs' }), {
      phase: 'http',
    })
    it.life.onShutdown('b', hook('order 1'), { order: 1 })
    it.life.onShutdown('a', hook('order -1'), { order: -1 })
    it.life.shutdown()
    await it.clock.run()
    assert.deepEqual(it.events.slice(3), ['0 order -1', '0 order 1', '0 late', '0 done'])
  })

  it('hanging hooks together end before the deadline, each with its turn', async () => {
    const it = scene()
    for (let i = 0; i < 10; i++) {
      it.life.onShutdown(`hangs ${i}`, () => new Promise(() => {}), { timeoutMs: 8000 })
    }
    const ends = /** @type {string[]} */ ([])
    it.life.on('hook', ({ name }) => void ends.push(name))
    const done = it.life.shutdown()
    await it.clock.run()
    assert.equal(await done, 1)
    assert.equal(ends.length, 10)
    assert.ok(it.clock.now() < 28_000, `${it.clock.now()}`)
  })

  it('tells health checks at once, also those that come late', () => {
    const it = scene()
    const drained = /** @type {string[]} */ ([])
    const checks = name => ({ drain: () => void drained.push(name) })
    it.life.useHealth(checks('first'))
    it.life.useHealth(checks('gone'))()
    it.life.shutdown()
    it.life.useHealth(checks('late'))
    assert.deepEqual(drained, ['first', 'late'])
    it.life[Symbol.dispose]()
  })

  it('says how it stands', () => {
    const it = scene({ drainDelayMs: 1000 })
    it.life.onShutdown('pool', () => {}, { phase: 'db' })
    it.life.add(busy(it, 10))
    assert.deepEqual([it.life.state.phase, it.life.state.leftMs], ['running', undefined])
    it.life.shutdown('why')
    const { phase, ready, reason, leftMs, hooks, drainables, budget, native } = it.life.state
    assert.deepEqual([phase, ready, reason, leftMs], ['notReady', false, 'why', 28_000])
    assert.deepEqual(hooks, [{ name: 'pool', phase: 'db' }])
    assert.equal(drainables[0]?.inFlight[0]?.what, 'GET /')
    assert.deepEqual([budget.neededMs, budget.shortMs], [8000, 0])
    assert.deepEqual(native, { signals: false, deadline: false })
    it.life[Symbol.dispose]()
  })

  it('reads the environment for what no option says', t => {
    const before = { ...process.env }
    t.after(() => {
      process.env = before
    })
    process.env.KUBERNETES_SERVICE_HOST = '10.0.0.1'
    process.env.TERMINATION_GRACE_PERIOD_SECONDS = '60'
    const { budget } = scene({ graceMs: undefined }).life.state
    assert.deepEqual([budget.graceMs, budget.delayMs], [60_000, 5000])
  })

  it('refuses what makes no sense', () => {
    for (const [options, option] of /** @type {[any, string][]} */ ([
      [{ grace: 1 }, 'grace'],
      [{ graceMs: 0 }, 'graceMs'],
      [{ graceMs: 1000, marginMs: 1000 }, 'graceMs'],
      [{ hooksMs: -1 }, 'hooksMs'],
      [{ signals: ['SIGSEGV'] }, 'signals'],
      [{ signals: ['SIGKILL'] }, 'signals'],
      [{ signals: ['TERM'] }, 'signals'],
      [{ signals: 'SIGTERM2' }, 'signals'],
      [{ unhandledRejection: 'die' }, 'unhandledRejection'],
      [{ reporterTimeoutMs: -1 }, 'reporterTimeoutMs'],
    ])) {
      const life = new Lifecycle()
      assert.throws(() => life.start(options), { code: 'SEAWALL_INVALID_OPTION', option })
      assert.equal(life.started, false)
    }
    const life = new Lifecycle()
    assert.throws(() => life.onShutdown('x', () => {}, /** @type {any} */ ({ phase: 'disk' })))
    assert.throws(() => life.onShutdown('x', () => {}, { timeoutMs: -1 }), { option: 'timeoutMs' })
    assert.throws(() => life.add(/** @type {any} */ ({ name: 'x' })), { option: 'beginDrain' })
    assert.throws(() => closeOnShutdown({}, { lifecycle: life }), { option: 'thing' })
  })
})

describe('probes', () => {
  const up = { isListening: true }

  it('answers the texts of the contract, the first that is true', () => {
    const { life } = scene()
    const probes = new Probes({ lifecycle: life })
    let connected = false
    assert.deepEqual(probes.ready(), { status: 503, text: 'HTTP server(s) not ready' })
    probes.addDatabase(() => connected)
    assert.deepEqual(probes.ready(), { status: 503, text: 'Databases not (yet?) connected' })
    connected = true
    probes.addServer(up)
    const other = probes.addServer({ isListening: () => false })
    assert.deepEqual(probes.ready(), { status: 503, text: 'HTTP server(s) not ready' })
    other()
    assert.deepEqual(probes.ready(), { status: 200, text: 'ready' })
    assert.deepEqual(probes.live(), { status: 200, text: 'live' })
    life.shutdown()
    assert.deepEqual(probes.ready(), { status: 503, text: 'Service is closing' })
    assert.deepEqual(probes.live(), { status: 200, text: 'live' })
    life[Symbol.dispose]()
  })

  it('an unrecoverable error is neither ready nor alive; 500 if wanted', () => {
    const probes = new Probes({ lifecycle: scene().life, status: 500 })
    probes.addServer(up)
    probes.setUnrecoverableError(new Error('disk is gone'))
    assert.deepEqual(probes.ready(), { status: 500, text: 'Service is closing' })
    assert.deepEqual(probes.live(), { status: 500, text: 'Unrecoverable error: disk is gone' })
  })

  it('knows the servers that the lifecycle brings to their end', () => {
    const it = scene()
    const probes = new Probes({ lifecycle: it.life })
    it.life.add({ ...busy(it, 0), .../** @type {any} */ ({ isListening: true }) })
    assert.equal(probes.ready().status, 200)
  })

  const client = {
    ioredis: { status: 'ready' },
    redis: { isReady: true },
    mongoose: { readyState: 1 },
  }
  for (const [name, database] of Object.entries({
    ...client,
    'mongoose itself': { connection: { readyState: 1 } },
    reconnecting: { connected: true },
  })) {
    it(`${name}: says whether it is connected`, () => {
      const probes = new Probes({ lifecycle: scene().life, requireServer: false })
      probes.addDatabase(database)
      assert.equal(probes.ready().status, 200)
      const one = /** @type {any} */ (database)
      const part = one.connection ?? one
      for (const key of Object.keys(part))
        part[key] = { string: 'end', number: 0, boolean: false }[typeof part[key]]
      assert.equal(probes.ready().text, 'Databases not (yet?) connected')
    })
  }

  for (const [name, app] of /** @type {[string, any][]} */ ([
    ['express 5', express()],
    ['express 4', express4()],
    ['node:http', undefined],
  ])) {
    it(`as middleware of ${name}`, async () => {
      const probes = new Probes({ lifecycle: scene().life })
      app?.use(probes.router)
      app?.use((_request, response) => response.end('app'))
      const server = createServer(
        app ??
          ((request, response) => void (probes.router(request, response) || response.end('app'))),
      )
      probes.addServer(server)
      await once(server.listen(0, '127.0.0.1'), 'listening')
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
      const get = async (path, method = 'GET') => {
        const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method })
        return [answer.status, await answer.text()]
      }
      assert.deepEqual(await get('/api/probe/ready?from=kubelet'), [200, 'ready'])
      assert.deepEqual(await get('/api/probe/live'), [200, 'live'])
      assert.deepEqual(await get('/api/probe/live', 'HEAD'), [200, ''])
      assert.deepEqual(await get('/api/probe/live', 'POST'), [200, 'app'])
      assert.deepEqual(await get('/api/probe/readyz'), [200, 'app'])
      server.closeAllConnections()
      server.close()
    })
  }
})

describe('what is closed', () => {
  /** Shuts down what `thing` is registered as, with its closing method watched. */
  async function closing(thing, method) {
    const it = scene()
    const calls = /** @type {string[]} */ ([])
    const own = thing[method]
    thing[method] = (...args) => {
      calls.push(method)
      return own?.apply(thing, args)
    }
    closeOnShutdown(thing, { lifecycle: it.life })
    const { hooks, drainables } = it.life.state
    const registered = hooks[0] ? `${hooks[0].name} ${hooks[0].phase}` : drainables[0]?.name
    const done = it.life.shutdown()
    const turn = setInterval(() => void it.clock.advance(1), 5)
    const code = await done
    clearInterval(turn)
    return { registered, calls, code }
  }

  const dialect = {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => /** @type {any} */ ({ init: async () => {}, destroy: async () => {} }),
    createIntrospector: db => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  }
  const nowhere = { host: '127.0.0.1', port: 1 }
  for (const [name, make, method, as] of /** @type {[string, () => any, string, string][]} */ ([
    ['fastify', () => fastify(), 'close', 'fastify'],
    ['node:http', () => createServer(), 'address', 'server'],
    ['kysely', () => new Kysely({ dialect }), 'destroy', 'kysely db'],
    ['pg.Pool', () => new pg.Pool(nowhere), 'end', 'pg db'],
    ['pg.Client', () => new pg.Client(nowhere), 'end', 'pg db'],
    ['mysql2 pool', () => mysql.createPool(nowhere), 'end', 'mysql db'],
    ['mysql2/promise pool', () => mysqlPromise.createPool(nowhere), 'end', 'mysql db'],
    ['mongodb', () => new MongoClient('mongodb://127.0.0.1:1'), 'close', 'mongodb db'],
    ['mongoose', () => new mongoose.Mongoose(), 'disconnect', 'mongoose db'],
    ['ioredis', () => new Redis({ ...nowhere, lazyConnect: true }), 'disconnect', 'redis db'],
  ])) {
    it(`${name}: ${method}`, async () => {
      const { registered, calls, code } = await closing(make(), method)
      assert.equal(registered, as)
      if (method !== 'address') assert.deepEqual(calls, [method])
      assert.equal(code, 0)
    })
  }

  it('redis: is left alone where it never opened', async () => {
    const client = createClient({ url: 'redis://127.0.0.1:1' })
    const { registered, calls, code } = await closing(client, 'close')
    assert.deepEqual([registered, calls, code], ['redis db', [], 0])
  })

  it('a server with a request under way is waited for', async () => {
    const it = scene()
    const server = createServer(
      (_request, response) => void setTimeout(() => response.end('whole'), 150),
    )
    await once(server.listen(0, '127.0.0.1'), 'listening')
    closeOnShutdown(server, { lifecycle: it.life, name: 'api' })
    const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
    const answer = fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })
    await once(server, 'request')
    const done = it.life.shutdown()
    assert.equal(await (await answer).text(), 'whole')
    const turn = setInterval(() => void it.clock.advance(1), 5)
    assert.equal(await done, 0)
    clearInterval(turn)
  })

  it('timers stop when the shutdown begins', () => {
    const it = scene()
    let stopped = 0
    stopOnShutdown(
      setInterval(() => {}, 1000),
      { lifecycle: it.life },
    )
    stopOnShutdown({ stop: () => void stopped++ }, { lifecycle: it.life })
    stopOnShutdown({ [Symbol.dispose]: () => void stopped++ }, { lifecycle: it.life })
    stopOnShutdown({ stop: () => void stopped++ }, { lifecycle: it.life })()
    it.life.shutdown()
    assert.equal(stopped, 2)
    it.life[Symbol.dispose]()
  })
})

// What `seawall/fastify` promises to those who come from @fastify/under-pressure, and by name every
// defect of the original that it mends. What both do alike is in fastify-parity.test.mjs.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { afterEach, describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import Fastify from 'fastify'
import Fastify4 from 'fastify4'
import underPressure, * as named from 'seawall/fastify'
import { inChild, until } from './fastify-tools.mjs'

const require = createRequire(import.meta.url)
const open = []
afterEach(async () => {
  for (const app of open.splice(0)) await app.close()
})

/** An app with the plugin and one route. */
async function start(options, { make = Fastify, log, routes = () => {} } = {}) {
  const app = make(
    log
      ? { logger: { level: 'error', stream: { write: line => log.push(JSON.parse(line)) } } }
      : {},
  )
  open.push(app)
  app.register(underPressure, options)
  app.get('/', async () => ({ hello: 'world' }))
  routes(app)
  await app.ready()
  return app
}

const sampled = app => until(() => app.memoryUsage().rssBytes > 0)
const overloaded = { maxHeapUsedBytes: 1, sampleInterval: 10 }

describe('module', () => {
  test('require, the default import and the named import are one function', () => {
    assert.equal(require('seawall/fastify'), underPressure)
    assert.equal(named.fastifyUnderPressure, underPressure)
    assert.equal(underPressure.default, underPressure)
    assert.equal(underPressure.fastifyUnderPressure, underPressure)
    assert.equal(underPressure.name, 'fastifyUnderPressure')
    assert.equal(named.TYPE_EVENT_LOOP_DELAY, 'eventLoopDelay')
    assert.equal(named.TYPE_HEAP_USED_BYTES, 'heapUsedBytes')
    assert.equal(named.TYPE_RSS_BYTES, 'rssBytes')
    assert.equal(named.TYPE_HEALTH_CHECK, 'healthCheck')
    assert.equal(named.TYPE_EVENT_LOOP_UTILIZATION, 'eventLoopUtilization')
  })

  test('nothing is loaded for the old options: no engine, no other module', () => {
    const { stdout, stderr } = inChild(`
      const before = new Set(Object.keys(require.cache))
      const app = require('fastify')()
      app.register(require('seawall/fastify'), { maxRssBytes: 1e12, exposeStatusRoute: true })
      app.ready().then(() => {
        const loaded = Object.keys(require.cache).filter(file => /seawall/.test(file))
        console.log(JSON.stringify(loaded))
        return app.close()
      })`)
    assert.equal(JSON.parse(stdout || stderr).length, 1, stdout)
  })

  test('it keeps no process alive', () => {
    const { status, ms, stderr } = inChild(`
      const app = require('fastify')()
      app.register(require('seawall/fastify'), {
        maxRssBytes: 1e12, healthCheck: async () => true, healthCheckInterval: 5000 })
      app.ready()`)
    assert.equal(status, 0, stderr)
    assert.ok(ms < 4_000, `${ms} ms`)
  })
})

for (const [name, make] of [
  ['Fastify 5', Fastify],
  ['Fastify 4', Fastify4],
]) {
  describe(name, () => {
    test('refuses with 503, Retry-After and the body of old', async () => {
      const app = await start({ ...overloaded, message: 'Too much', retryAfter: 50 }, { make })
      assert.equal((await app.inject('/')).statusCode, 200)
      assert.equal(app.isUnderPressure(), false)
      await sampled(app)
      const response = await app.inject('/')
      assert.equal(response.statusCode, 503)
      assert.equal(response.headers['retry-after'], '50')
      assert.deepEqual(response.json(), {
        code: 'FST_UNDER_PRESSURE',
        error: 'Service Unavailable',
        message: 'Too much',
        statusCode: 503,
      })
      assert.equal(app.isUnderPressure(), true)
      assert.equal((await app.inject('/nowhere')).statusCode, 503)
      assert.equal((await app.inject({ method: 'HEAD', url: '/' })).statusCode, 503)
    })

    test('a status route whose first check failed heals by itself', async () => {
      let healthy = false
      const app = await start(
        { healthCheck: async () => healthy, exposeStatusRoute: '/alive' },
        { make },
      )
      assert.equal((await app.inject('/alive')).statusCode, 503)
      assert.equal((await app.inject('/')).statusCode, 503)
      healthy = true
      assert.equal((await app.inject('/')).statusCode, 503)
      const status = await app.inject('/alive?verbose')
      assert.equal(status.statusCode, 200)
      assert.deepEqual(status.json(), { status: 'ok' })
      assert.equal((await app.inject('/')).statusCode, 200)
      assert.equal(app.isUnderPressure(), false)
    })

    test('handlers of the option and of the route', async () => {
      const seen = []
      const app = await start(
        { ...overloaded, pressureHandler: (_request, reply, type) => void reply.send(type) },
        {
          make,
          routes: app => {
            const pressureHandler = (_request, _reply, type, value) => {
              seen.push([type, typeof value])
              return 'route'
            }
            app.get('/own', { config: { pressureHandler } }, async () => 'served')
          },
        },
      )
      await sampled(app)
      assert.equal((await app.inject('/')).body, 'heapUsedBytes')
      assert.equal((await app.inject('/own')).body, 'route')
      assert.deepEqual(seen, [['heapUsedBytes', 'number']])
    })

    test('parent and child have limits and decorators of their own', async () => {
      const app = await start(
        {},
        {
          make,
          routes: app =>
            app.register(
              async child => {
                child.register(underPressure, overloaded)
                child.get('/', async () => child.isUnderPressure())
              },
              { prefix: '/child' },
            ),
        },
      )
      await sampled(app)
      await until(async () => (await app.inject('/child')).statusCode === 503)
      assert.equal((await app.inject('/')).statusCode, 200)
      assert.equal(app.isUnderPressure(), false)
    })
  })
}

describe('mended', () => {
  test('1: an idle app is never under pressure, however short the interval and low the limit', async () => {
    // Not the machine's hiccups, which are true pressure: only delays that nobody else sees count.
    const truth = monitorEventLoopDelay({ resolution: 1 })
    for (const sampleInterval of [10, 15, 20, 50, 100, 1_000]) {
      truth.reset()
      truth.enable()
      // It knows nothing of what is before its first turn.
      await wait(5)
      const app = await start({ maxEventLoopDelay: 50, sampleInterval })
      let wrong = 0
      for (let i = 0; i < 40; i++) {
        await wait(10)
        const found = app.isUnderPressure()
        // Those who measure have not all had their turn.
        await new Promise(resolve => setImmediate(resolve))
        if (found && truth.max / 1e6 < 50) wrong++
        assert.notEqual(app.memoryUsage().eventLoopDelay, Number.POSITIVE_INFINITY)
      }
      truth.disable()
      assert.equal(wrong, 0, `${wrong} of 40 at ${sampleInterval} ms`)
    }
  })

  /** The longest delay an app sees that is stopped for 250 ms again and again. */
  async function stopped() {
    const child = spawn(
      process.execPath,
      [
        '--input-type=commonjs',
        '-e',
        `const app = require('fastify')()
        const options = { maxEventLoopDelay: 50, sampleInterval: Number(process.argv[1]) }
        app.register(require('seawall/fastify'), options)
        app.ready().then(() => {
          let most = 0
          setInterval(() => { most = Math.max(most, app.memoryUsage().eventLoopDelay) }, 1)
          process.on('SIGUSR2', () => { console.log(most); process.exit() })
          console.log('ready')
        })`,
        '10',
      ],
      { cwd: import.meta.dirname },
    )
    await once(child.stdout, 'data')
    await wait(100)
    for (let round = 0; round < 4; round++) {
      child.kill('SIGSTOP')
      await wait(250)
      child.kill('SIGCONT')
      await wait(100)
    }
    child.kill('SIGUSR2')
    const [most] = await once(child.stdout.setEncoding('utf8'), 'data')
    return Number(most)
  }

  test('1: an app that nobody ran is not one that blocks', async () => {
    // What the app has to do just then counts, and on a busy machine that may be much: once is enough.
    let least = Number.POSITIVE_INFINITY
    for (let tries = 0; tries < 3 && !(least < 150); tries++) {
      least = Math.min(least, await stopped())
    }
    assert.ok(least < 150, `${least} ms`)
  })

  test('1: a block is seen where nothing else was measured', async () => {
    const app = await start({ maxEventLoopDelay: 50, sampleInterval: 10 })
    const end = performance.now() + 200
    while (performance.now() < end);
    await until(() => app.isUnderPressure(), 100)
  })

  test('2: utilisation of the interval follows what happens now', async () => {
    const options = { maxEventLoopUtilization: 0.9, sampleInterval: 50 }
    const app = await start({ ...options, eventLoopUtilizationMode: 'interval' })
    await wait(300)
    assert.equal(app.isUnderPressure(), false)
    const end = performance.now() + 300
    while (performance.now() < end) await new Promise(setImmediate)
    assert.ok(app.memoryUsage().eventLoopUtilized > 0.9, `${app.memoryUsage().eventLoopUtilized}`)
    await until(() => !app.isUnderPressure(), 2_000)
  })

  test('3: with an interval, status checks decide nothing but their own answer', async () => {
    let healthy = true
    const app = await start({
      healthCheck: async () => healthy,
      healthCheckInterval: 100_000,
      exposeStatusRoute: true,
    })
    healthy = false
    assert.equal((await app.inject('/status')).statusCode, 503)
    assert.equal((await app.inject('/')).statusCode, 200)
  })

  test('3: the status route passes no other check', async () => {
    const app = await start({
      ...overloaded,
      healthCheck: async () => false,
      exposeStatusRoute: true,
    })
    await sampled(app)
    const types = []
    const other = await start({
      ...overloaded,
      healthCheck: async () => false,
      exposeStatusRoute: true,
      pressureHandler: (_request, reply, type) => {
        types.push(type)
        reply.send('shed')
      },
    })
    assert.equal((await app.inject('/status')).statusCode, 503)
    await sampled(other)
    assert.equal((await other.inject('/status')).body, 'shed')
    assert.deepEqual(types, ['heapUsedBytes'])
  })

  test('4: a status check that says no is logged once, one that throws with its error', async () => {
    const log = []
    let check = async () => true
    const app = await start({ healthCheck: () => check(), exposeStatusRoute: true }, { log })
    check = async () => false
    assert.equal((await app.inject('/status')).statusCode, 503)
    const own = log.filter(({ msg }) => /^external health/.test(msg))
    assert.deepEqual(
      own.map(({ msg }) => msg),
      ['external health check failed'],
    )
    log.length = 0
    check = async () => {
      throw new Error('no database')
    }
    const response = await app.inject('/status')
    assert.equal(response.statusCode, 503)
    assert.equal(response.json().message, 'Service Unavailable')
    const thrown = log.filter(({ msg }) => /^external health/.test(msg))
    assert.deepEqual(
      thrown.map(({ msg, err }) => [msg, err.message]),
      [['external health check failed with error', 'no database']],
    )
  })

  test('5: the error of a check in the background is in the log', async () => {
    const log = []
    await start(
      {
        healthCheck: async () => {
          throw new Error('no database')
        },
        healthCheckInterval: 1_000,
      },
      { log },
    )
    assert.equal(log.length, 1)
    assert.match(log[0].msg, /`under-pressure` threw an error. setting the service status/)
    assert.equal(log[0].err.message, 'no database')
  })

  test('6: whatever has a `then` is waited for', async () => {
    // biome-ignore lint/suspicious/noThenProperty: it is what is tested
    const thenable = { then: resolve => void setTimeout(resolve, 20, 'ignored') }
    const app = await start({ ...overloaded, pressureHandler: () => thenable })
    await sampled(app)
    assert.deepEqual((await app.inject('/')).json(), { hello: 'world' })
  })

  test('7: an error instance is what requests are refused with', async () => {
    const customError = Object.assign(new Error('mine'), { statusCode: 529, code: 'MINE' })
    const app = await start({ ...overloaded, customError })
    await sampled(app)
    const response = await app.inject('/')
    assert.equal(response.statusCode, 529)
    assert.equal(response.json().code, 'MINE')
  })

  test('8: each refused request has an error of its own', async () => {
    class Busy extends Error {
      statusCode = 503
    }
    for (const customError of [undefined, Busy]) {
      const seen = new Set()
      const app = await start(
        { ...overloaded, customError },
        {
          routes: app =>
            app.setErrorHandler((error, _request, reply) => {
              assert.ok(error instanceof (customError ?? Error))
              assert.equal(error.seen, undefined)
              error.seen = true
              seen.add(error)
              reply.send(error)
            }),
        },
      )
      await sampled(app)
      for (let i = 0; i < 3; i++) assert.equal((await app.inject('/')).statusCode, 503)
      assert.equal(seen.size, 3)
    }
  })

  test('8: a class that cannot be constructed is known at the start; later it hides no 503', async () => {
    class Broken extends Error {
      constructor() {
        super()
        throw new Error('broken')
      }
    }
    await assert.rejects(start({ ...overloaded, customError: Broken }), /broken/)
    let count = 0
    class Once extends Error {
      statusCode = 503
      constructor() {
        super('once')
        if (++count > 1) throw new Error('broken')
      }
    }
    const app = await start({ ...overloaded, customError: Once })
    await sampled(app)
    assert.equal((await app.inject('/')).json().message, 'once')
  })

  test('9: `retryAfter: 0` is 0', async () => {
    const app = await start({ ...overloaded, retryAfter: 0 })
    await sampled(app)
    assert.equal((await app.inject('/')).headers['retry-after'], '0')
  })

  test('10: the options stay as they were given', async () => {
    const options = Object.freeze({ exposeStatusRoute: true })
    await start(options)
    assert.deepEqual(options, { exposeStatusRoute: true })
  })

  test('11: nothing runs on after the app is closed', async () => {
    const app = await start({
      sampleInterval: 10,
      healthCheck: async () => true,
      healthCheckInterval: 10,
    })
    await sampled(app)
    await app.close()
    const usage = app.memoryUsage()
    await wait(50)
    assert.deepEqual(app.memoryUsage(), usage)
  })

  test('11: a check that ends after the app was closed starts no other', async () => {
    let calls = 0
    let release
    const app = await start({
      healthCheck: () => (++calls === 2 ? new Promise(resolve => (release = resolve)) : true),
      healthCheckInterval: 10,
    })
    await until(() => calls === 2)
    await app.close()
    release(true)
    await wait(50)
    assert.equal(calls, 2)
  })

  test('12: a check that hangs fails when its time is up, is told, and is not asked again', async () => {
    const log = []
    let hang = false
    let calls = 0
    let signal
    let release
    const app = await start(
      {
        healthCheck: (_fastify, given) => {
          calls++
          signal = given
          return hang ? new Promise(resolve => (release = resolve)) : Promise.resolve(true)
        },
        healthCheckInterval: 10,
        healthCheckTimeout: 30,
      },
      { log },
    )
    assert.equal(app.isUnderPressure(), false)
    hang = true
    await until(() => app.isUnderPressure())
    assert.equal(signal.aborted, true)
    assert.match(log[0].err.message, /took longer than 30ms/)
    const then = calls
    await wait(60)
    assert.equal(calls, then)
    hang = false
    release(true)
    await until(() => !app.isUnderPressure())
  })

  test('12: without a time limit the check gets the instance alone', async () => {
    let given
    const app = await start({
      healthCheck: async (...args) => {
        given = args
        return true
      },
      healthCheckInterval: 1_000,
    })
    assert.equal(given.length, 1)
    assert.equal(given[0], app)
  })

  test('12: a first check that hangs no longer keeps the server from starting', async () => {
    const app = await start({
      healthCheck: () => new Promise(() => {}),
      healthCheckInterval: 1_000,
      healthCheckTimeout: 20,
    })
    assert.equal((await app.inject('/')).statusCode, 503)
  })

  test('12: a check whose answer was lost is given up after a minute', async t => {
    const { now } = performance
    let ahead = 0
    t.mock.method(performance, 'now', () => now.call(performance) + ahead)
    let calls = 0
    const app = await start({
      healthCheck: () => (++calls === 1 ? new Promise(() => {}) : true),
      healthCheckInterval: 10,
      healthCheckTimeout: 20,
    })
    await wait(100)
    assert.deepEqual([calls, app.isUnderPressure()], [1, true])
    ahead = 61_000
    await until(() => calls > 1 && !app.isUnderPressure())
  })

  test('13: what is asserted is asserted before anything runs', () => {
    for (const options of ['{ healthCheck: 1 }', '{ healthCheck: async () => true }']) {
      const { stdout, stderr } = inChild(`
        const hooks = require('node:perf_hooks')
        let used = 0
        const { monitorEventLoopDelay } = hooks
        hooks.monitorEventLoopDelay = (...args) => (used++, monitorEventLoopDelay(...args))
        const app = require('fastify')()
        app.register(require('seawall/fastify'), ${options})
        app.ready().then(
          () => console.log('ready'),
          ({ name, code, message }) => console.log(JSON.stringify({ name, code, message, used })),
        )`)
      const { name, code, message, used } = JSON.parse(stdout || stderr)
      assert.equal(name, 'AssertionError')
      assert.equal(code, 'ERR_ASSERTION')
      assert.equal(used, 0)
      assert.match(message, /^opts\.healthCheck (should be a function that|requires opts\.)/)
    }
  })
})

describe('a real server', () => {
  test('requests that wait while the loop is blocked meet the sample first', async () => {
    const app = await start({ maxEventLoopDelay: 15, sampleInterval: 1_000 })
    await app.listen({ port: 0, host: '127.0.0.1' })
    const { port } = app.server.address()
    const request = require('node:http').get({ port, host: '127.0.0.1', agent: false })
    const end = performance.now() + 1_500
    while (performance.now() < end);
    const [response] = await once(request, 'response')
    response.resume()
    assert.equal(response.statusCode, 503)
  })
})

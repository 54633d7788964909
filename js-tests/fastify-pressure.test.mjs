// What `seawall/fastify` can beyond the plugin whose place it takes: refusing by a monitor,
// maintenance, dry runs, and saying so.
import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import Fastify from 'fastify'
import Fastify4 from 'fastify4'
import underPressure from 'seawall/fastify'
import { PressureMonitor } from 'seawall/pressure'
import { until } from './fastify-tools.mjs'

const open = []
afterEach(async () => {
  for (const app of open.splice(0)) await app.close()
})

async function start(options, { make = Fastify, log, routes = () => {} } = {}) {
  const app = make({
    forceCloseConnections: true,
    ...(log && {
      logger: { level: 'info', stream: { write: line => log.push(JSON.parse(line)) } },
    }),
  })
  open.push(app)
  app.register(underPressure, options)
  app.get('/', async () => ({ hello: 'world' }))
  app.get('/open', { config: { pressure: false } }, async () => 'open')
  app.get('/low', { config: { pressure: { priority: 'veryLow' } } }, async () => 'low')
  app.get('/high', { config: { pressure: { priority: 'veryHigh' } } }, async () => 'high')
  routes(app)
  await app.ready()
  return app
}

const code = async (app, url = '/', headers = {}) => (await app.inject({ url, headers })).statusCode

/** Monitors of signals that a test sets. */
function manual(options = {}) {
  const monitor = new PressureMonitor({ source: 'manual', seed: 1, ...options })
  return { monitor, see: signals => monitor.observe(signals) }
}

for (const [name, make] of [
  ['Fastify 5', Fastify],
  ['Fastify 4', Fastify4],
]) {
  describe(name, () => {
    test('a monitor refuses as the plugin does, and says why where it is asked to', async () => {
      const { monitor, see } = manual()
      const shed = []
      const errors = []
      const app = await start(
        {
          pressure: monitor,
          shed: { exposeSignal: true, forwardErrors: true },
          onShed: (event, request) => shed.push([event, request.url]),
        },
        {
          make,
          routes: app =>
            app.addHook('onError', async (_request, _reply, error) => errors.push(error)),
        },
      )
      assert.equal(app.pressureMonitor, monitor)
      assert.equal(app.isUnderPressure(), false)
      assert.equal(await code(app), 200)
      see({ block: 1_000 })
      assert.equal(app.isUnderPressure(), true)
      const response = await app.inject('/')
      assert.equal(response.statusCode, 503)
      assert.equal(response.headers['x-pressure'], 'block')
      assert.deepEqual(response.json(), {
        statusCode: 503,
        code: 'FST_UNDER_PRESSURE',
        error: 'Service Unavailable',
        message: 'Service Unavailable',
      })
      assert.deepEqual(shed, [[{ type: 'block', value: 1_000, dryRun: false }, '/']])
      assert.equal(await code(app), 503)
      assert.notEqual(errors[0], errors[1])
      assert.equal(await code(app, '/open'), 200)
      assert.equal(await code(app, '/high'), 200)
      monitor[Symbol.dispose]()
    })

    test('maintenance: everything but probes, and no handler is asked', async () => {
      const app = await start(
        {
          maintenance: false,
          exposeStatusRoute: true,
          pressureHandler: () => {
            throw new Error('asked')
          },
        },
        { make },
      )
      assert.equal(await code(app), 200)
      app.setMaintenance(true)
      assert.equal(app.isUnderPressure(), true)
      const response = await app.inject('/')
      assert.equal(response.statusCode, 503)
      assert.equal(response.headers['retry-after'], '10')
      assert.equal(await code(app, '/high'), 503)
      assert.equal(await code(app, '/nowhere'), 503)
      assert.equal(await code(app, '/open'), 200)
      assert.equal(await code(app, '/status'), 200)
      app.setMaintenance(false)
      assert.equal(await code(app), 200)
    })
  })
}

describe('a monitor', () => {
  test('the less important requests go first', async () => {
    const { monitor, see } = manual({ blockMs: { soft: 100, hard: 300 } })
    const app = await start({ pressure: monitor })
    see({ block: 150 })
    const refused = { '/low': 0, '/': 0, '/high': 0 }
    for (let i = 0; i < 40; i++) {
      for (const url of Object.keys(refused)) if ((await code(app, url)) === 503) refused[url]++
    }
    assert.ok(refused['/low'] > 0 && refused['/low'] > refused['/'], JSON.stringify(refused))
    assert.equal(refused['/high'], 0)
    see({ block: 300 })
    assert.equal(await code(app, '/'), 503)
    assert.equal(await code(app, '/high'), 200)
    monitor[Symbol.dispose]()
  })

  test('a priority of the option, of the request itself, and of the route before both', async () => {
    const { monitor, see } = manual()
    const function_ = await start({
      pressure: monitor,
      shed: { priority: request => (request.headers.vip ? 'veryHigh' : 'low') },
    })
    const headers = await start({ pressure: monitor, shed: { priority: 'headers' } })
    see({ block: 1_000 })
    assert.equal(await code(function_), 503)
    assert.equal(await code(function_, '/', { vip: '1' }), 200)
    assert.equal(await code(function_, '/low', { vip: '1' }), 503)
    assert.equal(await code(headers), 503)
    assert.equal(await code(headers, '/', { 'x-failsafe-level': '499' }), 200)
    assert.equal(await code(headers, '/', { 'x-failsafe-level': '1' }), 503)
    assert.equal(await code(headers, '/', { 'x-failsafe-priority': 'CRITICAL_PLUS' }), 200)
    assert.equal(await code(headers, '/low', { 'x-failsafe-level': '499' }), 503)
    monitor[Symbol.dispose]()
  })

  test('options make a monitor, which the server that closes disposes of', async () => {
    let block = 0
    const app = await start({
      pressure: {
        blockMs: { soft: 50, hard: 100 },
        source: () => ({ block }),
        sampleIntervalMs: 10,
        bypass: ['/'],
      },
    })
    const { pressureMonitor } = app
    block = 500
    await until(() => app.isUnderPressure())
    assert.equal(await code(app), 200)
    assert.equal(await code(app, '/low'), 503)
    await app.close()
    assert.throws(() => pressureMonitor.explain(), { code: 'SEAWALL_DISPOSED' })
  })

  test('one that was given stays', async () => {
    const { monitor } = manual()
    const app = await start({ pressure: monitor })
    await app.close()
    assert.equal(monitor.explain().level, 'normal')
    monitor[Symbol.dispose]()
  })

  test('what it refuses is answered at once, or by error handlers where that is asked for', async () => {
    const { monitor, see } = manual()
    class Busy extends Error {
      statusCode = 503
    }
    const routes = app => app.setErrorHandler((_error, _request, reply) => reply.send('handled'))
    const options = { pressure: monitor, message: 'Later, täglich' }
    const atOnce = await start(options, { routes })
    const forwarding = await start({ ...options, shed: { forwardErrors: true } }, { routes })
    const custom = await start({ ...options, customError: Busy }, { routes })
    const plain = await start({ ...options, shed: { forwardErrors: true } })
    see({ block: 1_000 })
    const response = await atOnce.inject({ url: '/', method: 'POST', payload: { a: 1 } })
    assert.equal((await forwarding.inject('/')).body, 'handled')
    assert.equal((await custom.inject('/')).body, 'handled')
    const { date, 'retry-after': retryAfter, ...headers } = response.headers
    const usual = await plain.inject('/')
    assert.equal(response.body, usual.body)
    for (const name of ['content-type', 'content-length']) {
      assert.equal(headers[name], usual.headers[name])
    }
    monitor[Symbol.dispose]()
  })

  test('options nobody knows are refused when the server starts', async () => {
    await assert.rejects(start({ pressure: { blokMs: false } }), {
      code: 'SEAWALL_INVALID_OPTION',
      message: /blokMs/,
    })
    await assert.rejects(start({ pressure: { blockMs: { soft: 9, hard: 1 } } }), {
      code: 'SEAWALL_INVALID_OPTION',
    })
  })

  test('handlers are told the signal; what they let through is served', async () => {
    const { monitor, see } = manual()
    const seen = []
    const app = await start({
      pressure: monitor,
      pressureHandler: (_request, _reply, type, value) => {
        seen.push([type, value])
        return seen.length > 1 ? 'handled' : undefined
      },
    })
    see({ heapUsed: 99, heapLimit: 100 })
    assert.deepEqual((await app.inject('/')).json(), { hello: 'world' })
    assert.equal((await app.inject('/')).body, 'handled')
    assert.deepEqual(seen, [
      ['heapUsed', 99],
      ['heapUsed', 99],
    ])
    monitor[Symbol.dispose]()
  })

  test('the maintenance of the monitor spares probes too', async () => {
    const { monitor } = manual()
    const app = await start({ pressure: monitor, exposeStatusRoute: true })
    monitor.setMaintenance(true)
    assert.equal(await code(app), 503)
    assert.equal(await code(app, '/high'), 503)
    assert.equal(await code(app, '/status'), 200)
    assert.equal(await code(app, '/open'), 200)
    monitor.setMaintenance(false)
    assert.equal(await code(app), 200)
    monitor[Symbol.dispose]()
  })

  test('the status route is refused unless it is said that it is not', async () => {
    const { monitor, see } = manual()
    const shed = await start({ pressure: monitor, exposeStatusRoute: true })
    const open = await start({ pressure: monitor, exposeStatusRoute: { shed: false } })
    see({ block: 1_000 })
    assert.equal(await code(shed, '/status'), 503)
    assert.equal(await code(open, '/status'), 200)
    assert.equal(await code(open), 503)
    monitor[Symbol.dispose]()
  })

  test('requests under way are counted, those cut off and those refused too', async () => {
    const { monitor, see } = manual({ inFlight: { soft: 1, hard: 2 } })
    let release
    const app = await start(
      { pressure: monitor },
      {
        routes: app =>
          app.get('/slow', () => new Promise(resolve => (release = () => resolve('slow')))),
      },
    )
    await app.listen({ port: 0, host: '127.0.0.1' })
    const base = `http://127.0.0.1:${app.server.address().port}`
    const slow = fetch(`${base}/slow`)
    await until(() => monitor.inFlight === 1)
    see({ inFlight: 5 })
    assert.equal((await fetch(base)).status, 503)
    await until(() => {
      see({ inFlight: 0 })
      return monitor.isCalm
    })
    release()
    await (await slow).text()
    await until(() => monitor.inFlight === 0)
    const controller = new AbortController()
    const cut = fetch(`${base}/slow`, { signal: controller.signal })
    await until(() => monitor.inFlight === 1)
    controller.abort()
    await assert.rejects(cut)
    await until(() => monitor.inFlight === 0)
    monitor[Symbol.dispose]()
  })

  test('limits of old go before the monitor, and pass on what they let through', async () => {
    const { monitor, see } = manual()
    const types = []
    const app = await start({
      pressure: monitor,
      maxRssBytes: 1,
      sampleInterval: 10,
      onShed: ({ type }) => types.push(type),
    })
    await until(() => app.isUnderPressure())
    assert.equal(await code(app), 503)
    assert.equal(await code(app, '/open'), 200)
    see({ block: 1_000 })
    assert.equal(await code(app, '/open'), 200)
    assert.deepEqual(types, ['rssBytes'])
    monitor[Symbol.dispose]()
  })
})

describe('what is told', () => {
  test('a dry run lets everybody in and tells of those who would not have been', async () => {
    const events = []
    const onShed = ({ type, dryRun }) => events.push([type, dryRun])
    let block = 0
    const app = await start({
      dryRun: true,
      maintenance: false,
      maxRssBytes: 1,
      sampleInterval: 10,
      onShed,
      pressure: { source: () => ({ block }), sampleIntervalMs: 10 },
    })
    block = 1_000
    await until(() => app.memoryUsage().rssBytes > 0 && !app.pressureMonitor.isCalm)
    assert.equal(await code(app), 200)
    assert.deepEqual(events, [
      ['rssBytes', true],
      ['block', true],
    ])
    app.setMaintenance(true)
    assert.equal(await code(app), 503)
  })

  test('an `onShed` that throws changes no answer', async () => {
    const warnings = []
    const listener = warning => warnings.push(warning.message)
    process.on('warning', listener)
    const app = await start({
      maintenance: true,
      onShed: () => {
        throw new Error('told wrong')
      },
    })
    assert.equal(await code(app), 503)
    await wait(10)
    process.off('warning', listener)
    assert.match(warnings.join('\n'), /`onShed`.*told wrong/s)
  })

  test('the log says when pressure begins and ends, once', async () => {
    const log = []
    let block = 0
    const app = await start(
      {
        logPressure: true,
        maintenance: false,
        pressure: { source: () => ({ block }), sampleIntervalMs: 10 },
      },
      { log },
    )
    const ours = () => log.filter(({ msg }) => /pressure$/.test(msg))
    block = 1_000
    await until(() => ours().length === 1)
    assert.equal(ours()[0].msg, 'under pressure')
    assert.equal(ours()[0].signal, 'block')
    block = 0
    await until(() => /no longer/.test(ours().at(-1).msg))
    log.length = 0
    app.setMaintenance(true)
    app.setMaintenance(true)
    app.setMaintenance(false)
    assert.deepEqual(
      ours().map(({ msg, type }) => [msg, type]),
      [
        ['under pressure', 'maintenance'],
        ['no longer under pressure', undefined],
      ],
    )
  })

  test('`Retry-After` is drawn where that is asked for', async () => {
    const app = await start({ maintenance: true, retryAfter: 10, retryAfterJitter: true })
    const seen = new Set()
    for (let i = 0; i < 60; i++) seen.add(Number((await app.inject('/')).headers['retry-after']))
    assert.ok(seen.size > 3, [...seen].join())
    for (const seconds of seen) assert.ok(seconds >= 10 && seconds <= 20, `${seconds}`)
  })

  test('without the new options there is nothing new to see', async () => {
    const app = await start({ maxRssBytes: 1 })
    for (const name of ['pressureMonitor', 'setMaintenance'])
      assert.equal(app.hasDecorator(name), false)
  })
})

describe('measured', () => {
  const long = process.env.SEAWALL_LONG === '1'
  // `heap` and the kernel's word are left out: the machine is shared.
  const own = {
    cpuStall: false,
    memoryStall: false,
    cpuThrottled: false,
    memory: false,
    heap: false,
  }

  test('a blocked loop trips at once, and is over soon after', async () => {
    const app = await start({ pressure: { ...own, utilization: false } })
    // What was before, tests that ran and modules that were loaded, is measured for a second.
    await wait(300)
    await until(() => !app.isUnderPressure())
    let tripped = 0
    const stop = app.pressureMonitor.on('change', ({ level }) => {
      if (level !== 'normal') tripped++
    })
    const end = performance.now() + 600
    while (performance.now() < end);
    await until(() => tripped > 0 || app.isUnderPressure(), 1_000)
    await until(() => !app.isUnderPressure(), 3_000)
    stop()
  })

  test('busy after it idled trips within 2 s, idle after it was busy is calm within 2 s', async () => {
    const app = await start({
      pressure: { ...own, blockMs: false, delayMs: false },
      maxEventLoopUtilization: 0.9,
      eventLoopUtilizationMode: 'interval',
      sampleInterval: 500,
    })
    const work = async (ms, done) => {
      const end = performance.now() + ms
      while (performance.now() < end && !done()) {
        const slice = performance.now() + 5
        while (performance.now() < slice);
        await new Promise(setImmediate)
      }
    }
    await wait(long ? 20_000 : 1_000)
    await until(() => !app.isUnderPressure())
    await work(2_000, () => !app.pressureMonitor.isCalm)
    assert.equal(app.pressureMonitor.isCalm, false, 'the monitor saw nothing within 2 s')
    await work(2_000, () => app.memoryUsage().eventLoopUtilized > 0.9)
    assert.ok(app.memoryUsage().eventLoopUtilized > 0.9)
    await work(long ? 8_000 : 0, () => false)
    await until(() => !app.isUnderPressure(), 2_000)
  })
})

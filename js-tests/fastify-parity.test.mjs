// The same scenes played with @fastify/under-pressure 9.2.0 and with seawall/fastify: everything
// that can be seen and is no mended defect must be the same, down to the order of keys and log lines.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import original from '@fastify/under-pressure'
import Fastify from 'fastify'
import ours from 'seawall/fastify'
import { until } from './fastify-tools.mjs'

/** What a client sees of a response, but for the date. */
function visible({ statusCode, headers, body }) {
  const { date, ...rest } = headers
  return { statusCode, headers: rest, body, date: typeof date }
}

/** Log lines without what differs from run to run. */
function logged(line) {
  const { time, pid, hostname, reqId, responseTime, err, ...rest } = JSON.parse(line)
  return { ...rest, ...(err && { err: { type: err.type, message: err.message, code: err.code } }) }
}

/** Plays a scene with both and compares what it returns and what was logged meanwhile. */
function same(title, scene) {
  test(title, async () => {
    const results = []
    for (const plugin of [original, ours]) {
      const log = []
      const seen = []
      const app = Fastify({
        logger: { level: 'info', stream: { write: line => log.push(logged(line)) } },
      })
      app.get('/', async () => ({ hello: 'world' }))
      let outcome
      try {
        outcome = await scene(app, plugin, (...what) => seen.push(what))
      } catch (error) {
        outcome = { thrown: { name: error.name, code: error.code, message: error.message } }
      } finally {
        await app.close()
      }
      results.push({ outcome, seen, log })
    }
    assert.deepEqual(results[1], results[0])
  })
}

const sampled = app => until(() => app.memoryUsage().rssBytes > 0)
const limits = {
  maxHeapUsedBytes: 'heapUsedBytes',
  maxRssBytes: 'rssBytes',
  maxEventLoopUtilization: 'eventLoopUtilization',
}

async function ready(app, plugin, options) {
  app.register(plugin, options)
  await app.ready()
}

/** A limit that any process is over. */
async function over(app, plugin, options = {}) {
  await ready(app, plugin, { maxRssBytes: 1, sampleInterval: 20, ...options })
  await sampled(app)
}

const get = async (app, url = '/', more = {}) => visible(await app.inject({ url, ...more }))

same('what the module is', (_app, plugin) => ({
  type: Object.prototype.toString.call(plugin),
  name: plugin.name,
  length: plugin.length,
  keys: Object.keys(plugin),
  constants: Object.entries(plugin).filter(([, value]) => typeof value === 'string'),
  itself: Object.values(plugin).filter(value => value === plugin).length,
  skipOverride: plugin[Symbol.for('skip-override')],
  displayName: plugin[Symbol.for('fastify.display-name')],
  pluginName: plugin[Symbol.for('plugin-meta')].name,
}))

same('without options', async (app, plugin) => {
  await ready(app, plugin)
  const usage = app.memoryUsage()
  return { usage, keys: Object.keys(usage), is: app.isUnderPressure(), root: await get(app) }
})

same('decorators', async (app, plugin) => {
  await ready(app, plugin)
  return [app.hasDecorator('memoryUsage'), app.hasDecorator('isUnderPressure')]
})

for (const [option, type] of Object.entries(limits)) {
  same(`${option}: refusals, routes, the handler's arguments`, async (app, plugin, see) => {
    app.get(
      '/route',
      {
        config: {
          pressureHandler(request, reply, type, value) {
            see(request.url, typeof reply.send, type, typeof value, value > 0)
            return { from: 'route' }
          },
        },
      },
      async () => 'served',
    )
    await ready(app, plugin, { [option]: 1e-9, sampleInterval: 20, retryAfter: 7 })
    const before = [await get(app), app.isUnderPressure()]
    await until(() => app.isUnderPressure())
    assert.equal(plugin[`TYPE_${type.replace(/[A-Z]/g, c => `_${c}`).toUpperCase()}`], type)
    return [
      before,
      await get(app),
      await get(app, '/route'),
      await get(app, '/nowhere'),
      await get(app, '/', { method: 'HEAD' }),
      await get(app, '/', { method: 'POST', payload: { a: 1 } }),
    ]
  })
}

same('values of 0, below it, null and NaN are no limits', async (app, plugin) => {
  await ready(app, plugin, {
    maxRssBytes: 0,
    maxHeapUsedBytes: -1,
    maxEventLoopDelay: null,
    maxEventLoopUtilization: Number.NaN,
    sampleInterval: 20,
  })
  await sampled(app)
  return [app.isUnderPressure(), await get(app)]
})

for (const retryAfter of [undefined, 1, 50, 1.5, '20']) {
  same(`retryAfter ${retryAfter}`, async (app, plugin) => {
    await over(app, plugin, { retryAfter })
    return get(app)
  })
}

for (const message of [undefined, 'Too much', 'a % and %s and %%']) {
  same(`message ${message}`, async (app, plugin) => {
    await over(app, plugin, { message })
    return get(app)
  })
}

same('the error, as an error handler and an onError hook see it', async (app, plugin, see) => {
  const describe = error => ({
    text: String(error),
    tag: Object.prototype.toString.call(error),
    is: error instanceof Error,
    keys: Object.keys(error),
    json: JSON.stringify(error),
    name: error.name,
    constructor: error.constructor.name,
    stack: typeof error.stack,
  })
  app.addHook('onError', async (_request, _reply, error) => see('hook', describe(error).text))
  app.setErrorHandler((error, _request, reply) => {
    see(describe(error))
    reply.code(error.statusCode).send(error)
  })
  await over(app, plugin)
  return get(app)
})

same('a class of errors', async (app, plugin) => {
  class Teapot extends Error {
    constructor() {
      super('short and stout')
      this.statusCode = 418
      this.code = 'FST_TEAPOT'
    }
  }
  await over(app, plugin, { customError: Teapot })
  return get(app)
})

const handlers = {
  nothing: () => {},
  null: () => null,
  false: () => false,
  zero: () => 0,
  text: () => 'B',
  object: () => ({ busy: true }),
  'a promise': async () => 'ignored',
  'a late promise': async (_request, reply) => {
    await wait(20)
    reply.code(429).send('later')
  },
  'a rejection': async () => {
    throw new Error('rejected')
  },
  'a rejection without reason': () => Promise.reject(undefined),
  'a throw': () => {
    throw new Error('thrown')
  },
  'a reply': (_request, reply) => {
    reply.code(202).send('sent')
  },
  'no function': 'not a function',
}
for (const [name, pressureHandler] of Object.entries(handlers)) {
  same(`pressureHandler: ${name}`, async (app, plugin) => {
    await over(app, plugin, { pressureHandler })
    return get(app)
  })
  same(`pressureHandler of a route: ${name}`, async (app, plugin) => {
    app.get('/route', { config: { pressureHandler } }, async () => 'served')
    await over(app, plugin, { pressureHandler: () => 'from the option' })
    return get(app, '/route')
  })
}

const checks = {
  true: async () => true,
  false: async () => false,
  'an object': async () => ({ status: 'fine', more: 1, hidden: 2 }),
  'an empty object': async () => ({}),
  'not a promise': () => true,
  text: async () => 'yes',
  undefined: async () => undefined,
}
for (const [name, healthCheck] of Object.entries(checks)) {
  same(`healthCheck: ${name}`, async (app, plugin, see) => {
    const calls = []
    await ready(app, plugin, {
      healthCheck: (...args) => {
        calls.push(args.length, args[0] === app)
        return healthCheck()
      },
      healthCheckInterval: 100_000,
      pressureHandler: (_request, reply, type, value) => {
        see(type, value)
        reply.code(503).send('unhealthy')
      },
    })
    return [app.isUnderPressure(), await get(app), calls]
  })
  if (name === 'false' || name === 'undefined') continue
  same(`healthCheck and status route: ${name}`, async (app, plugin) => {
    await ready(app, plugin, {
      healthCheck,
      exposeStatusRoute: { url: '/s', routeResponseSchemaOpts: { more: { type: 'number' } } },
    })
    return [
      await get(app, '/s'),
      await get(app, '/s', { method: 'HEAD' }),
      await get(app, '/status'),
    ]
  })
}

same('a status check that throws', async (app, plugin) => {
  let broken = false
  await ready(app, plugin, {
    healthCheck: async () => {
      if (broken) throw new Error('no database')
      return true
    },
    healthCheckInterval: 100_000,
    exposeStatusRoute: true,
    retryAfter: 3,
  })
  broken = true
  return [await get(app, '/status'), await get(app)]
})

same('checks follow one another, none overlaps', async (app, plugin) => {
  let running = 0
  let most = 0
  let calls = 0
  await ready(app, plugin, {
    healthCheck: async () => {
      calls++
      most = Math.max(most, ++running)
      await wait(15)
      running--
      return true
    },
    healthCheckInterval: 1,
  })
  assert.equal(calls, 1)
  await until(() => calls > 3)
  return most
})

const schema = { hide: true, tags: ['probe'] }
const routes = {
  true: true,
  'a path': '/v2/status',
  'an empty object': {},
  'all of it': {
    url: '/alive',
    routeOpts: {
      logLevel: 'silent',
      config: { a: 1 },
      url: '/not/this',
      method: 'POST',
      schema: {},
      handler: () => {},
    },
    routeSchemaOpts: schema,
    routeResponseSchemaOpts: { extra: { type: 'string' } },
  },
  'answers of its own': {
    routeSchemaOpts: {
      ...schema,
      response: {
        200: { description: 'well', properties: { more: { type: 'number' } } },
        503: { type: 'object', properties: { ok: { type: 'boolean' } } },
        418: { type: 'string' },
      },
    },
    routeResponseSchemaOpts: { extra: { type: 'string' } },
  },
}
for (const [name, exposeStatusRoute] of Object.entries(routes)) {
  same(`exposeStatusRoute: ${name}`, async (app, plugin, see) => {
    app.addHook('onRoute', route => {
      see(route.method, route.url, route.logLevel, route.schema, route.config)
      see(route.config === exposeStatusRoute?.routeOpts?.config)
    })
    const given =
      typeof exposeStatusRoute === 'object' ? { ...exposeStatusRoute } : exposeStatusRoute
    await ready(app, plugin, { exposeStatusRoute: given })
    const url = given.url ?? (typeof given === 'string' ? given : '/status')
    return [await get(app, url), app.hasRoute({ method: 'GET', url })]
  })
}

same('the status route is refused like any other', async (app, plugin) => {
  await over(app, plugin, { exposeStatusRoute: true })
  return get(app, '/status')
})

for (const options of [
  { healthCheck: 1 },
  { healthCheck: {} },
  { healthCheck: async () => true },
]) {
  same(`refused: ${Object.keys(options)} ${typeof options.healthCheck}`, (app, plugin) =>
    ready(app, plugin, options),
  )
}

same('twice in one scope', async (app, plugin) => {
  app.register(plugin)
  await ready(app, plugin)
})

same('a child, its sibling and their parent', async (app, plugin) => {
  const children = []
  const child = options => async instance => {
    children.push(instance)
    instance.register(plugin, options)
    instance.get('/', async () => instance.isUnderPressure())
  }
  app.register(child({ maxRssBytes: 1, sampleInterval: 20 }), { prefix: '/over' })
  app.register(child({ maxRssBytes: 1e15, sampleInterval: 20 }), { prefix: '/under' })
  await ready(app, plugin, {})
  await until(() => children.some(instance => instance.isUnderPressure()))
  return [await get(app, '/over'), await get(app, '/under'), await get(app)]
})

same('another plugin may name it as what it needs', async (app, plugin) => {
  app.register(plugin)
  const needing = Object.assign(async () => {}, {
    [Symbol.for('skip-override')]: true,
    [Symbol.for('plugin-meta')]: { name: 'needing', dependencies: ['@fastify/under-pressure'] },
  })
  app.register(needing)
  await app.ready()
  return [app.hasPlugin('@fastify/under-pressure'), app.printPlugins().replace(/ \d+ ms/g, '')]
})

// Idempotency keys on the side of the server: the rules, and the two frameworks.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import express from 'express'
import Fastify from 'fastify'
import { OptionError } from 'seawall'
import { resilientFetch } from 'seawall/http'
import { expressIdempotency, fastifyIdempotency, idempotency } from 'seawall/idempotency'
import { memoryStore } from 'seawall/stores'
import { VirtualClock } from 'seawall/testing'

const text = bytes => Buffer.from(bytes).toString()
const answerOf = (body, status = 201, headers = {}) => ({
  status,
  headers,
  body: Buffer.from(body),
})
const asked = (more = {}) => ({
  method: 'POST',
  path: '/orders',
  key: 'k1',
  body: '{"item":7}',
  ...more,
})

/** A rule with a count of what was processed. */
function counted(options) {
  const keys = idempotency(options)
  let count = 0
  return {
    keys,
    count: () => count,
    run: (request, process = async () => answerOf(`order ${count}`)) =>
      keys.run(asked(request), async () => {
        count++
        return process()
      }),
  }
}

test('the first is processed, repetitions get its answer and say so', async () => {
  const { run, count } = counted()
  const first = await run({}, async () =>
    answerOf('made', 201, { 'x-order': '7', 'set-cookie': 'a=1', date: 'now' }),
  )
  const again = await run()
  assert.equal(count(), 1)
  assert.equal(first.headers['Idempotent-Replayed'], undefined)
  assert.deepEqual([again.status, text(again.body)], [201, 'made'])
  assert.deepEqual(again.headers, { 'x-order': '7', 'Idempotent-Replayed': 'true' })
})

test('no key, and methods that need none: nothing happens', async () => {
  const { run, count } = counted()
  for (const request of [{ key: undefined }, { method: 'GET' }, { method: 'PUT' }]) {
    await run(request)
    await run(request)
  }
  assert.equal(count(), 6)
})

test('another body, method or path with the same key is refused with 422', async () => {
  const { run, count } = counted()
  await run()
  for (const other of [
    { body: '{"item":8}' },
    { method: 'PATCH' },
    { path: '/other' },
    { body: undefined },
  ]) {
    const answer = await run(other)
    assert.equal(answer.status, 422)
    assert.equal(answer.headers['content-type'], 'application/problem+json')
  }
  assert.equal(count(), 1)
})

test('another scope has keys of its own', async () => {
  const { run, count } = counted()
  await run({ scope: 'alice' })
  await run({ scope: 'bob' })
  assert.equal(count(), 2)
})

test('a quoted key is the same key', async () => {
  const { run, count } = counted()
  await run({ key: '"abc"' })
  await run({ key: 'abc' })
  assert.equal(count(), 1)
})

test('what is no key is refused with 400, and so is none where one is required', async () => {
  const { run, count } = counted({ required: true })
  for (const key of ['', 'with space', 'k'.repeat(256), undefined]) {
    assert.equal((await run({ key })).status, 400)
  }
  assert.equal((await run({ method: 'GET', key: undefined })).status, 201)
  assert.equal(count(), 1)
})

test('failures are not kept: 5xx, 429 and what is thrown give the key back', async () => {
  const { run, count } = counted()
  const broken = new Error('down')
  await assert.rejects(
    run({}, () => Promise.reject(broken)),
    broken,
  )
  assert.equal((await run({}, async () => answerOf('no', 503))).status, 503)
  assert.equal((await run({}, async () => answerOf('later', 429))).status, 429)
  assert.equal((await run()).status, 201)
  assert.equal(count(), 4)
  assert.equal((await run()).headers['Idempotent-Replayed'], 'true')
})

test('a 4xx is an answer and kept', async () => {
  const { run, count } = counted()
  await run({}, async () => answerOf('unknown item', 404))
  assert.equal((await run()).status, 404)
  assert.equal(count(), 1)
})

test('duplicates at the same time wait for the first', async () => {
  const { run, count } = counted()
  const gate = Promise.withResolvers()
  const began = Promise.withResolvers()
  const first = run({}, () => {
    began.resolve()
    return gate.promise
  })
  // The first to come need not be the first to have its hash.
  await began.promise
  const others = [run(), run(), run()]
  await new Promise(resolve => setTimeout(resolve, 60))
  gate.resolve(answerOf('made'))
  for (const answer of await Promise.all([first, ...others]))
    assert.equal(text(answer.body), 'made')
  assert.equal(count(), 1)
})

test('duplicates of one that fails: exactly one takes over', async () => {
  const { run, count } = counted()
  const gate = Promise.withResolvers()
  const began = Promise.withResolvers()
  const first = run({}, () => {
    began.resolve()
    return gate.promise
  })
  await began.promise
  const others = [run(), run(), run()]
  await new Promise(resolve => setTimeout(resolve, 30))
  gate.resolve(answerOf('no', 500))
  assert.equal((await first).status, 500)
  for (const answer of await Promise.all(others)) assert.equal(answer.status, 201)
  assert.equal(count(), 2)
})

test('a hundred duplicates at once are processed once', async () => {
  const { run, count } = counted()
  await Promise.all(Array.from({ length: 100 }, () => run()))
  assert.equal(count(), 1)
})

test('waiting ends with a 409, at once where there is no patience', async () => {
  const { run } = counted({ waitMs: 0 })
  const gate = Promise.withResolvers()
  const begun = Promise.withResolvers()
  const first = run({}, () => {
    begun.resolve()
    return gate.promise
  })
  await begun.promise
  const answer = await run()
  assert.equal(answer.status, 409)
  assert.equal(answer.headers['retry-after'], '1')
  gate.resolve(answerOf('made'))
  await first
})

test('expiry: an answer, and the lock of one that never ends', async () => {
  const clock = new VirtualClock()
  const { run, count } = counted({ clock, ttlMs: 1000, lockMs: 500, waitMs: 0 })
  await run()
  await clock.advance(999)
  await run()
  assert.equal(count(), 1)
  await clock.advance(1)
  await run()
  assert.equal(count(), 2)
  const lost = Promise.withResolvers()
  const begun = Promise.withResolvers()
  const stuck = run({ key: 'k2' }, () => {
    begun.resolve()
    return lost.promise
  })
  await begun.promise
  assert.equal((await run({ key: 'k2' })).status, 409)
  await clock.advance(500)
  const second = await run({ key: 'k2' }, async () => answerOf('second'))
  assert.equal(text(second.body), 'second')
  // The first ends at last, and must not put its answer over that of the second.
  lost.resolve(answerOf('first'))
  await stuck
  assert.equal(text((await run({ key: 'k2' })).body), 'second')
})

test('a failure after its lock has ended takes the key from nobody', async () => {
  const clock = new VirtualClock()
  const { run } = counted({ clock, lockMs: 500, waitMs: 5000 })
  const ends = [Promise.withResolvers(), Promise.withResolvers()]
  const hanging = end => {
    const begun = Promise.withResolvers()
    const answer = run({}, () => {
      begun.resolve()
      return end.promise
    })
    return begun.promise.then(() => ({ answer }))
  }
  const first = await hanging(ends[0])
  await clock.advance(500)
  const second = await hanging(ends[1])
  ends[0].reject(new Error('broken'))
  await assert.rejects(first.answer, /broken/)
  const third = run()
  // It has its hash, and waits for the second; the clock stands still.
  for (let i = 0; i < 50; i++) await new Promise(setImmediate)
  ends[1].resolve(answerOf('second'))
  await second.answer
  assert.equal(text((await third).body), 'second')
})

test('size bound: a long answer is not kept, and the request not carried out again', async () => {
  const { run, count } = counted({ maxBodyBytes: 10 })
  assert.equal((await run({}, async () => answerOf('x'.repeat(11)))).status, 201)
  const again = await run()
  assert.equal(again.status, 409)
  assert.equal(again.headers['retry-after'], undefined)
  assert.equal(count(), 1)
})

test('own store: the oldest go when it is full', async () => {
  const { run, count } = counted({ maxBodyBytes: 2 ** 23 })
  const large = async () => answerOf('x'.repeat(2 ** 22))
  for (let i = 0; i < 12; i++) await run({ key: `k${i}` }, large)
  await run({ key: 'k11' })
  assert.equal(count(), 12)
  await run({ key: 'k0' })
  assert.equal(count(), 13)
})

/** A store as two processes share it: every answer a copy, later. */
function remoteStore() {
  const entries = new Map()
  let last = 0
  const later = () => new Promise(resolve => setImmediate(resolve))
  return {
    calls: 0,
    async get(key) {
      await later()
      const entry = entries.get(key)
      return entry && { value: new Uint8Array(entry.value), token: entry.token }
    },
    async add(key, value) {
      await later()
      if (entries.has(key)) return false
      entries.set(key, { value: new Uint8Array(value), token: ++last })
      return true
    },
    async delete(key) {
      await later()
      return entries.delete(key)
    },
    async compareAndSet(key, token, value) {
      await later()
      if (entries.get(key)?.token !== token) return false
      entries.set(key, { value: new Uint8Array(value), token: ++last })
      return true
    },
  }
}

test('a store shared by processes: one processes, the others get its answer', async () => {
  const store = remoteStore()
  const processes = [counted({ store }), counted({ store }), counted({ store })]
  const answers = await Promise.all(
    processes.flatMap(({ run }) => [run(), run()]).map(async answer => text((await answer).body)),
  )
  assert.equal(new Set(answers).size, 1)
  assert.equal(
    processes.reduce((sum, { count }) => sum + count(), 0),
    1,
  )
})

test('a store that fails: unprotected, or refused, and heard of', async () => {
  const store = {
    get: () => Promise.reject(new Error('store is down')),
    add: () => Promise.reject(new Error('store is down')),
    delete: () => Promise.reject(new Error('store is down')),
    compareAndSet: () => Promise.reject(new Error('store is down')),
  }
  const heard = []
  const onError = error => heard.push(error.message)
  const open = counted({ store, onError })
  assert.equal((await open.run()).status, 201)
  const closed = counted({ store, onError, whenStoreFails: 'refuse' })
  assert.equal((await closed.run()).status, 503)
  assert.equal(closed.count(), 0)
  assert.deepEqual(heard, ['store is down', 'store is down'])
})

test('a store that fails at the end does not take the answer away', async () => {
  const store = remoteStore()
  let down = false
  const get = store.get
  store.get = key => (down ? Promise.reject(new Error('gone')) : get(key))
  const heard = []
  const { run } = counted({ store, onError: error => heard.push(error.message) })
  const answer = await run({}, async () => {
    down = true
    return answerOf('made')
  })
  assert.equal(text(answer.body), 'made')
  assert.deepEqual(heard, ['gone'])
})

test('a store that hangs counts as failed', async () => {
  const clock = new VirtualClock()
  const store = remoteStore()
  const asking = Promise.withResolvers()
  store.get = () => {
    asking.resolve()
    return new Promise(() => {})
  }
  const { run } = counted({ store, clock, storeTimeoutMs: 100, onError: () => {} })
  const answer = run()
  await asking.promise
  await new Promise(resolve => setImmediate(resolve))
  await clock.advance(100)
  assert.equal((await answer).status, 201)
})

test('an answer too large for the store: not kept, and the request not carried out again', async () => {
  const store = memoryStore({ maxBytes: 2000 })
  const { run, count } = counted({ store, waitMs: 0 })
  assert.equal((await run({}, async () => answerOf('x'.repeat(3000)))).status, 201)
  const again = await run()
  assert.equal(again.status, 409)
  assert.equal(again.headers['retry-after'], undefined, 'it is not to be tried again')
  assert.equal(count(), 1)
})

test('a store that was slow to take a key, but took it, keeps the answer in the end', async () => {
  const clock = new VirtualClock()
  const store = remoteStore()
  const { add } = store
  const asked = Promise.withResolvers()
  store.add = async (...args) => {
    await add(...args)
    asked.resolve()
    return new Promise(() => {})
  }
  const { run, count } = counted({ store, clock, storeTimeoutMs: 100, onError: () => {} })
  const first = run({}, async () => answerOf('made'))
  await asked.promise
  await clock.advance(100)
  assert.equal(text((await first).body), 'made')
  assert.equal(text((await run()).body), 'made')
  assert.equal(count(), 1)
})

test('requests that never end are forgotten with their locks', async () => {
  const clock = new VirtualClock()
  // Holds nothing, so that what grows is not the store.
  const store = {
    get: async () => undefined,
    add: async () => true,
    delete: async () => false,
    compareAndSet: async () => false,
  }
  const keys = idempotency({ store, clock, lockMs: 1000, storeTimeoutMs: 10 })
  let last = 0
  const begin = async () => {
    for (let i = 0; i < 4000; i++) await keys.begin(asked({ key: `k${++last}` }))
    await clock.advance(1000)
    await keys.begin(asked())
    globalThis.gc?.()
    return process.memoryUsage().heapUsed
  }
  await begin()
  const least = await begin()
  // A compiler that works beside it leaves something for a while; what is kept stays.
  let grown = Number.POSITIVE_INFINITY
  for (let round = 1; round <= 5; round++) {
    grown = Math.min(grown, ((await begin()) - least) / round)
  }
  assert.ok(grown < 400_000, `${grown} bytes`)
  assert.equal(typeof globalThis.gc, 'function', 'run with --expose-gc')
})

test('methods in any case', async () => {
  const { run, count } = counted({ methods: ['put', 'post'] })
  await run({ method: 'PUT' })
  await run({ method: 'put' })
  assert.equal(count(), 1)
})

test('nonsense in the store is written over', async () => {
  const store = remoteStore()
  const get = store.get
  let place
  store.get = async key => {
    place = key
    return get(key)
  }
  const { run, count } = counted({ store })
  await run()
  await store.delete(place)
  await store.add(place, Buffer.from('nonsense'))
  await run()
  assert.equal(count(), 2)
  assert.ok(place.length < 250 && /^[\w-]+$/.test(place))
})

test('options that are wrong are refused by name', () => {
  for (const [options, option] of [
    [{ ttl: 1 }, 'ttl'],
    [{ ttlMs: 0 }, 'ttlMs'],
    [{ lockMs: -1 }, 'lockMs'],
    [{ waitMs: -1 }, 'waitMs'],
    [{ maxBodyBytes: 1.5 }, 'maxBodyBytes'],
    [{ whenStoreFails: 'panic' }, 'whenStoreFails'],
    [{ store: { get() {} } }, 'store'],
    [{ methods: [1] }, 'methods'],
    [{ storeTimeoutMs: 0 }, 'storeTimeoutMs'],
  ]) {
    assert.throws(
      () => idempotency(options),
      error => error instanceof OptionError && error.option === option,
    )
  }
})

/** What orders with the act "held" wait for. */
let held = Promise.withResolvers()

/** The same service in each framework: what it does is told by the body. */
const services = {
  async express5(t, options) {
    return listenTo(t, ordersIn(express, options))
  },
  async express4(t, options) {
    const { default: express4 } = await import('express4')
    return listenTo(t, ordersIn(express4, options))
  },
  async fastify(t, options) {
    const app = Fastify()
    let count = 0
    await app.register(fastifyIdempotency, options)
    app.post('/orders', async (request, reply) => {
      const number = ++count
      const { act } = request.body
      if (act === 'throw') throw new Error('broken')
      if (act === 'stream') return reply.send(Readable.from(['in ', 'parts']))
      if (act === 'slow') await new Promise(resolve => setTimeout(resolve, 100))
      if (act === 'held') await held.promise
      if (act === 'reset' && number === 1) {
        setTimeout(() => request.raw.socket.destroy(), 5)
        await new Promise(resolve => setTimeout(resolve, 20))
      }
      if (act === 'empty') return reply.code(204).send()
      return reply.code(201).header('x-order', String(number)).send({ number })
    })
    app.get('/count', async () => ({ count }))
    await app.listen({ port: 0, host: '127.0.0.1' })
    t.after(() => app.close())
    return `http://127.0.0.1:${app.server.address().port}`
  },
}

function ordersIn(framework, options) {
  const app = framework()
  app.set('env', 'test')
  let count = 0
  app.use(framework.json(), expressIdempotency(options))
  app.post('/orders', (req, res, next) => {
    const number = ++count
    const { act } = req.body
    if (act === 'throw') return next(new Error('broken'))
    if (act === 'stream') return Readable.from(['in ', 'parts']).pipe(res)
    const answer = () => {
      if (act === 'empty') res.status(204).end()
      else res.status(201).set('x-order', String(number)).json({ number })
    }
    if (act === 'slow') setTimeout(answer, 100)
    else if (act === 'held') held.promise.then(answer)
    else if (act === 'reset' && number === 1) {
      setTimeout(() => req.socket.destroy(), 5)
      setTimeout(answer, 20)
    } else if (act === 'raw') {
      res.writeHead(201, { 'x-order': String(number) })
      res.write('part one, ')
      res.end('part two')
    } else answer()
  })
  app.get('/count', (_, res) => res.json({ count }))
  // Its own error handler, so that nothing is printed.
  app.use((_error, _req, res, _next) => res.status(500).json({ error: 'broken' }))
  return app
}

async function listenTo(t, app) {
  const server = http.createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${server.address().port}`
}

for (const [name, start] of Object.entries(services)) {
  const post = (origin, body, headers = {}) =>
    fetch(`${origin}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': 'k1', ...headers },
      body: JSON.stringify(body),
    })
  const counts = async origin => (await (await fetch(`${origin}/count`)).json()).count

  test(`${name}: a repetition gets the answer, its status, headers and body`, async t => {
    const origin = await start(t)
    const first = await post(origin, {})
    const again = await post(origin, {})
    for (const answer of [first, again]) {
      assert.equal(answer.status, 201)
      assert.equal(answer.headers.get('x-order'), '1')
      assert.match(answer.headers.get('content-type'), /^application\/json/)
      assert.deepEqual(await answer.json(), { number: 1 })
    }
    assert.equal(first.headers.get('idempotent-replayed'), null)
    assert.equal(again.headers.get('idempotent-replayed'), 'true')
    assert.equal(first.headers.get('content-length'), again.headers.get('content-length'))
    assert.equal(await counts(origin), 1)
  })

  test(`${name}: another body is refused, another client is not`, async t => {
    const origin = await start(t)
    await post(origin, { item: 1 })
    assert.equal((await post(origin, { item: 2 })).status, 422)
    assert.equal((await post(origin, { item: 2 }, { authorization: 'Bearer other' })).status, 201)
    assert.equal(await counts(origin), 2)
  })

  test(`${name}: duplicates at the same time`, async t => {
    const origin = await start(t)
    const answers = await Promise.all([1, 2, 3].map(() => post(origin, { act: 'slow' })))
    assert.deepEqual(
      await Promise.all(answers.map(answer => answer.json())),
      Array(3).fill({ number: 1 }),
    )
    assert.equal(await counts(origin), 1)
    const hasty = await start(t, { waitMs: 0 })
    held = Promise.withResolvers()
    const both = [1, 2].map(() => post(hasty, { act: 'held' }))
    assert.equal((await Promise.race(both)).status, 409)
    held.resolve()
    const statuses = (await Promise.all(both)).map(({ status }) => status)
    assert.deepEqual(statuses.sort(), [201, 409])
  })

  test(`${name}: what is thrown gives the key back`, async t => {
    const origin = await start(t)
    assert.equal((await post(origin, { act: 'throw' })).status, 500)
    assert.equal((await post(origin, { act: 'throw' })).status, 500)
    assert.equal(await counts(origin), 2)
  })

  test(`${name}: an answer without a body`, async t => {
    const origin = await start(t)
    await post(origin, { act: 'empty' })
    const again = await post(origin, { act: 'empty' })
    assert.equal(again.status, 204)
    assert.equal(again.headers.get('idempotent-replayed'), 'true')
  })

  test(`${name}: an answer in parts is processed once`, async t => {
    const origin = await start(t)
    assert.equal(await (await post(origin, { act: 'stream' })).text(), 'in parts')
    const again = await post(origin, { act: 'stream' })
    if (name === 'fastify') assert.equal(again.status, 409)
    else assert.equal(await again.text(), 'in parts')
    assert.equal(await counts(origin), 1)
  })

  test(`${name}: a long answer is passed on whole, and not kept`, async t => {
    const origin = await start(t, { maxBodyBytes: 4 })
    assert.deepEqual(await (await post(origin, {})).json(), { number: 1 })
    assert.equal((await post(origin, {})).status, 409)
    assert.equal(await counts(origin), 1)
  })

  test(`${name}: a client that lost the answer gets it, and the order is made once`, async t => {
    const origin = await start(t)
    const fetch = resilientFetch({ idempotencyKey: true, retry: { delayMs: 40 } })
    t.after(() => fetch[Symbol.dispose]())
    const answer = await fetch(`${origin}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ act: 'reset' }),
    })
    assert.deepEqual(await answer.json(), { number: 1 })
    assert.equal(answer.headers.get('idempotent-replayed'), 'true')
    assert.equal(await counts(origin), 1)
  })

  test(`${name}: wrong options are refused when it is set up`, async t => {
    await assert.rejects(async () => start(t, { ttlMs: -1 }), OptionError)
  })
}

test('express: headers given to writeHead and several writes are kept', async t => {
  const origin = await services.express5(t)
  const send = () =>
    fetch(`${origin}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': 'raw' },
      body: '{"act":"raw"}',
    })
  await send()
  const again = await send()
  assert.equal(again.headers.get('x-order'), '1')
  assert.equal(await again.text(), 'part one, part two')
})

test('express: answered by somebody else while a duplicate waits, nothing breaks', async t => {
  const keys = expressIdempotency({ waitMs: 5000 })
  const app = express()
  app.use(express.json())
  app.use((req, res, next) => {
    if (req.headers['x-hurry']) setTimeout(() => res.status(503).end('too late'), 20)
    next()
  })
  app.use(keys)
  const began = Promise.withResolvers()
  const end = Promise.withResolvers()
  app.post('/orders', async (_, res) => {
    began.resolve()
    await end.promise
    if (!res.headersSent) res.status(201).end('made')
  })
  const origin = await listenTo(t, app)
  const unhandled = []
  const hear = error => unhandled.push(error)
  process.on('unhandledRejection', hear)
  t.after(() => process.off('unhandledRejection', hear))
  const post = headers =>
    fetch(`${origin}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': 'k1', ...headers },
      body: '{}',
    })
  const first = post({})
  await began.promise
  assert.equal((await post({ 'x-hurry': '1' })).status, 503)
  end.resolve()
  assert.equal((await first).status, 201)
  assert.equal((await post({})).headers.get('idempotent-replayed'), 'true')
  await new Promise(resolve => setTimeout(resolve, 50))
  assert.deepEqual(unhandled, [])
})

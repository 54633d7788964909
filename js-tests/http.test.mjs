// resilientFetch against real servers: what is sent again, what is not, and what becomes of bodies.
import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import {
  CircuitBreakerError,
  DEADLINE_HEADER,
  deadlineFrom,
  OptionError,
  RetryBudget,
  TimeoutError,
} from 'seawall'
import { resilientFetch } from 'seawall/http'
import { closedPort, ok, reset, serve, stall, status, truncate, until } from './http-servers.mjs'

const quick = { delayMs: 1, jitterFactor: 0 }

function client(t, options = {}) {
  const fetch = resilientFetch({ retry: quick, ...options })
  t.after(() => fetch[Symbol.dispose]())
  return fetch
}

test('an answer comes through as it is', async t => {
  const server = await serve(t, ok('hello', { 'x-mark': '1' }))
  const answer = await client(t)(`${server.origin}/a?b=1`)
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.get('x-mark'), '1')
  assert.equal(await answer.text(), 'hello')
  assert.equal(server.seen[0].url, '/a?b=1')
  assert.equal(server.seen[0].headers['idempotency-key'], undefined)
})

test('a GET is repeated after a reset, a 500 and a 503', async t => {
  const server = await serve(t, reset, status(500), status(503), ok())
  const answer = await client(t, { retry: { ...quick, maxAttempts: 4 } })(server.origin)
  assert.equal(await answer.text(), 'ok')
  assert.equal(server.seen.length, 4)
})

test('the last answer is what the caller gets, body and all', async t => {
  const server = await serve(t, status(503, {}, 'closed today'))
  const answer = await client(t)(server.origin)
  assert.equal(answer.status, 503)
  assert.equal(await answer.text(), 'closed today')
  assert.equal(server.seen.length, 3)
})

test('the last error is what the caller gets', async t => {
  const server = await serve(t, reset)
  await assert.rejects(
    client(t)(server.origin),
    error => error.cause.code === 'ECONNRESET' || error.cause.code === 'UND_ERR_SOCKET',
  )
  assert.equal(server.seen.length, 3)
})

test('a POST is not repeated after what may have been processed', async t => {
  for (const act of [reset, status(500), status(503), status(503, { 'retry-after': '0' })]) {
    const server = await serve(t, act, ok())
    await client(t)(server.origin, { method: 'POST', body: 'x' }).catch(() => {})
    assert.equal(server.seen.length, 1)
  }
})

test('surely not sent: any method is repeated', async t => {
  const port = await closedPort()
  let tries = 0
  const fetch = client(t, {
    fetch: (...args) => {
      tries++
      return globalThis.fetch(...args)
    },
  })
  await assert.rejects(fetch(`http://127.0.0.1:${port}`, { method: 'POST', body: 'x' }))
  assert.equal(tries, 3)
})

test('a 429 was not processed: any method is repeated', async t => {
  const server = await serve(t, status(429), ok())
  const answer = await client(t)(server.origin, { method: 'POST', body: 'once' })
  assert.equal(answer.status, 200)
  assert.deepEqual(
    server.seen.map(({ body }) => body),
    ['once', 'once'],
  )
})

test('other 4xx and 501 are answers', async t => {
  for (const code of [400, 401, 403, 404, 409, 410, 412, 422, 501]) {
    const server = await serve(t, status(code), ok())
    assert.equal((await client(t)(server.origin)).status, code)
    assert.equal(server.seen.length, 1, String(code))
  }
})

test('methods: PUT and DELETE are repeated, PATCH only if the service says so', async t => {
  const sent = async (method, options, headers) => {
    const server = await serve(t, status(500), ok())
    await client(t, options)(server.origin, { method, body: 'x', headers })
    return server.seen.length
  }
  assert.equal(await sent('PUT'), 2)
  assert.equal(await sent('DELETE'), 2)
  assert.equal(await sent('PATCH'), 1)
  assert.equal(await sent('PATCH', { patchIsIdempotent: true }), 2)
  assert.equal(await sent('PATCH', { idempotencyKey: true }), 2)
  assert.equal(await sent('PATCH', {}, { 'If-Match': '"v1"' }), 2)
  assert.equal(await sent('POST', {}, { 'If-None-Match': '*' }), 2)
  assert.equal(await sent('POST', {}, { 'If-None-Match': '"v1"' }), 1)
})

test("the 503 of a service of one's own was not processed", async t => {
  const sent = async (code, ownService) => {
    const server = await serve(t, status(code), ok())
    const own = typeof ownService === 'function' ? origin => ownService(origin, server) : ownService
    await client(t, { ownService: own })(server.origin, { method: 'POST', body: 'x' })
    return server.seen.length
  }
  assert.equal(await sent(503, true), 2)
  assert.equal(await sent(503, (origin, server) => origin === server.origin), 2)
  assert.equal(await sent(503, () => false), 1)
  assert.equal(await sent(500, true), 1)
})

test('an idempotency key makes a POST repeatable, the same key each time', async t => {
  const server = await serve(t, reset, status(500), ok())
  const answer = await client(t, { idempotencyKey: true })(server.origin, {
    method: 'POST',
    body: 'x',
  })
  assert.equal(answer.status, 200)
  const keys = server.seen.map(({ headers }) => headers['idempotency-key'])
  assert.equal(keys.length, 3)
  assert.equal(new Set(keys).size, 1)
  assert.match(keys[0], /^[0-9a-f-]{36}$/)
})

test("keys: given by a function, under another header, none for a GET, the caller's stays", async t => {
  const server = await serve(t, ok())
  const fetch = client(t, {
    idempotencyKey: ({ method, url }) => `${method} ${new URL(url).pathname}`,
    idempotencyHeader: 'PayPal-Request-Id',
  })
  await fetch(`${server.origin}/pay`, { method: 'POST', body: 'x' })
  await fetch(`${server.origin}/pay`)
  await fetch(server.origin, { method: 'POST', headers: { 'paypal-request-id': 'mine' } })
  const keys = server.seen.map(({ headers }) => headers['paypal-request-id'])
  assert.deepEqual(keys, ['POST /pay', undefined, 'mine'])
})

test('the word of a call wins', async t => {
  const server = await serve(t, status(500), ok(), status(500), ok())
  const fetch = client(t)
  await fetch(server.origin, { method: 'POST', body: 'x', seawall: { idempotent: true } })
  assert.equal(server.seen.length, 2)
  const answer = await fetch(server.origin, {
    method: 'PUT',
    body: 'x',
    seawall: { idempotent: false },
  })
  assert.equal(answer.status, 500)
})

const form = new FormData()
form.set('name', 'value')
for (const [name, body, text] of [
  ['string', 'text', 'text'],
  ['Buffer', Buffer.from('bytes'), 'bytes'],
  ['ArrayBuffer', new TextEncoder().encode('array').buffer, 'array'],
  ['Uint8Array', new TextEncoder().encode('typed'), 'typed'],
  ['DataView', new DataView(new TextEncoder().encode('view').buffer), 'view'],
  ['URLSearchParams', new URLSearchParams({ a: '1' }), 'a=1'],
  ['Blob', new Blob(['blob']), 'blob'],
  ['FormData', form, /name="name"[\s\S]*value/],
  ['a function', () => 'made', 'made'],
  ['a function of a stream', () => new Blob(['stream']).stream(), 'stream'],
  ['a function of a promise', async () => 'later', 'later'],
]) {
  test(`body is sent again: ${name}`, async t => {
    const server = await serve(t, reset, status(503), ok())
    const answer = await client(t)(server.origin, { method: 'PUT', body })
    assert.equal(answer.status, 200)
    assert.equal(server.seen.length, 3)
    for (const seen of server.seen)
      assert.match(seen.body, text instanceof RegExp ? text : new RegExp(`^${text}$`))
  })
}

test('body is never sent again once it was a stream', async t => {
  const streams = {
    web: () => new Blob(['once']).stream(),
    generator: async function* () {
      yield Buffer.from('once')
    },
  }
  for (const make of Object.values(streams)) {
    const server = await serve(t, status(503), ok())
    const answer = await client(t)(server.origin, { method: 'PUT', body: make(), duplex: 'half' })
    assert.equal(answer.status, 503)
    assert.deepEqual(
      server.seen.map(({ body }) => body),
      ['once'],
    )
  }
})

test('body of a Request is sent once, or again where requests are cloned', async t => {
  const sent = async options => {
    const server = await serve(t, status(503), ok())
    const request = new Request(server.origin, {
      method: 'PUT',
      body: 'inside',
      headers: { 'x-mark': '1' },
    })
    await client(t, options)(request)
    assert.ok(
      server.seen.every(({ body, headers }) => body === 'inside' && headers['x-mark'] === '1'),
    )
    return server.seen.length
  }
  assert.equal(await sent({}), 1)
  assert.equal(await sent({ cloneRequests: true }), 2)
})

test('a Request without a body is sent again', async t => {
  const server = await serve(t, status(503), ok())
  assert.equal((await client(t)(new Request(server.origin))).status, 200)
})

test('a body function that throws ends the call with its error', async t => {
  const server = await serve(t, ok())
  const broken = new Error('no body today')
  const fetch = client(t, { breaker: { threshold: 1 } })
  const body = () => {
    throw broken
  }
  await assert.rejects(fetch(server.origin, { method: 'POST', body }), broken)
  assert.equal(server.seen.length, 0)
  assert.ok(fetch.breaker(server.origin).isClosed(), 'it is held against nobody')
})

const far = 10_000
const inTenSeconds = () => new Date(Date.now() + far + 500).toUTCString()
for (const [name, headers, least, most] of [
  ['seconds', () => ({ 'retry-after': '10' }), far, far],
  ['HTTP-date', () => ({ 'retry-after': inTenSeconds() }), far - 1500, far + 1000],
  ['a date in the past', () => ({ 'retry-after': 'Sun, 06 Nov 1994 08:49:37 GMT' }), 0, 1],
  ['retry-after-ms', () => ({ 'retry-after-ms': '10000', 'retry-after': '99' }), far, far],
  ['x-ms-retry-after-ms', () => ({ 'x-ms-retry-after-ms': '10000' }), far, far],
  ['RateLimit of draft 7', () => ({ ratelimit: 'limit=5, remaining=0, reset=10' }), far, far],
  ['RateLimit of draft 8', () => ({ ratelimit: '"default";r=0;t=10' }), far, far],
  ['RateLimit-Reset', () => ({ 'ratelimit-remaining': '0', 'ratelimit-reset': '10' }), far, far],
  [
    'RateLimit-Policy',
    () => ({ 'ratelimit-policy': '"p";q=5;w=10', ratelimit: '"p";r=0' }),
    far,
    far,
  ],
  [
    'X-RateLimit-Reset in seconds',
    () => ({ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '10' }),
    far,
    far,
  ],
  [
    'X-RateLimit-Reset since 1970',
    () => ({ 'x-ratelimit-reset': String(Math.ceil((Date.now() + far) / 1000)) }),
    far - 1000,
    far + 1000,
  ],
  ['nothing said', () => ({}), 1, 1],
  ['nonsense', () => ({ 'retry-after': 'soon' }), 1, 1],
  ['something left', () => ({ 'x-ratelimit-remaining': '3', 'x-ratelimit-reset': '10' }), 1, 1],
]) {
  test(`429 waits: ${name}`, async t => {
    const server = await serve(t, response => response.writeHead(429, headers()).end(), ok())
    const waits = []
    const clock = {
      now: () => performance.now(),
      // Waits are noted and not waited for; timers that watch over an attempt do not fire.
      setTimer: (fn, ms) => {
        if (ms === 30_000 || ms === 1000) return undefined
        waits.push(ms)
        return setTimeout(fn, 0)
      },
      clearTimer: timer => clearTimeout(timer),
    }
    const answer = await client(t, { clock })(server.origin)
    assert.equal(answer.status, 200)
    assert.ok(waits[0] >= least && waits[0] <= most, `${waits} not from ${least} to ${most}`)
  })
}

test('a wait longer than accepted ends the call at once', async t => {
  const server = await serve(t, status(429, { 'retry-after': '3600' }), ok())
  const answer = await client(t)(server.origin)
  assert.equal(answer.status, 429)
  assert.equal(server.seen.length, 1)
})

test('time-out: an attempt that stalls is given up and repeated', async t => {
  const server = await serve(t, stall, ok())
  const answer = await client(t, { timeoutMs: 400 })(server.origin)
  assert.equal(answer.status, 200)
  assert.equal(server.seen.length, 2)
})

test('time-out: all attempts stall', async t => {
  const server = await serve(t, stall)
  await assert.rejects(client(t, { timeoutMs: 400 })(server.origin), TimeoutError)
  assert.equal(server.seen.length, 3)
  await until(() => server.open.size === 0)
})

test('time-out: a POST that stalls may have been processed', async t => {
  const server = await serve(t, stall, ok())
  await assert.rejects(
    client(t, { timeoutMs: 400 })(server.origin, { method: 'POST', body: 'x' }),
    TimeoutError,
  )
  assert.equal(server.seen.length, 1)
})

test('a fetch that ignores its signal does not hold the call, and its late answer is let go', async t => {
  let cancelled = false
  const late = Promise.withResolvers()
  const fetch = client(t, { timeoutMs: 10, retry: false, fetch: () => late.promise })
  await assert.rejects(fetch('http://nowhere.test/'), TimeoutError)
  const body = new ReadableStream({ cancel: () => (cancelled = true) })
  late.resolve(new Response(body, { headers: { 'content-length': '100000' } }))
  await until(() => cancelled)
})

test('deadline: no attempt outlives it, no wait reaches over it', async t => {
  const server = await serve(t, stall)
  const started = performance.now()
  await assert.rejects(client(t, { deadlineMs: 500 })(server.origin), TimeoutError)
  assert.ok(performance.now() - started < 5000)
  assert.equal(server.seen.length, 1)
  const busy = await serve(t, status(503, { 'retry-after': '5' }))
  const answer = await client(t, { deadlineMs: 4000 })(busy.origin)
  assert.equal(answer.status, 503)
  assert.equal(busy.seen.length, 1)
})

test('deadline: the server is told what is left, less at each attempt', async t => {
  const server = await serve(t, stall, ok())
  const fetch = client(t, {
    timeoutMs: 9000,
    deadlineMs: 8000,
    deadlineHeader: 'X-Left-Ms',
    retry: { ...quick },
  })
  const given = client(t, { timeoutMs: 1000, deadlineMs: 8000, deadlineHeader: 'X-Left-Ms' })
  await given(server.origin)
  const [first, second] = server.seen.map(({ headers }) => Number(headers['x-left-ms']))
  assert.ok(first <= 1000 && second <= 1000 && second > 0, `${first} ${second}`)
  await fetch(server.origin, { seawall: { deadline: performance.now() + 4000 } })
  const third = Number(server.seen[2].headers['x-left-ms'])
  assert.ok(third > 1000 && third <= 4000, String(third))
})

test('deadline: in the notation of gRPC under its header, and it can be read back', async t => {
  const server = await serve(t, ok())
  await client(t, { deadlineMs: 5000, deadlineHeader: DEADLINE_HEADER })(server.origin)
  const value = server.seen[0].headers['grpc-timeout']
  assert.match(value, /^\d{1,4}m$/)
  const left = deadlineFrom(value) - performance.now()
  assert.ok(left > 0 && left <= 5000, String(left))
})

test('budget: no more is repeated than it allows, and the answer there is comes through', async t => {
  const server = await serve(t, status(503, {}, 'closed'))
  const budget = new RetryBudget({ kind: 'tokens', ratio: 0.01, perSecond: 0, maxTokens: 1 })
  const fetch = client(t, { budget, breaker: false })
  for (let i = 0; i < 5; i++) assert.equal(await (await fetch(server.origin)).text(), 'closed')
  assert.equal(server.seen.length, 6)
  assert.equal(budget.explain().calls, 0)
  const own = client(t, { budget: { minConcurrency: 1 }, breaker: false })
  await (await own(server.origin)).text()
  assert.equal(server.seen.length, 9)
})

test('Response body after return: no time-out ends it', async t => {
  const server = await serve(t, response => {
    response.writeHead(200)
    response.write('first ')
    setTimeout(() => response.end('last'), 1200)
  })
  const answer = await client(t, { timeoutMs: 900, deadlineMs: 1000 })(server.origin)
  assert.equal(await answer.text(), 'first last')
})

test("Response body after return: the caller's abort ends it", async t => {
  const server = await serve(t, response => {
    response.writeHead(200)
    response.write('first')
  })
  const controller = new AbortController()
  const answer = await client(t)(server.origin, { signal: controller.signal })
  const reader = answer.body.getReader()
  await reader.read()
  controller.abort(new Error('enough'))
  await assert.rejects(reader.read(), /enough/)
  await until(() => server.open.size === 0)
})

test("a body that breaks off is the caller's error, not another request", async t => {
  const server = await serve(t, truncate)
  const answer = await client(t)(server.origin)
  assert.equal(answer.status, 200)
  await assert.rejects(answer.text())
  assert.equal(server.seen.length, 1)
})

test('abort: during an attempt, with the very reason, held against nobody', async t => {
  const server = await serve(t, stall)
  const fetch = client(t, { breaker: { threshold: 1 } })
  const controller = new AbortController()
  const reason = new Error('changed my mind')
  const call = fetch(server.origin, { signal: controller.signal })
  await until(() => server.seen.length === 1)
  controller.abort(reason)
  await assert.rejects(call, error => error === reason)
  assert.ok(fetch.breaker(server.origin).isClosed())
  await until(() => server.open.size === 0)
})

test('abort: interrupts a wait at once', async t => {
  const server = await serve(t, status(503), ok())
  const controller = new AbortController()
  const fetch = client(t, {
    retry: { delayMs: 60_000, maxDelayMs: 60_000, onRetry: () => controller.abort() },
  })
  await assert.rejects(fetch(server.origin, { signal: controller.signal }), { name: 'AbortError' })
  assert.equal(server.seen.length, 1)
})

test('abort: before the call, nothing is sent', async t => {
  const server = await serve(t, ok())
  await assert.rejects(client(t)(server.origin, { signal: AbortSignal.abort() }), {
    name: 'AbortError',
  })
  await assert.rejects(client(t)(new Request(server.origin, { signal: AbortSignal.abort() })), {
    name: 'AbortError',
  })
  assert.equal(server.seen.length, 0)
})

test('abort listeners are not left on a signal that lives on', async t => {
  const server = await serve(t, status(503), ok(), status(204, {}, undefined))
  const { signal } = new AbortController()
  const fetch = client(t, {
    fetch: (input, { signal: _, ...init }) => globalThis.fetch(input, init),
  })
  let answer = await fetch(server.origin, { signal })
  await answer.text()
  // One for the body that is still there, none for the attempt that failed.
  assert.equal(getEventListeners(signal, 'abort').length, 1)
  await fetch(server.origin, { signal })
  assert.equal(
    getEventListeners(signal, 'abort').length,
    1,
    'an answer without a body holds nothing',
  )
  answer = undefined
  await until(() => {
    globalThis.gc()
    return getEventListeners(signal, 'abort').length === 0
  })
})

test('sockets: unwanted answers are read to their end and their connection used again', async t => {
  const server = await serve(t, status(503, {}, 'x'.repeat(10_000)), status(503), ok())
  await (await client(t, { retry: { delayMs: 200, jitterFactor: 0 } })(server.origin)).text()
  assert.equal(server.seen.length, 3)
  assert.equal(server.connections(), 1)
})

test('sockets: a long unwanted answer is cancelled', async t => {
  let closed = false
  const endless = response => {
    response.writeHead(503)
    response.on('close', () => {
      closed = true
    })
    const more = () => {
      if (response.write('x'.repeat(16_384))) setImmediate(more)
      else response.once('drain', more)
    }
    more()
  }
  const server = await serve(t, endless, ok())
  await (await client(t)(server.origin)).text()
  await until(() => closed)
})

test('sockets: hundreds of failures leave none behind', async t => {
  const server = await serve(
    t,
    ...Array.from({ length: 299 }, (_, i) => [status(503), reset, status(429)][i % 3]),
    ok(),
  )
  const fetch = client(t, { breaker: false })
  for (let i = 0; i < 100; i++)
    await fetch(server.origin).then(
      answer => answer.text(),
      () => {},
    )
  assert.equal(server.seen.length, 300)
  await until(() => server.sockets.size <= 2)
})

test('keep-alive socket reset between requests', async t => {
  const server = await serve(t, ok(), ok())
  const fetch = client(t)
  await (await fetch(server.origin)).text()
  for (const socket of server.sockets) socket.resetAndDestroy()
  assert.equal(await (await fetch(server.origin)).text(), 'ok')
})

test('breaker: opens on failures, refuses without sending, and is one for each origin', async t => {
  const [bad, good] = [await serve(t, status(500)), await serve(t, ok())]
  const fetch = client(t, { retry: false, breaker: { threshold: 2 } })
  await fetch(bad.origin)
  await fetch(`${bad.origin}/other`)
  await assert.rejects(fetch(bad.origin), CircuitBreakerError)
  assert.equal(bad.seen.length, 2)
  assert.equal((await fetch(good.origin)).status, 200)
  const { [bad.origin]: state } = fetch.explain()
  assert.equal(state.state, 'open')
  assert.deepEqual(
    state.causes.map(({ cause }) => cause),
    ['HTTP 500'],
  )
  assert.equal(fetch.breaker(bad.origin).isOpen(), true)
})

test('breaker: is asked at each attempt, and its refusal ends the call', async t => {
  const server = await serve(t, status(500))
  const fetch = client(t, { retry: { ...quick, maxAttempts: 10 }, breaker: { threshold: 3 } })
  await assert.rejects(fetch(server.origin), CircuitBreakerError)
  assert.equal(server.seen.length, 3)
})

test('breaker: 429, 408 and 4xx do not open it, time-outs do', async t => {
  const server = await serve(t, status(429), status(408), status(404), status(501))
  const fetch = client(t, { retry: false, breaker: { threshold: 1 } })
  for (let i = 0; i < 4; i++) await fetch(server.origin)
  assert.ok(fetch.breaker(server.origin).isClosed())
  const slow = await serve(t, stall)
  const hasty = client(t, { retry: false, breaker: { threshold: 1 }, timeoutMs: 20 })
  await assert.rejects(hasty(slow.origin), TimeoutError)
  assert.ok(hasty.breaker(slow.origin).isOpen())
})

test("breaker: a mistake of the caller's does not open it", async t => {
  const server = await serve(t, ok())
  const fetch = client(t, { breaker: { threshold: 1 } })
  await assert.rejects(fetch(server.origin, { body: 'GET has none' }), TypeError)
  await assert.rejects(fetch(server.origin, { headers: { 'not a header': '1' } }), TypeError)
  assert.ok(fetch.breaker(server.origin).isClosed())
})

test('origins nobody asks are forgotten', async t => {
  const fetch = client(t, { maxOrigins: 10, fetch: async () => new Response('ok') })
  for (let i = 0; i < 100; i++) await fetch(`http://host-${i}.test/`)
  assert.ok(Object.keys(fetch.explain()).length <= 10)
})

test('instances: in turn, whatever origin is named, below their path', async t => {
  const [a, b] = [await serve(t, ok('a')), await serve(t, ok('b'))]
  const fetch = client(t, { instances: [a.origin, `${b.origin}/api/`] })
  const texts = []
  for (const url of [
    '/x?q=1',
    'http://users/y',
    new URL('http://users/z'),
    new Request('http://users/r'),
  ]) {
    texts.push(await (await fetch(url)).text())
  }
  assert.deepEqual(texts, ['a', 'b', 'a', 'b'])
  assert.deepEqual(
    a.seen.map(({ url }) => url),
    ['/x?q=1', '/z'],
  )
  assert.deepEqual(
    b.seen.map(({ url }) => url),
    ['/api/y', '/api/r'],
  )
})

test('instances: the next one is asked at once, whatever the failed one says of waiting', async t => {
  const busy = await serve(t, status(503, { 'retry-after': '3600' }))
  const good = await serve(t, ok('good'))
  const retry = { delayMs: 9000, jitterFactor: 0 }
  const fetch = client(t, { instances: [busy.origin, good.origin], retry })
  const started = performance.now()
  assert.equal(await (await fetch('/')).text(), 'good')
  assert.ok(performance.now() - started < 5000)
})

test('instances: where the others are down, the waits are kept', async t => {
  const dead = `http://127.0.0.1:${await closedPort()}`
  const server = await serve(t, status(429), ok('later'))
  const fetch = client(t, {
    instances: [dead, server.origin],
    breaker: { threshold: 1 },
    retry: { delayMs: 100, jitterFactor: 0, maxAttempts: 4 },
  })
  await (await fetch('/')).text()
  assert.ok(server.seen[1].at - server.seen[0].at >= 95)
})

test('instances: a dead one is left out once its breaker is open, and asked again later', async t => {
  const dead = `http://127.0.0.1:${await closedPort()}`
  const good = await serve(t, ok('good'))
  const clock = {
    offset: 0,
    now: () => performance.now() + clock.offset,
    setTimer: setTimeout,
    clearTimer: clearTimeout,
  }
  const tries = []
  const fetch = client(t, {
    clock,
    instances: [dead, good.origin],
    breaker: { threshold: 2, resetTimeMs: 10_000 },
    fetch: (input, init) => {
      tries.push(new URL(input).origin)
      return globalThis.fetch(input, init)
    },
  })
  for (let i = 0; i < 20; i++)
    assert.equal((await fetch('/', { method: 'POST', body: 'x' })).status, 200)
  assert.equal(tries.filter(origin => origin === dead).length, 2)
  clock.offset = 10_001
  await fetch('/')
  await fetch('/')
  assert.equal(tries.filter(origin => origin === dead).length, 3)
})

test('instances: all refused, the error says when the first may be asked again', async t => {
  const [a, b] = [await serve(t, status(500)), await serve(t, status(500))]
  const fetch = client(t, {
    instances: [a.origin, b.origin],
    retry: false,
    breaker: { threshold: 1 },
  })
  await fetch('/')
  await fetch('/')
  await assert.rejects(
    fetch('/'),
    error => error instanceof CircuitBreakerError && error.retryAfterMs > 59_000,
  )
})

test('instances: a POST that may have been processed does not move on', async t => {
  const [a, b] = [await serve(t, reset), await serve(t, ok())]
  const fetch = client(t, { instances: [a.origin, b.origin] })
  await assert.rejects(fetch('/', { method: 'POST', body: 'x' }))
  assert.equal(b.seen.length, 0)
})

test('policy: each attempt goes through it, one for each origin', async t => {
  const server = await serve(t, ok())
  const made = []
  const fetch = client(t, {
    policy: origin => {
      made.push(origin)
      return { chaos: { enabled: true, rate: 1, latencyMs: 1 } }
    },
  })
  await fetch(server.origin)
  await fetch(server.origin)
  assert.deepEqual(made, [server.origin])
})

test('shouldRetry has the last word, onRetry hears of it, and neither can break anything', async t => {
  const server = await serve(t, status(404), ok(), status(503), ok())
  const heard = []
  const fetch = client(t, {
    retry: {
      ...quick,
      shouldRetry: ({ status }, allowed) => {
        heard.push([status, allowed])
        return status === 404
      },
      onRetry: ({ attempt, method, status }) => {
        heard.push([attempt, method, status])
        throw new Error('a bad listener')
      },
    },
  })
  assert.equal((await fetch(server.origin)).status, 200)
  assert.equal((await fetch(server.origin)).status, 503)
  assert.deepEqual(heard, [
    [404, false],
    [1, 'GET', 404],
    [503, true],
  ])
})

test('what has no server goes straight to fetch', async t => {
  assert.equal(await (await client(t)('data:text/plain,hello')).text(), 'hello')
  await assert.rejects(client(t)('not an address'), TypeError)
})

test('the same seed gives the same waits', async t => {
  const waits = async () => {
    const server = await serve(t, status(503), status(503), ok())
    const heard = []
    const clock = {
      now: () => 0,
      setTimer: (fn, ms) => {
        if (ms === 30_000 || ms === 1000) return undefined
        heard.push(ms)
        return setTimeout(fn, 0)
      },
      clearTimer: timer => clearTimeout(timer),
    }
    await client(t, { retry: {}, seed: 7, clock })(server.origin)
    return heard
  }
  const first = await waits()
  assert.equal(first.length, 2)
  assert.ok(first[0] >= 75 && first[0] <= 125, String(first))
  assert.deepEqual(await waits(), first)
})

test('options that are wrong are refused by name', () => {
  for (const [options, option] of [
    [{ retries: 3 }, 'retries'],
    [{ timeoutMs: -1 }, 'timeoutMs'],
    [{ timeoutMs: Number.NaN }, 'timeoutMs'],
    [{ retry: { maxAttemps: 3 } }, 'retry.maxAttemps'],
    [{ retry: { delayMs: -1 } }, 'delayMs'],
    [{ breaker: { threshold: 0 } }, 'threshold'],
    [{ instances: [] }, 'instances'],
    [{ instances: ['nowhere'] }, 'instances'],
    [{ maxOrigins: 0 }, 'max'],
  ]) {
    assert.throws(
      () => resilientFetch(options),
      error => error instanceof OptionError && error.option === option,
      JSON.stringify(options),
    )
  }
})

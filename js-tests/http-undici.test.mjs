// The interceptor with undici's own request, stream and fetch, over HTTP/1.1 and HTTP/2.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http2 from 'node:http2'
import { Readable, Writable } from 'node:stream'
import { test } from 'node:test'
import { CircuitBreakerError, OptionError } from 'seawall'
import { resilientFetch, seawallInterceptor } from 'seawall/http'
import * as undici7 from 'undici'
import * as undici8 from 'undici8'
import { closedPort, ok, reset, serve, stall, status, truncate, until } from './http-servers.mjs'

const quick = { delayMs: 1, jitterFactor: 0 }

for (const [version, undici] of Object.entries({ undici7, undici8 })) {
  const { Agent, fetch, request, stream } = undici

  const dispatcherOf = (t, options = {}, agent = {}) => {
    const interceptor = seawallInterceptor({ retry: quick, ...options })
    const dispatcher = new Agent(agent).compose(interceptor)
    t.after(async () => {
      await dispatcher.destroy()
      interceptor[Symbol.dispose]()
    })
    return dispatcher
  }

  test(`${version}: an answer comes through as it is`, async t => {
    const server = await serve(t, ok('hello', { 'x-mark': '1' }))
    const answer = await request(`${server.origin}/a?b=1`, { dispatcher: dispatcherOf(t) })
    assert.equal(answer.statusCode, 200)
    assert.equal(answer.headers['x-mark'], '1')
    assert.equal(await answer.body.text(), 'hello')
  })

  test(`${version}: a GET is repeated after a reset, a 500 and a 503, on the same connection where it can be`, async t => {
    const server = await serve(t, status(500), status(503), reset, ok())
    const dispatcher = dispatcherOf(t, { retry: { ...quick, maxAttempts: 4 } })
    const answer = await request(server.origin, { dispatcher })
    assert.equal(await answer.body.text(), 'ok')
    assert.equal(server.seen.length, 4)
    assert.equal(server.connections(), 2)
  })

  test(`${version}: the last answer comes through, body and all`, async t => {
    const server = await serve(t, status(503, {}, 'x'.repeat(200_000)))
    const answer = await request(server.origin, { dispatcher: dispatcherOf(t) })
    assert.equal(answer.statusCode, 503)
    assert.equal((await answer.body.text()).length, 200_000)
    assert.equal(server.seen.length, 3)
  })

  test(`${version}: the last error comes through`, async t => {
    const server = await serve(t, reset)
    await assert.rejects(request(server.origin, { dispatcher: dispatcherOf(t) }), error =>
      ['ECONNRESET', 'UND_ERR_SOCKET'].includes(error.code),
    )
    assert.equal(server.seen.length, 3)
  })

  test(`${version}: a POST is repeated only where it was not processed, or has a key`, async t => {
    const sent = async (act, options, headers) => {
      const server = await serve(t, act, ok())
      const dispatcher = dispatcherOf(t, options)
      const call = request(server.origin, { dispatcher, method: 'POST', body: 'x', headers })
      await call.then(({ body }) => body.dump()).catch(() => {})
      return server.seen
    }
    assert.equal((await sent(reset)).length, 1)
    assert.equal((await sent(status(500))).length, 1)
    assert.equal((await sent(status(429))).length, 2)
    assert.equal((await sent(status(503), { ownService: true })).length, 2)
    assert.equal((await sent(reset, {}, { 'Idempotency-Key': 'mine' })).length, 2)
    assert.equal((await sent(reset, {}, ['Idempotency-Key', 'mine'])).length, 2)
    assert.equal((await sent(reset, {}, new Map([['if-match', '"v1"']]))).length, 2)
    const seen = await sent(reset, { idempotencyKey: true }, { 'x-mark': ['a', 'b'] })
    assert.equal(seen.length, 2)
    assert.equal(seen[0].headers['idempotency-key'], seen[1].headers['idempotency-key'])
    assert.equal(seen[1].headers['x-mark'], 'a, b')
    assert.equal(seen[1].body, 'x')
  })

  test(`${version}: nothing was sent, so any method is repeated`, async t => {
    const port = await closedPort()
    const heard = []
    const dispatcher = dispatcherOf(t, {
      retry: { ...quick, onRetry: ({ attempt, method }) => heard.push([attempt, method]) },
    })
    const call = request(`http://127.0.0.1:${port}/`, { dispatcher, method: 'POST', body: 'x' })
    await assert.rejects(call, { code: 'ECONNREFUSED' })
    assert.deepEqual(heard, [
      [1, 'POST'],
      [2, 'POST'],
    ])
  })

  test(`${version}: a stream is sent once`, async t => {
    const server = await serve(t, status(503), ok())
    const answer = await request(server.origin, {
      dispatcher: dispatcherOf(t),
      method: 'PUT',
      body: Readable.from(['once']),
    })
    assert.equal(answer.statusCode, 503)
    await answer.body.dump()
    assert.deepEqual(
      server.seen.map(({ body }) => body),
      ['once'],
    )
  })

  test(`${version}: Retry-After is kept, and too long a wait is not begun`, async t => {
    const server = await serve(t, status(429, { 'retry-after': '1' }), ok())
    const { body } = await request(server.origin, { dispatcher: dispatcherOf(t) })
    await body.dump()
    assert.ok(server.seen[1].at - server.seen[0].at >= 990)
    const busy = await serve(t, status(429, { 'retry-after': '3600' }), ok())
    const answer = await request(busy.origin, { dispatcher: dispatcherOf(t) })
    assert.equal(answer.statusCode, 429)
    await answer.body.dump()
  })

  test(`${version}: undici's time-outs count as failures and are repeated`, async t => {
    const server = await serve(t, stall, ok())
    const dispatcher = dispatcherOf(t)
    const answer = await request(server.origin, { dispatcher, headersTimeout: 50 })
    assert.equal(await answer.body.text(), 'ok')
  })

  test(`${version}: a body that breaks off is the caller's error`, async t => {
    const server = await serve(t, truncate)
    const answer = await request(server.origin, { dispatcher: dispatcherOf(t) })
    await assert.rejects(answer.body.text())
    assert.equal(server.seen.length, 1)
  })

  test(`${version}: the breaker of an origin refuses, and a 429 does not open it`, async t => {
    const [bad, good] = [await serve(t, status(500)), await serve(t, status(429), ok())]
    const dispatcher = dispatcherOf(t, { retry: false, breaker: { threshold: 1 } })
    await request(bad.origin, { dispatcher }).then(({ body }) => body.dump())
    await assert.rejects(request(bad.origin, { dispatcher }), CircuitBreakerError)
    for (let i = 0; i < 2; i++) {
      await request(good.origin, { dispatcher }).then(({ body }) => body.dump())
    }
    assert.equal(bad.seen.length, 1)
    assert.equal(good.seen.length, 2)
  })

  test(`${version}: abort during an attempt, and during a wait`, async t => {
    const server = await serve(t, stall)
    const dispatcher = dispatcherOf(t, { breaker: { threshold: 1 } })
    const first = new AbortController()
    const call = request(server.origin, { dispatcher, signal: first.signal })
    await until(() => server.seen.length === 1)
    first.abort(new Error('enough'))
    await assert.rejects(call, /enough/)
    await until(() => server.open.size === 0)
    const busy = await serve(t, status(503), ok())
    const second = new AbortController()
    const waiting = dispatcherOf(t, {
      retry: {
        delayMs: 60_000,
        maxDelayMs: 60_000,
        onRetry: () => setTimeout(() => second.abort(new Error('now')), 20),
      },
    })
    await assert.rejects(
      request(busy.origin, { dispatcher: waiting, signal: second.signal }),
      /now/,
    )
    assert.equal(busy.seen.length, 1)
  })

  test(`${version}: abort of a body that is being read`, async t => {
    const server = await serve(t, response => {
      response.writeHead(200)
      response.write('first')
    })
    const controller = new AbortController()
    const { body } = await request(server.origin, {
      dispatcher: dispatcherOf(t),
      signal: controller.signal,
    })
    controller.abort(new Error('enough'))
    await assert.rejects(body.text(), /enough/)
    await until(() => server.open.size === 0)
  })

  test(`${version}: a slow reader pauses the server after a repetition too`, async t => {
    const size = 8 * 1024 * 1024
    const server = await serve(t, status(503), response => response.end(Buffer.alloc(size)))
    const answer = await request(server.origin, { dispatcher: dispatcherOf(t) })
    let bytes = 0
    for await (const chunk of answer.body) {
      bytes += chunk.length
      if (bytes < 500_000) await new Promise(resolve => setTimeout(resolve, 1))
    }
    assert.equal(bytes, size)
  })

  test(`${version}: stream and fetch go through it too`, async t => {
    const server = await serve(t, status(503), ok('streamed'), status(503), ok('fetched'))
    const dispatcher = dispatcherOf(t)
    const chunks = []
    await stream(server.origin, { dispatcher, method: 'GET' }, () => {
      return new Writable({
        write(chunk, _, done) {
          chunks.push(chunk)
          done()
        },
      })
    })
    assert.equal(Buffer.concat(chunks).toString(), 'streamed')
    const answer = await fetch(server.origin, { dispatcher })
    assert.equal(await answer.text(), 'fetched')
    assert.equal(server.seen.length, 4)
  })

  test(`${version}: a request may say more of itself, and the server hears what is left`, async t => {
    const server = await serve(t, reset, ok())
    const dispatcher = dispatcherOf(t, { deadlineHeader: 'X-Left-Ms' })
    const seawall = { idempotent: true, deadline: performance.now() + 1000 }
    const { body } = await request(server.origin, {
      dispatcher,
      method: 'POST',
      body: 'x',
      seawall,
    })
    await body.dump()
    const [first, second] = server.seen.map(({ headers }) => Number(headers['x-left-ms']))
    assert.ok(first <= 1000 && second <= first && second > 0, `${first} ${second}`)
  })

  test(`${version}: sockets: failures leave none behind`, async t => {
    const acts = Array.from(
      { length: 59 },
      (_, i) => [status(503, {}, 'x'.repeat(100_000)), reset, status(429)][i % 3],
    )
    const server = await serve(t, ...acts, ok())
    const dispatcher = dispatcherOf(t, { breaker: false })
    for (let i = 0; i < 20; i++) {
      await request(server.origin, { dispatcher }).then(
        ({ body }) => body.dump(),
        () => {},
      )
    }
    assert.equal(server.seen.length, 60)
    await until(() => server.sockets.size <= 2)
  })

  /** An HTTP/2 server with TLS, as `allowH2` wants it. */
  const serve2 = async (t, ...script) => {
    const pem = readFileSync(new URL('fixtures/loopback.pem', import.meta.url))
    const seen = []
    const sessions = new Set()
    const server = http2.createSecureServer({ key: pem, cert: pem, allowHTTP1: false })
    server.on('session', session => {
      sessions.add(session)
      session.on('error', () => {})
      session.on('close', () => sessions.delete(session))
    })
    server.on('stream', async (stream, headers) => {
      stream.on('error', () => {})
      const chunks = []
      for await (const chunk of stream) chunks.push(chunk)
      seen.push({ method: headers[':method'], body: Buffer.concat(chunks).toString() })
      script[Math.min(seen.length, script.length) - 1](stream, headers)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => {
      for (const session of sessions) session.destroy()
      server.close()
    })
    return { seen, origin: `https://127.0.0.1:${server.address().port}` }
  }
  const ok2 = stream => {
    stream.respond({ ':status': 200 })
    stream.end('ok')
  }
  const busy2 = stream => {
    stream.respond({ ':status': 503 })
    stream.end('no')
  }
  const { NGHTTP2_INTERNAL_ERROR, NGHTTP2_REFUSED_STREAM } = http2.constants
  const cancelled = code => stream => stream.close(code)
  const goAway = stream => {
    stream.session.goaway(0)
    stream.session.destroy()
  }
  const h2 = { allowH2: true, connect: { rejectUnauthorized: false } }

  test(`${version}: HTTP/2: a 503, an RST_STREAM and a GOAWAY are followed by another attempt`, async t => {
    const server = await serve2(t, busy2, cancelled(NGHTTP2_INTERNAL_ERROR), goAway, ok2)
    const dispatcher = dispatcherOf(t, { retry: { ...quick, maxAttempts: 4 } }, h2)
    const answer = await request(server.origin, { dispatcher })
    assert.equal(await answer.body.text(), 'ok')
    assert.equal(server.seen.length, 4)
  })

  test(`${version}: HTTP/2: a POST is repeated after REFUSED_STREAM alone`, async t => {
    const sent = async act => {
      const server = await serve2(t, act, ok2)
      const dispatcher = dispatcherOf(t, {}, h2)
      const call = request(server.origin, { dispatcher, method: 'POST', body: 'x' })
      await call.then(({ body }) => body.dump()).catch(() => {})
      return server.seen.length
    }
    assert.equal(await sent(cancelled(NGHTTP2_INTERNAL_ERROR)), 1)
    assert.equal(await sent(goAway), 1)
    assert.equal(await sent(cancelled(NGHTTP2_REFUSED_STREAM)), 2)
  })

  test(`${version}: HTTP/2: resilientFetch over undici's fetch`, async t => {
    const server = await serve2(t, cancelled(NGHTTP2_INTERNAL_ERROR), busy2, ok2)
    const agent = new Agent(h2)
    t.after(() => agent.destroy())
    const client = resilientFetch({
      retry: quick,
      fetch: (input, init) => fetch(input, { ...init, dispatcher: agent }),
    })
    t.after(() => client[Symbol.dispose]())
    const answer = await client(server.origin, { method: 'PUT', body: 'again' })
    assert.equal(await answer.text(), 'ok')
    assert.deepEqual(
      server.seen.map(({ body }) => body),
      ['again', 'again', 'again'],
    )
  })
}

test('options that are wrong are refused by name', () => {
  for (const [options, option] of [
    [{ instances: ['http://a'] }, 'instances'],
    [{ timeoutMs: 5 }, 'timeoutMs'],
    [{ retry: { maxAttempts: 0.5 } }, 'maxAttempts'],
    [{ breaker: { threshold: 0 } }, 'threshold'],
  ]) {
    assert.throws(
      () => seawallInterceptor(options),
      error =>
        (error instanceof OptionError && error.option === option) || error.message.includes(option),
      JSON.stringify(options),
    )
  }
})

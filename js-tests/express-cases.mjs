// What every front of workers has to do, whichever its mode: frameworks, protocols, balancer functions.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { get as httpGet } from 'node:http'
import { connect } from 'node:net'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import WebSocket from 'ws'
import { ends } from './express-cases-ends.mjs'
import { fault } from './express-cases-faults.mjs'
import { quiet } from './express-hostile.mjs'
import { folder, tls } from './express-tls.mjs'
import { bothOf, get, start, usualOf } from './express-tools.mjs'

/** What is served in each mode. */
const frameworks = {
  handoff: ['http', 'express', 'express4', 'fastify', 'koa', 'hono'],
  proxy: ['http', 'express', 'fastify', 'koa', 'hono', 'own'],
  http: ['http', 'express', 'fastify', 'koa', 'hono'],
}

/** All that comes until the other side ends. */
export async function rest(socket) {
  let text = ''
  socket.setEncoding('latin1')
  for await (const part of socket) text += part
  return text
}

export const whole = 'GET /where HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n'
export const bodyOf = text => JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1))

/** The tests of all modes, for one of them. */
export function cases(mode) {
  /** A server in this mode. */
  const run = (env, { options, ...more } = {}) =>
    start({ CALM: '1', ...env }, { ...more, options: { mode, ...options } })
  /** Whether workers have the client's connection itself, or its address. */
  const knows = mode !== 'http'

  for (const framework of frameworks[mode]) {
    test(`${framework}: every worker serves, and ends without losing what is under way`, async () => {
      const server = await run({ FRAMEWORK: framework })
      assert.equal(server.up.workers, 2)
      assert.equal((await bothOf(server.port)).length, 2)
      if (knows && framework !== 'own') {
        assert.equal((await get(server.port, '/where')).body.from, '127.0.0.1')
      }
      const slow = get(server.port, '/slow?ms=400')
      await sleep(100)
      const ended = server.stop()
      assert.equal((await slow).status, 200)
      assert.equal(await ended, 0)
    })
  }

  test('WebSockets and event streams; both are told to leave', async () => {
    const server = await run({ FRAMEWORK: 'ws' })
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}`)
    const [pid] = await once(socket, 'message')
    assert.ok(Number(pid) > 0)
    socket.send('hello')
    assert.equal(String((await once(socket, 'message'))[0]), 'echo hello')
    const [stream] = await once(
      httpGet({ port: server.port, path: '/events', agent: false }),
      'response',
    )
    assert.match(String((await once(stream, 'data'))[0]), /^data: \d+\n\n$/)
    const closed = once(socket, 'close')
    const ended = once(stream.resume(), 'end')
    const code = server.stop()
    assert.equal((await closed)[0], 1001)
    await ended
    assert.equal(await code, 0)
  })

  test('TLS, by the name a client asks for, without waiting for a timer', tls, async () => {
    const options = { requestInspectionTimeoutMs: 2000 }
    const server = await run({ FRAMEWORK: 'https', KEY: folder, BALANCER: 'sni' }, { options })
    const ask = async servername => {
      const more = { localAddress: '127.0.0.3', rejectUnauthorized: false }
      const socket = connectTls({ port: server.port, host: '127.0.0.1', servername, ...more })
      await once(socket, 'secureConnect')
      socket.end(whole)
      return bodyOf(await rest(socket))
    }
    const begun = performance.now()
    const [a, b, again] = [await ask('a.test'), await ask('b.test'), await ask('a.test')]
    assert.ok(performance.now() - begun < 1500)
    assert.equal(a.pid, again.pid)
    assert.notEqual(a.pid, b.pid)
    assert.equal(a.from, knows ? '127.0.0.3' : undefined, 'also through TLS')
    assert.equal(await server.stop(), 0)
  })

  // What is no HTTP at all is not for a front of requests.
  for (const HALF of knows ? ['0', '1'] : []) {
    test(`a half-closed connection is as the server wants it (${HALF})`, async () => {
      const server = await run({ FRAMEWORK: 'net', HALF })
      const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true })
      socket.end('bye')
      const text = await rest(socket)
      // The server's end takes its time, and a front may be quicker or slower than that.
      if (HALF === '1' || mode === 'handoff') assert.equal(text, HALF === '1' ? 'ended' : '')
      assert.ok(await quiet(server))
      assert.equal(await server.stop(), 0)
    })
  }

  describe('balancer functions', () => {
    // On a busy machine the head comes later than within the 10 ms of the default.
    const options = { requestInspectionTimeoutMs: 2000 }

    test('choose by the head of the request, which the worker gets whole', async () => {
      const server = await run({ BALANCER: 'path' }, { options })
      const [a, b] = [await usualOf(server.port, '/a'), await usualOf(server.port, '/b')]
      assert.notEqual(a, b)
      assert.equal(await usualOf(server.port, '/a'), a)
      assert.equal(await server.stop(), 0)
    })

    test('get what has come where the head does not end', async () => {
      const server = await run({ BALANCER: 'path' })
      const socket = connect(server.port, '127.0.0.1')
      socket.write('GET /b HTTP/1.1\r\nHo')
      await sleep(60)
      socket.write('st: here\r\nConnection: close\r\n\r\n')
      const text = await rest(socket)
      assert.match(text, /^HTTP\/1.1 200/)
      assert.ok(text.includes('"path":"/b"'), 'what was read to choose by is not lost')
      assert.equal(await server.stop(), 0)
    })

    test('that throw are logged, and who was to be served is told, or closed', async () => {
      const server = await run({ BALANCER: 'throws' }, { options })
      if (knows) await assert.rejects(get(server.port), { code: 'ECONNRESET' })
      else assert.equal((await get(server.port)).status, 502)
      const { error, because } = await server.message(({ error }) => error)
      assert.equal(error, '[defuss-express] load balancer connection error')
      assert.equal(because, 'no idea')
      // The client may know of it before it is counted.
      let { closed } = await server.counts()
      for (let n = 0; n < 100 && knows && closed === 0; n++) {
        await sleep(20)
        closed = (await server.counts()).closed
      }
      assert.equal(closed, knows ? 1 : 0)
      assert.equal(await server.stop(), 0)
    })

    test('that never answer cost a client no more than its patience', async () => {
      const server = await run({ BALANCER: 'never' }, { options: { ...options, patienceMs: 100 } })
      assert.equal((await get(server.port)).status, 503)
      assert.ok(await quiet(server))
      assert.equal(await server.stop(), 0)
    })

    test('that answer late outlive clients that do not wait', async () => {
      const server = await run({ BALANCER: 'late' })
      for (let n = 0; n < 20; n++) {
        const socket = connect(server.port, '127.0.0.1').on('error', () => {})
        await once(socket, 'connect')
        socket.resetAndDestroy()
      }
      assert.equal((await get(server.port)).status, 200)
      assert.equal(await server.stop(), 0)
    })
  })

  describe('with faults', () => fault(mode, run))
  describe('at its end', () => ends(run))
}

// Balancer functions that get the client's socket itself. Native and on Unix only.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import * as server from 'seawall/express'
import { quiet } from './express-hostile.mjs'
import { endAll, get, native, start, usualOf } from './express-tools.mjs'

after(endAll)

// On a busy machine the head comes later than within the 10 ms of the default.
const inspecting = { requestInspectionTimeoutMs: 2000 }
const lending = (options = {}) =>
  start({ BALANCER: 'socket' }, { options: { ...inspecting, ...options } })
const whole = path => `GET ${path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`

/** Says something, and answers all that comes until the connection ends. */
async function say(port, text, options) {
  const socket = connect({ port, host: '127.0.0.1', ...options })
  socket.on('error', () => {})
  let answer = ''
  socket.setEncoding('latin1').on('data', part => {
    answer += part
  })
  socket.write(text)
  await once(socket, 'close')
  return { answer, localPort: socket.localPort }
}

describe('a balancer function with the socket', { skip: !native && 'native only' }, () => {
  test('gets that of the client, as it is, and takes the mode proxy by itself', async () => {
    const app = await lending()
    assert.notEqual(await usualOf(app.port, '/a'), await usualOf(app.port, '/b'))
    const socket = connect({ port: app.port, host: '127.0.0.1', localAddress: '127.0.0.9' })
    socket.write(whole('/where'))
    socket.resume()
    await once(socket, 'connect')
    const { localPort } = socket
    const { socket: seen } = await app.message(({ socket }) => socket?.remotePort === localPort)
    assert.deepEqual(seen, {
      isSocket: true,
      remoteAddress: '127.0.0.9',
      remotePort: localPort,
      localPort: app.port,
      readableFlowing: null,
      readableLength: 0,
      bytesRead: 0,
      destroyed: false,
    })
    await once(socket, 'close')
    assert.equal((await app.counts()).open, 0, 'only a front that stays between knows this')
    assert.equal(await app.stop(), 0)
  })

  test('takes no byte from the worker', async () => {
    const app = await start(
      { BALANCER: 'socket', FRAMEWORK: 'bytes' },
      { options: { mode: 'proxy', ...inspecting } },
    )
    const options = {
      port: app.port,
      host: '127.0.0.1',
      path: '/sum',
      method: 'POST',
      agent: false,
    }
    const sent = request(options)
    const answered = once(sent, 'response')
    for (let n = 0; n < 40; n++) sent.write(Buffer.alloc(65_536, n))
    sent.end()
    const [answer] = await answered
    let sum = ''
    for await (const part of answer) sum += part
    const { createHash } = await import('node:crypto')
    const expected = createHash('sha256')
    for (let n = 0; n < 40; n++) expected.update(Buffer.alloc(65_536, n))
    assert.equal(sum, expected.digest('hex'))
    assert.equal(await app.stop(), 0)
  })

  test('may close it, or answer in place of a worker', async () => {
    const app = await lending()
    assert.equal((await say(app.port, whole('/destroy'))).answer, '')
    assert.match((await say(app.port, whole('/own'))).answer, /^HTTP\/1.1 418 /)
    assert.equal((await say(app.port, whole('/throw'))).answer, '')
    assert.ok(await quiet(app))
    const { closed, handed, open } = await app.counts()
    assert.deepEqual([closed, handed, open], [3, 0, 0])
    assert.equal(await app.stop(), 0)
  })

  test('answers whole also where much is unread, or its client goes away meanwhile', async () => {
    const app = await lending()
    const body = 'x'.repeat(200_000)
    const post = `POST /own HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    assert.match((await say(app.port, post)).answer, /^HTTP\/1.1 418 /)
    assert.equal((await say(app.port, whole('/page'))).answer.length, 20_000_043)
    for (let n = 0; n < 5; n++) {
      const socket = connect(app.port, '127.0.0.1').on('error', () => {})
      socket.write(whole('/page'))
      await once(socket, 'readable')
      socket.resetAndDestroy()
    }
    // The primary is there, and what the function said before a worker's answer is no end of it.
    assert.match(
      (await say(app.port, whole('/words'))).answer,
      /^HTTP\/1.1 103[\s\S]*HTTP\/1.1 200 /,
    )
    assert.ok(await quiet(app))
    assert.equal(await app.stop(), 0)
  })

  test('that never answers keeps no socket, nor one whose client is gone', async () => {
    const app = await lending({ patienceMs: 100 })
    const fds = async () => {
      await quiet(app)
      return app.ask('fds')
    }
    assert.match((await say(app.port, whole('/late'))).answer, /^HTTP\/1.1 200 /)
    const before = await fds()
    const never = Array.from({ length: 5 }, () => say(app.port, whole('/never')))
    for (const { answer } of await Promise.all(never)) assert.match(answer, /^HTTP\/1.1 503 /)
    for (let n = 0; n < 20; n++) {
      const socket = connect(app.port, '127.0.0.1').on('error', () => {})
      await once(socket, 'connect')
      socket.write(whole('/late'))
      await sleep(10)
      socket.resetAndDestroy()
    }
    let now = await fds()
    for (let n = 0; n < 100 && now !== before; n++) {
      await sleep(50)
      now = await fds()
    }
    assert.equal(now, before)
    assert.equal((await get(app.port)).status, 200)
    assert.equal(await app.stop(), 0)
  })

  test('knows the address a balancer in front has told', async () => {
    const app = await lending({ proxyProtocol: { in: true } })
    await say(app.port, `PROXY TCP4 192.0.2.8 192.0.2.1 1234 2\r\n${whole('/where')}`)
    const { socket } = await app.message(({ socket }) => socket)
    assert.deepEqual([socket.remoteAddress, socket.remotePort], ['192.0.2.8', 1234])
    assert.equal(await app.stop(), 0)
  })

  for (const mode of ['handoff', 'http', 'cluster']) {
    test(`is a clear error in the mode ${mode}`, async () => {
      const app = await lending({ mode })
      assert.equal(app.up.code, 'SEAWALL_INVALID_OPTION')
      assert.match(app.up.failed, /withSocket\(\) needs the `mode` "proxy"/)
      assert.equal(await app.exited, 1)
    })
  }
})

test('called by itself it is the function it was made of', async () => {
  const candidates = [{ workerIndex: 0 }, { workerIndex: 1 }]
  const balancer = server.withSocket(({ candidates, socket }) => candidates[socket.place])
  assert.equal(
    await server.pickBackend({ candidates, socket: { place: 1 } }, balancer),
    candidates[1],
  )
})

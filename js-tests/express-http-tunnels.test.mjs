// Connections that are passed as a whole, or from their upgrade on, by the front that balances single
// requests: how they end, and who gets them. Native and on Unix only.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request as secureRequest } from 'node:https'
import { connect } from 'node:net'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ask, expectQuiet } from './express-http-tools.mjs'
import { folder, tls } from './express-tls.mjs'
import { endAll, get, inOneTry, native, start } from './express-tools.mjs'

after(endAll)

const front = (http = {}, options = {}) =>
  start({ FRAMEWORK: 'front', CALM: '1' }, { options: { mode: 'http', http, ...options } })

/** A tunnel of whose client nothing is heard any more, once the application has taken it. */
async function tunnel(server, to) {
  const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => {})
  socket.write(`CONNECT ${to}:1 HTTP/1.1\r\nHost: ${to}:1\r\n\r\n`)
  const [head] = await once(socket, 'data')
  assert.match(String(head), /^HTTP\/1.1 200 Connected\r\n\r\n/)
  return socket
}

describe('tunnels through the front', { skip: !native && 'native only' }, () => {
  test('one that the application has cut off ends, though its client says nothing', async () => {
    const server = await front({ maxInFlight: 1 }, { workers: 1 })
    const socket = await tunnel(server, 'gone')
    await expectQuiet(server, 10_000)
    assert.equal((await ask(server.port, '/')).status, 200)
    socket.destroy()
    assert.equal(await server.stop(), 0)
  })

  test('so does one whose worker has died', async () => {
    const server = await front({}, { workers: 1, patienceMs: 10_000 })
    const { pid } = (await ask(server.port, '/')).body
    const socket = await tunnel(server, 'quiet')
    process.kill(pid, 'SIGKILL')
    await expectQuiet(server, 10_000)
    assert.equal((await ask(server.port, '/')).status, 200)
    socket.destroy()
    assert.equal(await server.stop(), 0)
  })

  test('one whose application has only ended its half goes on', async () => {
    const server = await front({}, { workers: 1 })
    const socket = await tunnel(server, 'half')
    // Longer than it takes until is looked whether the worker is gone.
    await sleep(2500)
    assert.equal((await server.counts()).open, 1)
    socket.end('the last word')
    await server.message(({ heard }) => heard === 'the last word')
    await expectQuiet(server)
    assert.equal(await server.stop(), 0)
  })

  for (const allowHalfOpen of [true, false]) {
    const what = allowHalfOpen ? 'goes on' : 'is over where none may be half open'
    test(`one whose client has ended its half ${what}`, async () => {
      const server = await front({}, { workers: 1, allowHalfOpen })
      const socket = await tunnel(server, 'quiet')
      socket.end()
      if (allowHalfOpen) {
        await sleep(500)
        assert.equal((await server.counts()).open, 1)
        socket.destroy()
      } else {
        await expectQuiet(server, 10_000)
      }
      assert.equal(await server.stop(), 0)
    })
  }

  test('what the application says before it closes is not lost to a client that still sends', () =>
    inOneTry(async () => {
      const server = await front({}, { workers: 1 })
      const socket = await tunnel(server, 'refusing')
      const over = new Promise(resolve => socket.once('end', resolve).once('close', resolve))
      socket.pause()
      // More than fits between the two.
      await new Promise(resolve => socket.write(Buffer.alloc(8_000_000), resolve))
      let text = ''
      socket.setEncoding('utf8').on('data', data => {
        text += data
      })
      socket.resume()
      await over
      assert.equal(text, 'too much')
      assert.ok(socket.readableEnded, 'and not cut off')
      socket.destroy()
      await expectQuiet(server, 10_000)
      assert.equal(await server.stop(), 0)
    }))
})

describe('a worker nobody can connect to', { skip: !native && 'native only' }, () => {
  const secure = (port, path) =>
    new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port, path, agent: false, rejectUnauthorized: false }
      const sent = secureRequest(options, async response => {
        let text = ''
        for await (const part of response) text += part
        resolve(JSON.parse(text))
      })
      sent.on('error', reject).end()
    })

  for (const patienceMs of [1000, 0]) {
    test(`gets no TLS, the other one does; patience of ${patienceMs} ms`, tls, () =>
      inOneTry(async () => {
        const options = { mode: 'http', ejectAfter: 0, patienceMs }
        const server = await start({ FRAMEWORK: 'https', KEY: folder }, { options })
        const { pid } = await secure(server.port, '/deaf')
        const answers = await Promise.all(
          Array.from({ length: 10 }, () => secure(server.port, '/')),
        )
        assert.ok(answers.every(answer => answer.pid !== pid))
        await expectQuiet(server)
        assert.equal(await server.stop(), 0)
      }),
    )
  }

  test('gets no request without patience, the other one does', () =>
    inOneTry(async () => {
      const http = { maxIdle: 0 }
      const options = { mode: 'http', ejectAfter: 0, patienceMs: 0, http }
      const server = await start({ CALM: '1' }, { options })
      const { pid } = (await get(server.port, '/deaf')).body
      for (let n = 0; n < 10; n++) {
        const { status, body } = await get(server.port)
        assert.equal(status, 200)
        assert.notEqual(body.pid, pid)
      }
      await expectQuiet(server)
      assert.equal(await server.stop(), 0)
    }))

  test('is the only one: who asks is refused when the patience is over', async () => {
    const http = { maxIdle: 0 }
    const options = { mode: 'http', ejectAfter: 0, patienceMs: 200, workers: 1, http }
    const server = await start({ CALM: '1' }, { options })
    assert.equal((await get(server.port, '/deaf')).status, 200)
    assert.equal((await get(server.port, '/', { ms: 20_000 })).status, 503)
    const socket = connect(server.port, '127.0.0.1')
    socket.write('\x16\x03\x01\x00\x05hello')
    socket.resume()
    await once(socket, 'close')
    await expectQuiet(server)
    assert.equal(await server.stop(), 0)
  })
})

// Connections that are passed as a whole, or from their upgrade on, by the front that balances single
// requests: how they end. Native and on Unix only.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ask, expectQuiet } from './express-http-tools.mjs'
import { endAll, inOneTry, native, start } from './express-tools.mjs'

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

// Connections whose bytes are carried: real processes, real connections. Native only.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Agent, get as httpGet, request } from 'node:http'
import { connect } from 'node:net'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { bodyOf, cases, rest, whole } from './express-cases.mjs'
import { quiet } from './express-hostile.mjs'
import { endAll, get, native, start, workersOf } from './express-tools.mjs'

after(endAll)

const proxy = (env, { options, ...more } = {}) =>
  start(env, { ...more, options: { mode: 'proxy', ...options } })

describe('connections whose bytes are carried', { skip: !native && 'native only' }, () => {
  cases('proxy')

  test('an application that cuts its clients off ends when none is there', async () => {
    const server = await proxy({ FRAMEWORK: 'own' })
    const agent = new Agent({ keepAlive: true, maxSockets: 4 })
    await Promise.all([1, 2, 3, 4].map(() => get(server.port, '/', { agent })))
    const slow = [get(server.port, '/slow?ms=900', { agent }), get(server.port, '/slow?ms=500')]
    await sleep(100)
    const begun = performance.now()
    const ended = server.stop()
    for (const { status } of await Promise.all(slow)) assert.equal(status, 200)
    assert.equal(await ended, 0)
    assert.ok(performance.now() - begun < 4000, 'idle connections do not hold it')
    agent.destroy()
  })

  test('an application with sockets of its own is given a port where those are set', async () => {
    const options = { workers: 1, baseWorkerPort: 36_417 }
    const server = await proxy({ FRAMEWORK: 'own' }, { options })
    const [pid] = await workersOf(server.port, 2)
    assert.equal((await get(36_417)).body.pid, pid)
    assert.equal(await server.stop(), 0)
  })

  test('and in the mode handoff it is a clear error that says what to do', async () => {
    const server = await start({ FRAMEWORK: 'own' }, { options: { workers: 1 } })
    assert.equal(server.up.code, 'SEAWALL_FRAMEWORK')
    assert.match(server.up.failed, /give startServer\(\) the `mode` "proxy"/)
    assert.equal(await server.exited, 1)
  })

  test('servers of Node open the ports that are set, for the front alone', async () => {
    const options = { workers: 1, baseWorkerPort: 36_431 }
    const server = await proxy({}, { options })
    assert.equal((await get(server.port)).status, 200)
    await assert.rejects(get(36_431), 'nobody can say that he is somebody else')
    assert.equal(await server.stop(), 0)
  })

  test('a kept connection stays with its worker, and is counted there', async () => {
    const server = await proxy()
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const pids = new Set()
    for (let n = 0; n < 5; n++) pids.add((await get(server.port, '/', { agent })).body.pid)
    assert.equal(pids.size, 1)
    const { counts, workers } = await server.stats()
    assert.deepEqual([counts.open, counts.handed, counts.accepted], [1, 1, 1])
    assert.deepEqual(workers.map(({ connections }) => connections).sort(), [0, 1])
    agent.destroy()
    assert.ok(await quiet(server))
    assert.equal((await server.counts()).open, 0)
    assert.equal(await server.stop(), 0)
  })

  test('large bodies, both ways', async () => {
    const server = await proxy({ FRAMEWORK: 'bytes' })
    const parts = 1600
    const sent = request({ port: server.port, path: '/sum', method: 'POST', agent: false })
    const sum = createHash('sha256')
    const answered = once(sent, 'response')
    for (let n = 0; n < parts; n++) {
      const part = randomBytes(65_536)
      sum.update(part)
      if (!sent.write(part)) await once(sent, 'drain')
    }
    sent.end()
    const [answer] = await answered
    assert.equal(await rest(answer), sum.digest('hex'))
    const [download] = await once(
      httpGet({ port: server.port, path: `/bytes?parts=${parts}`, agent: false }),
      'response',
    )
    const [got, expected] = [createHash('sha256'), createHash('sha256')]
    let bytes = 0
    for await (const part of download) {
      bytes += part.length
      got.update(part)
    }
    const part = Buffer.alloc(65_536, '/bytes')
    for (let n = 0; n < parts; n++) expected.update(part)
    assert.equal(bytes, parts * 65_536)
    assert.equal(got.digest('hex'), expected.digest('hex'))
    assert.equal(await server.stop(), 0)
  })

  test('a client that does not read stops its worker, and costs no memory', async () => {
    const server = await proxy({ FRAMEWORK: 'bytes' })
    await once(httpGet({ port: server.port, path: '/bytes?parts=1', agent: false }), 'response')
    const before = await server.ask('rss')
    const sockets = Array.from({ length: 8 }, () => connect(server.port, '127.0.0.1'))
    for (const socket of sockets) {
      socket.pause()
      socket.write('GET /bytes?parts=3200 HTTP/1.1\r\nHost: h\r\n\r\n')
    }
    await sleep(1500)
    const more = (await server.ask('rss')) - before
    assert.ok(more < 24 * 2 ** 20, `${(more / 2 ** 20).toFixed(1)} MiB more`)
    for (const socket of sockets) socket.destroy()
    assert.ok(await quiet(server))
    assert.equal(await server.stop(), 0)
  })

  test('a server that has ended its half still gets what the client says', async () => {
    const server = await proxy({ FRAMEWORK: 'half' })
    const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true })
    // An iterator would destroy the socket at its end.
    let text = ''
    socket.setEncoding('latin1').on('data', part => {
      text += part
    })
    await once(socket, 'end')
    assert.equal(text, 'bye')
    socket.write('one ')
    await sleep(50)
    socket.end('two')
    assert.equal((await server.message(({ got }) => got)).got, 'one two')
    assert.ok(await quiet(server))
    assert.equal((await server.counts()).open, 0)
    assert.equal(await server.stop(), 0)
  })

  test('workers see the address of the client', async () => {
    const server = await proxy()
    const socket = connect({ port: server.port, host: '127.0.0.1', localAddress: '127.0.0.2' })
    socket.write(whole)
    assert.equal(bodyOf(await rest(socket)).from, '127.0.0.2')
    assert.equal(await server.stop(), 0)
  })

  test('over IPv6 as well', async () => {
    const server = await proxy({}, { options: { host: '::1' } })
    assert.equal((await get(server.port, '/where', { host: '::1' })).body.from, '::1')
    assert.equal(await server.stop(), 0)
  })

  describe('the PROXY protocol', () => {
    const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')
    const second = (command, family, words) =>
      Buffer.concat([
        signature,
        Buffer.from([command, family, words.length >> 8, words.length & 255]),
        Buffer.from(words),
      ])
    const four = second(0x21, 0x11, [192, 0, 2, 7, 198, 51, 100, 1, 0x1f, 0x90, 1, 0xbb])
    const six = second(0x21, 0x21, [
      ...[0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9],
      ...Array(15).fill(0),
      1,
      ...[0, 80, 1, 0xbb],
    ])
    const say = (port, ...parts) => {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => {})
      for (const part of parts) socket.write(part)
      return socket
    }

    test('of a balancer in front says who the client is', async () => {
      const server = await proxy({}, { options: { proxyProtocol: { in: true } } })
      const from = async (...parts) => bodyOf(await rest(say(server.port, ...parts))).from
      assert.equal(await from(four, whole), '192.0.2.7')
      assert.equal(await from(Buffer.concat([six, Buffer.from(whole)])), '2001:db8::9')
      assert.equal(await from(second(0x20, 0, []), whole), '127.0.0.1', 'its own')
      assert.equal(await from('PROXY TCP4 192.0.2.8 192.0.2.1 1 2\r\n', whole), '192.0.2.8')
      assert.equal(await from('PROXY UNKNOWN\r\n', whole), '127.0.0.1')
      // Byte by byte.
      const slow = connect({ port: server.port, host: '127.0.0.1', noDelay: true })
      for (const byte of four) {
        slow.write(Buffer.from([byte]))
        await sleep(2)
      }
      slow.write(whole)
      assert.equal(bodyOf(await rest(slow)).from, '192.0.2.7')
      assert.equal(await server.stop(), 0)
    })

    test('that makes no sense, or is not there, ends the connection', async () => {
      const server = await proxy({}, { options: { proxyProtocol: { in: true } } })
      const wrong = Buffer.from(four)
      wrong[12] = 0x31
      const bad = [whole, wrong, second(0x21, 0x11, [1, 2, 3]), 'PROXY TCP4 a b c d\r\n']
      for (const words of bad) {
        const socket = say(server.port, words)
        socket.resume()
        await once(socket, 'close')
      }
      // Nor does a client that goes in the middle of it.
      say(server.port, four.subarray(0, 9)).end()
      while ((await server.counts()).accepted < 5) await sleep(10)
      assert.ok(await quiet(server))
      assert.equal((await server.counts()).closed, 5)
      assert.equal((await rest(say(server.port, four, whole))).slice(0, 15), 'HTTP/1.1 200 OK')
      assert.equal(await server.stop(), 0)
    })

    test('goes to an application with sockets of its own that wants it', async () => {
      const options = { proxyProtocol: { out: true } }
      const server = await proxy({ FRAMEWORK: 'raw' }, { options })
      const socket = connect({ port: server.port, host: '127.0.0.1', localAddress: '127.0.0.4' })
      socket.write('hello')
      const bytes = Buffer.from(await rest(socket), 'hex')
      assert.deepEqual(bytes.subarray(0, 16), second(0x21, 0x11, Array(12).fill(0)).subarray(0, 16))
      assert.deepEqual([...bytes.subarray(16, 24)], [127, 0, 0, 4, 127, 0, 0, 1])
      assert.equal(bytes.readUInt16BE(26), server.port)
      assert.equal(await server.stop(), 0)
    })

    test('is believed of whom it is to be, and anybody else is a client', async () => {
      const proxyProtocol = { in: true, from: ['127.0.0.2/31', '2001:db8::/32'] }
      const server = await proxy({}, { options: { proxyProtocol } })
      const ask = async (localAddress, ...parts) => {
        const socket = connect({ port: server.port, host: '127.0.0.1', localAddress })
        for (const part of parts) socket.write(part)
        return rest(socket)
      }
      assert.equal(bodyOf(await ask('127.0.0.3', four, whole)).from, '192.0.2.7')
      assert.equal(bodyOf(await ask('127.0.0.1', whole)).from, '127.0.0.1')
      const line = 'PROXY TCP4 192.0.2.8 192.0.2.1 1 2\r\n'
      assert.match(await ask('127.0.0.1', line, whole), /^HTTP\/1.1 400 /, 'is no request')
      assert.equal(bodyOf(await ask('127.0.0.2', line, whole)).from, '192.0.2.8')
      assert.equal(await server.stop(), 0)
    })

    for (const from of [['10.0.0.0/40'], 'somebody', [], [7]]) {
      test(`is from addresses, which ${JSON.stringify(from)} is not`, async () => {
        const server = await proxy({}, { options: { proxyProtocol: { in: true, from } } })
        assert.equal(server.up.code, 'SEAWALL_INVALID_OPTION')
        assert.match(server.up.failed, /`proxyProtocol.from` must be addresses, or ranges of them/)
        assert.equal(await server.exited, 1)
      })
    }

    test('has no other options', async () => {
      const server = await proxy({}, { options: { proxyProtocol: { inn: true } } })
      assert.equal(server.up.code, 'SEAWALL_INVALID_OPTION')
      assert.match(server.up.failed, /unknown option `proxyProtocol.inn`; did you mean/)
      assert.equal(await server.exited, 1)
    })
  })
})

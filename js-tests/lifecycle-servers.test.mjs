// Servers that are brought to rest: what each kind of connection sees, over real sockets.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import net from 'node:net'
import { afterEach, describe, test } from 'node:test'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import tls from 'node:tls'
import express from 'express'
import fastify from 'fastify'
import { engineKind, OptionError } from 'seawall'
import { ServerTracker } from 'seawall/lifecycle'
import { WebSocket, WebSocketServer } from 'ws'

const pem = readFileSync(new URL('fixtures/loopback.pem', import.meta.url))
const certificate = () => ({ key: pem, cert: pem })

const cleanups = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A server with a tracker, on a free port. */
async function start(server, options) {
  const tracker = new ServerTracker(server, { farewellMs: 200, seed: 1, ...options })
  cleanups.push(() => tracker.force())
  await listen(server)
  return { tracker, server, port: server.address().port }
}

async function listen(server) {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server.address().port
}

/** A raw connection: what came on it, and how to wait for more. */
async function raw(port, connect = net.connect) {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
  cleanups.push(() => socket.destroy())
  let text = ''
  let error
  socket.setEncoding('latin1')
  socket.on('data', chunk => {
    text += chunk
  })
  socket.on('error', reason => {
    error = reason
  })
  await once(socket, connect === tls.connect ? 'secureConnect' : 'connect')
  const closed = new Promise(resolve => socket.once('close', resolve))
  return {
    socket,
    closed,
    send: data => socket.write(data),
    get text() {
      return text
    },
    get error() {
      return error
    },
    /** Waits for text to come. */
    async has(part) {
      for (let i = 0; i < 500 && !text.includes(part); i++) await sleep(2)
      assert.ok(text.includes(part), `no ${JSON.stringify(part)} in ${JSON.stringify(text)}`)
    },
    clear() {
      text = ''
    },
  }
}

const GET = (path = '/', more = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`
const never = () => {}

/** Waits until something holds. */
async function until(holds, what) {
  for (let i = 0; i < 1000; i++) {
    if (holds()) return
    await sleep(2)
  }
  assert.fail(`${what ?? holds} did not come true`)
}

/** Whether a promise is still open after `ms`. */
const open = async (promise, ms = 80) =>
  (await Promise.race([promise, sleep(ms, 'open')])) === 'open'

describe('counts', () => {
  test('idle, active, and back to nothing', async () => {
    const responses = []
    const { tracker, port } = await start(http.createServer((_, res) => responses.push(res)))
    assert.equal(tracker.isListening, true)
    const client = await raw(port)
    await until(() => tracker.connectionCount === 1)
    assert.equal(tracker.activeConnectionCount, 0)
    client.send(GET())
    await until(() => responses.length === 1)
    assert.equal(tracker.activeConnectionCount, 1)
    responses[0].end('done')
    await client.has('done')
    await until(() => tracker.activeConnectionCount === 0)
    assert.equal(tracker.connectionCount, 1)
    client.socket.destroy()
    await until(() => tracker.connectionCount === 0)
  })

  test('an aborted response is over', async () => {
    let began = false
    const { tracker, port } = await start(
      http.createServer(() => {
        began = true
      }),
    )
    const client = await raw(port)
    client.send(GET())
    await until(() => began)
    client.socket.destroy()
    await until(() => tracker.connectionCount === 0)
    await tracker.close()
  })

  test('the first bytes of a request make a connection active', async () => {
    const { tracker, port } = await start(http.createServer((_, res) => res.end('done')))
    const client = await raw(port)
    client.send('GE')
    await until(() => tracker.activeConnectionCount === 1)
    client.send(GET().slice(2))
    await client.has('done')
    await until(() => tracker.activeConnectionCount === 0)
    // The beginning of the next in the same packet as the end of this one.
    client.clear()
    client.send(`${GET()}GET /next HT`)
    await client.has('done')
    await turn()
    assert.equal(tracker.activeConnectionCount, 1)
  })

  test('what is under way, with route and age and without its query', async () => {
    const app = express()
    const router = express.Router()
    router.get('/users/:id', never)
    app.use('/api', router)
    const { tracker, port } = await start(http.createServer(app))
    const client = await raw(port)
    client.send(GET('/api/users/7?token=secret'))
    await until(() => tracker.report().inFlight.length === 1)
    const [{ what, ageMs }] = tracker.report().inFlight
    assert.equal(what, 'GET /api/users/:id (/api/users/7)')
    assert.ok(ageMs >= 0 && ageMs < 5000)
  })
})

describe('while it drains', () => {
  test('a growing share of connections is told to leave, and served until then', async () => {
    let now = 0
    const timers = new Set()
    const clock = {
      now: () => now,
      setTimer: fn => timers.add(fn) && fn,
      clearTimer: fn => timers.delete(fn),
    }
    const { tracker, port } = await start(
      http.createServer((_, res) => res.end('ok')),
      { clock },
    )
    const clients = await Promise.all(Array.from({ length: 20 }, () => raw(port)))
    for (const client of clients) client.send(GET())
    for (const client of clients) await client.has('ok')
    tracker.beginDrain(1000)
    assert.equal(tracker.isListening, true)
    const told = async at => {
      now = at
      const before = clients.map(client => client.text.includes('Connection: close'))
      for (const [i, client] of clients.entries()) {
        if (before[i]) continue
        client.clear()
        client.send(GET())
        await client.has('ok')
      }
      return clients.filter(client => client.text.includes('Connection: close')).length
    }
    assert.equal(await told(0), 0)
    assert.ok(Math.abs((await told(250)) - 5) <= 1)
    assert.ok(Math.abs((await told(500)) - 10) <= 1)
    assert.equal(await told(1000), 20)
    await Promise.all(clients.map(client => client.closed))
    // New ones are served all the same.
    const late = await raw(port)
    late.send(GET())
    await late.has('ok')
    assert.match(late.text, /Connection: close/)
    assert.deepEqual(
      clients.map(client => client.error),
      clients.map(() => undefined),
    )
  })

  test('a window below zero is refused', async () => {
    const { tracker } = await start(http.createServer())
    assert.throws(() => tracker.beginDrain(-1), OptionError)
  })

  test('no timer before, none after', async () => {
    let timers = 0
    const clock = {
      now: () => performance.now(),
      setTimer: (fn, ms) => {
        timers++
        return setTimeout(fn, ms)
      },
      clearTimer: timer => clearTimeout(timer),
    }
    const { tracker, port } = await start(
      http.createServer((_, res) => res.end('ok')),
      { clock },
    )
    const client = await raw(port)
    client.send(GET())
    await client.has('ok')
    assert.equal(timers, 0)
    client.socket.destroy()
    await tracker.close()
    const after = timers
    await sleep(60)
    assert.equal(timers, after)
  })
})

describe('when it closes', () => {
  test('an idle connection ends in order, a new one is refused', async () => {
    const { tracker, port } = await start(http.createServer((_, res) => res.end('ok')))
    const client = await raw(port)
    client.send(GET())
    await client.has('ok')
    const fresh = await raw(port)
    await tracker.close()
    await Promise.all([client.closed, fresh.closed])
    assert.equal(client.error, undefined)
    assert.equal(tracker.connectionCount, 0)
    await assert.rejects(raw(port), { code: 'ECONNREFUSED' })
  })

  test('a request under way is answered, and its connection closed', async () => {
    const responses = []
    const { tracker, port } = await start(http.createServer((_, res) => responses.push(res)))
    const client = await raw(port)
    client.send(GET())
    await until(() => responses.length === 1)
    const closed = tracker.close()
    assert.ok(await open(closed))
    responses[0].end('done')
    await closed
    await client.has('done')
    assert.match(client.text, /Connection: close/)
    await client.closed
    assert.equal(client.error, undefined)
  })

  test('a response whose head is out already is answered whole', async () => {
    const responses = []
    const { tracker, port } = await start(
      http.createServer((_, res) => {
        res.writeHead(200, { 'Content-Length': 8 })
        res.write('half')
        responses.push(res)
      }),
    )
    const client = await raw(port)
    client.send(GET())
    await client.has('half')
    const closed = tracker.close()
    assert.ok(await open(closed))
    responses[0].end('rest')
    await closed
    await client.has('halfrest')
    assert.equal(client.error, undefined)
  })

  test('half a head is waited for and served', async () => {
    const { tracker, port } = await start(http.createServer((_, res) => res.end('done')))
    const client = await raw(port)
    client.send('GET / HTT')
    await until(() => tracker.activeConnectionCount === 1)
    const closed = tracker.close()
    assert.ok(await open(closed))
    client.send('P/1.1\r\nHost: x\r\n\r\n')
    await closed
    await client.has('done')
    assert.match(client.text, /Connection: close/)
  })

  test('half a head that came with the request before is served', async () => {
    const { tracker, port } = await start(http.createServer((_, res) => res.end('done')))
    const client = await raw(port)
    client.send(`${GET()}GET /n`)
    await client.has('done')
    const closed = tracker.close()
    assert.ok(await open(closed))
    client.clear()
    client.send(GET('/next').slice(6))
    await closed
    await client.has('done')
  })

  test('a body that comes slowly is waited for', async () => {
    const { tracker, port } = await start(
      http.createServer(async (req, res) => {
        let text = ''
        for await (const chunk of req) text += chunk
        res.end(`got ${text}`)
      }),
    )
    const client = await raw(port)
    client.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc')
    await until(() => tracker.activeConnectionCount === 1)
    const closed = tracker.close()
    assert.ok(await open(closed))
    client.send('def')
    await closed
    await client.has('got abcdef')
    assert.equal(client.error, undefined)
  })

  test('a keep-alive request that slips in is served, not refused', async () => {
    const responses = []
    const { tracker, port } = await start(
      http.createServer((req, res) => {
        if (req.url === '/slow') responses.push(res)
        else res.end('served')
      }),
    )
    const [slow, late] = [await raw(port), await raw(port)]
    slow.send(GET('/slow'))
    late.send('G')
    await until(() => tracker.activeConnectionCount === 2)
    const closed = tracker.close()
    assert.ok(await open(closed))
    assert.equal(tracker.isListening, false)
    late.send(GET().slice(1))
    await late.has('served')
    assert.match(late.text, /Connection: close/)
    responses[0].end()
    await closed
  })

  test('requests that came together are all answered', async () => {
    const responses = []
    const { tracker, port } = await start(http.createServer((_, res) => responses.push(res)))
    const client = await raw(port)
    client.send(GET('/1'))
    await until(() => responses.length === 1)
    const closed = tracker.close()
    await sleep(30)
    client.send(GET('/2') + GET('/3'))
    await until(() => responses.length === 3)
    for (const [i, res] of responses.entries()) res.end(`answer ${i + 1}`)
    await closed
    await client.has('answer 3')
    assert.match(client.text, /answer 1[\s\S]*answer 2/)
    assert.equal(client.text.match(/Connection: close/g).length, 1)
    assert.equal(client.error, undefined)
  })

  test('connections that the kernel has accepted are served, however many', async () => {
    // Without the addon they are taken while answered clients are given time, one in a turn.
    const server = http.createServer((_, res) => res.end('ok'))
    const { tracker, port } = await start(server, { farewellMs: 5_000 })
    const ends = Array.from({ length: 60 }, () => {
      const { promise, resolve } = Promise.withResolvers()
      let text = ''
      const socket = net.connect(port, '127.0.0.1')
      socket.on('data', chunk => (text += chunk))
      socket.on('error', error => resolve(error.code))
      socket.on('end', () => resolve(text.split('\r\n\r\n')[1]))
      socket.write(GET())
      return promise
    })
    // All are connected by now; libuv takes one of them in each turn of its loop.
    await new Promise(resolve => setImmediate(resolve))
    await tracker.close()
    assert.deepEqual(await Promise.all(ends), Array(60).fill('ok'))
  })

  test('they are served though each turn of the loop is long', {
    skip:
      (engineKind() === 'wasm' || process.platform === 'win32') &&
      'without the addon, one is taken in a turn of the loop',
  }, async () => {
    const { tracker, port } = await start(http.createServer((_, res) => res.end('ok')))
    const { spawn } = await import('node:child_process')
    // Another process, since this one stands still while they connect.
    const child = spawn(process.execPath, [
      '-e',
      `let [ok, bad, up] = [0, 0, 0]
      const over = () => { if (ok + bad === 200) process.stdout.write(ok + ' ok, ' + bad + ' bad'); }
      for (let i = 0; i < 200; i++) {
        const s = require('net').connect(${port}, '127.0.0.1')
        s.once('data', () => { ok++; over() }).on('error', () => { bad++; over() })
        s.write(${JSON.stringify(GET())})
      }`,
    ])
    cleanups.push(() => child.kill())
    let out = ''
    child.stdout.on('data', chunk => {
      out += chunk
    })
    const standStill = ms => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
    await sleep(20)
    standStill(1000)
    const busy = setInterval(() => standStill(20), 1)
    cleanups.push(() => clearInterval(busy))
    await tracker.close()
    clearInterval(busy)
    await until(() => out !== '')
    assert.equal(out, '200 ok, 0 bad')
  })

  test('connections that go on coming do not keep it from closing', async () => {
    const { tracker, port } = await start(http.createServer((_, res) => res.end('ok')))
    let coming = true
    const come = () => {
      if (!coming) return
      const socket = net.connect(port, '127.0.0.1', () => socket.destroy())
      socket.on('error', never)
      socket.on('close', () => setImmediate(come))
    }
    for (let i = 0; i < 8; i++) come()
    await sleep(20)
    assert.equal(await open(tracker.close(), 5000), false)
    coming = false
  })

  test('bytes that arrived while the loop was busy are read before an idle connection is closed', async () => {
    const { tracker, port } = await start(http.createServer((_, res) => res.end('served')))
    const { spawn } = await import('node:child_process')
    // Another process, since this one is about to stand still.
    const child = spawn(process.execPath, [
      '-e',
      `const s = require('net').connect(${port}, '127.0.0.1', () => {
        process.stdout.write('up')
        process.stdin.once('data', () => setTimeout(() => s.write(${JSON.stringify(GET())}), 100))
      })
      s.on('data', d => process.stdout.write(d)); s.on('close', () => process.exit()); s.on('error', e => process.stdout.write(e.code))`,
    ])
    cleanups.push(() => child.kill())
    let out = ''
    child.stdout.on('data', chunk => {
      out += chunk
    })
    await until(() => out.includes('up') && tracker.connectionCount === 1)
    child.stdin.write('go')
    await sleep(20)
    tracker.beginDrain(0)
    const closed = tracker.close()
    const end = performance.now() + 300
    while (performance.now() < end);
    await closed
    await until(() => out.includes('served'), 'the answer')
  })

  test('a client that does not close its side is cut after a while, without losing its answer', async () => {
    const { tracker, port } = await start(http.createServer((_, res) => res.end('ok')))
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    socket.resume()
    cleanups.push(() => socket.destroy())
    await until(() => tracker.connectionCount === 1)
    const before = performance.now()
    await tracker.close()
    const took = performance.now() - before
    assert.ok(took >= 150 && took < 1000, `${took} ms`)
  })

  test('bytes after the end are counted, and never become a request', async () => {
    let requests = 0
    const { tracker, port } = await start(
      http.createServer((_, res) => {
        requests++
        res.end('ok')
      }),
    )
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    cleanups.push(() => socket.destroy())
    socket.on('error', never).resume()
    await until(() => tracker.connectionCount === 1)
    const closed = tracker.close()
    await once(socket, 'end')
    socket.write(GET())
    await closed
    assert.equal(requests, 0)
    assert.equal(tracker.report().raced, 1)
  })

  test('force cuts what is left, and close resolves', async () => {
    const { tracker, port } = await start(http.createServer(never))
    const client = await raw(port)
    client.send(GET())
    await until(() => tracker.activeConnectionCount === 1)
    const closed = tracker.requestShutdown()
    assert.ok(await open(closed))
    tracker.forceClose()
    await closed
    await client.closed
    assert.equal(tracker.isListening, false)
  })

  test('a server that never listened, and one that was closed by others', async () => {
    const idle = new ServerTracker(http.createServer())
    await idle.close()
    const { tracker, server } = await start(http.createServer())
    server.close()
    await tracker.close()
    await tracker.close()
  })
})

describe('servers that listened before', () => {
  test('what is under way is found', async () => {
    const responses = []
    const server = http.createServer((_, res) => responses.push(res))
    const port = await listen(server)
    const [idle, busy, half] = [await raw(port), await raw(port), await raw(port)]
    busy.send(GET())
    half.send('GE')
    await until(() => responses.length === 1)
    await sleep(20)
    const tracker = new ServerTracker(server, { farewellMs: 100 })
    cleanups.push(() => tracker.force())
    const closed = tracker.close()
    await idle.closed
    assert.ok(await open(closed))
    responses[0].end('done')
    await busy.has('done')
    half.send(GET().slice(2))
    await until(() => responses.length === 2)
    responses[1].end('also')
    await half.has('also')
    await closed
  })
})

describe('TLS', () => {
  test('handshakes, half heads and idle connections', async () => {
    const { tracker, port } = await start(
      https.createServer(certificate(), (_, res) => res.end('ok')),
    )
    const idle = await raw(port, tls.connect)
    idle.send(GET())
    await idle.has('ok')
    const half = await raw(port, tls.connect)
    half.send('GET / ')
    await until(() => tracker.activeConnectionCount === 1)
    assert.equal(tracker.connectionCount, 2)
    const closed = tracker.close()
    await idle.closed
    assert.equal(idle.error, undefined)
    assert.ok(await open(closed))
    half.send(GET().slice(6))
    await closed
    await half.has('ok')
    assert.match(half.text, /Connection: close/)
    assert.equal(tracker.connectionCount, 0)
  })

  test('a handshake that is under way is served', async () => {
    const { tracker, port } = await start(
      https.createServer(certificate(), (_, res) => res.end('ok')),
    )
    const through = net.connect(port, '127.0.0.1')
    await once(through, 'connect')
    await until(() => tracker.connectionCount === 1)
    const closed = tracker.close()
    assert.ok(await open(closed, 40))
    const socket = tls.connect({ socket: through, rejectUnauthorized: false })
    cleanups.push(() => socket.destroy())
    socket.write(GET())
    const [answer] = await once(socket, 'data')
    assert.match(String(answer), /200 OK/)
    await closed
  })
})

describe('HTTP/2', () => {
  const request = (client, path = '/') => {
    const stream = client.request({ ':path': path })
    stream.setEncoding('utf8')
    let body = ''
    stream.on('data', chunk => {
      body += chunk
    })
    return new Promise((resolve, reject) => {
      stream.on('error', reject)
      stream.on('close', () => resolve(body))
    })
  }
  const connect = (port, options) => {
    const client = http2.connect(`${options ? 'https' : 'http'}://127.0.0.1:${port}`, options)
    client.on('error', never)
    cleanups.push(() => client.destroy())
    return client
  }

  test('two GOAWAY, the first with the highest number, and streams on their way are served', async () => {
    const streams = []
    const { tracker, port } = await start(
      http2.createServer().on('stream', stream => streams.push(stream)),
    )
    const client = connect(port)
    const goaways = []
    client.on('goaway', (code, last) => goaways.push([code, last]))
    const answer = request(client, '/slow?x=1')
    await until(() => streams.length === 1)
    assert.equal(tracker.connectionCount, 1)
    assert.equal(tracker.activeConnectionCount, 1)
    const closed = tracker.close()
    await until(() => goaways.length >= 1)
    assert.deepEqual(goaways[0], [0, 2 ** 31 - 1])
    assert.ok(await open(closed))
    assert.equal(tracker.report().inFlight[0].what, 'GET /slow')
    streams[0].respond()
    streams[0].end('whole')
    assert.equal(await answer, 'whole')
    await closed
    assert.equal(tracker.connectionCount, 0)
  })

  test('a stream that crosses the first GOAWAY is served (frames by hand)', async () => {
    const { tracker, port } = await start(
      http2.createServer((_, res) => res.end('crossed')),
      { farewellMs: 300 },
    )
    const peer = await raw(port)
    peer.socket.setEncoding('latin1')
    const frame = (type, flags, stream, payload = '') => {
      const body = Buffer.from(payload, 'latin1')
      const head = Buffer.alloc(9)
      head.writeUIntBE(body.length, 0, 3)
      head[3] = type
      head[4] = flags
      head.writeUInt32BE(stream, 5)
      return Buffer.concat([head, body])
    }
    peer.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    peer.send(frame(4, 0, 0))
    await until(() => tracker.connectionCount === 1)
    const goaway = '\x07\x00\x00\x00\x00\x00\x7f\xff\xff\xff'
    const closed = tracker.close()
    await peer.has(goaway)
    // :method GET, :scheme http, :path /, :authority x; its client has not read the GOAWAY yet.
    peer.send(frame(1, 5, 1, '\x82\x86\x84\x41\x01x'))
    await peer.has('crossed')
    await closed
    // The last one names the stream that was served.
    const last = peer.text.slice(peer.text.indexOf('crossed'))
    assert.ok(last.includes('\x07\x00\x00\x00\x00\x00\x00\x00\x00\x01'), JSON.stringify(last))
  })

  test('over TLS, with HTTP/1 beside it', async () => {
    const { tracker, port } = await start(
      http2.createSecureServer({ ...certificate(), allowHTTP1: true }, (req, res) =>
        res.end(`HTTP/${req.httpVersion}`),
      ),
    )
    const client = connect(port, { rejectUnauthorized: false })
    assert.equal(await request(client), 'HTTP/2.0')
    const old = await raw(port, tls.connect)
    old.send(GET())
    await old.has('HTTP/1.1')
    assert.equal(tracker.connectionCount, 2)
    await until(() => tracker.activeConnectionCount === 0)
    old.send('GE')
    await until(() => tracker.activeConnectionCount === 1)
    const closed = tracker.close()
    assert.ok(await open(closed))
    old.clear()
    old.send(GET().slice(2))
    await old.has('Connection: close')
    await closed
    assert.equal(tracker.connectionCount, 0)
  })

  test('an event stream ends in order', async () => {
    const { tracker, port } = await start(
      http2.createServer((_, res) => {
        res.writeHead(200, { 'content-type': 'text/event-stream' })
        res.write('data: 1\n\n')
      }),
      { eventStreamRetryMs: 50 },
    )
    const client = connect(port)
    const answer = request(client)
    await until(() => tracker.activeConnectionCount === 1)
    await sleep(20)
    await tracker.close()
    assert.equal(await answer, 'data: 1\n\nretry: 50\n\n')
  })
})

describe('WebSockets', () => {
  const connect = async port => {
    const client = new WebSocket(`ws://127.0.0.1:${port}/live?token=1`)
    cleanups.push(() => client.terminate())
    client.messages = []
    client.on('message', data => client.messages.push(String(data)))
    client.closed = once(client, 'close')
    await once(client, 'open')
    return client
  }

  test('through their server: a message, then 1001', async () => {
    const server = http.createServer()
    const webSockets = new WebSocketServer({ server })
    const { tracker, port } = await start(server, {
      webSockets,
      webSocketMessage: '{"msg":"recon"}',
      farewellMs: 60,
    })
    const client = await connect(port)
    assert.equal(tracker.activeConnectionCount, 1)
    assert.equal(tracker.report().inFlight[0].what, 'WebSocket /live')
    const closed = tracker.close()
    await until(() => client.messages.length === 1)
    const at = performance.now()
    const [code] = await client.closed
    assert.equal(code, 1001)
    assert.deepEqual(client.messages, ['{"msg":"recon"}'])
    assert.ok(performance.now() - at >= 40)
    await closed
  })

  test('of a server nobody told of: frames of our own', async () => {
    const server = http.createServer()
    new WebSocketServer({ server })
    const { tracker, port } = await start(server, { webSocketMessage: 'bye', farewellMs: 60 })
    const client = await connect(port)
    const closed = tracker.close()
    const [code] = await client.closed
    assert.equal(code, 1001)
    assert.deepEqual(client.messages, ['bye'])
    await closed
  })

  test('each in its own moment of the window', async () => {
    const server = http.createServer()
    const webSockets = new WebSocketServer({ server })
    const { tracker, port } = await start(server, { webSockets: [webSockets] })
    const clients = await Promise.all(Array.from({ length: 10 }, () => connect(port)))
    const start0 = performance.now()
    const times = Promise.all(
      clients.map(async client => {
        const [code] = await client.closed
        assert.equal(code, 1001)
        return performance.now() - start0
      }),
    )
    tracker.beginDrain(500)
    const sorted = (await times).sort((a, b) => a - b)
    assert.ok(sorted[0] < 200, `${sorted}`)
    assert.ok(sorted[9] > 300, `${sorted}`)
    assert.equal(tracker.isListening, true)
    await tracker.close()
  })

  test('one that does not answer is cut', async () => {
    const server = http.createServer()
    const webSockets = new WebSocketServer({ server })
    const { tracker, port } = await start(server, { webSockets, farewellMs: 50 })
    const client = await raw(port)
    client.send(
      GET(
        '/',
        'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n',
      ),
    )
    await client.has('101')
    await tracker.close()
    await client.closed
  })

  test('an upgrade that nobody listens for stays a request', async () => {
    const { tracker, port } = await start(http.createServer((_, res) => res.end('plain')))
    const client = await raw(port)
    client.send(GET('/', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'))
    await client.has('plain')
    await tracker.close()
  })
})

describe('event streams', () => {
  test('end in order, and the application may write on', async () => {
    let beats
    const { tracker, port } = await start(
      http.createServer((_, res) => {
        res.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' })
        res.write('data: 1\n\n')
        beats = setInterval(() => res.write('data: 2\n\n'), 1)
        cleanups.push(() => clearInterval(beats))
      }),
      { eventStreamRetryMs: 1500 },
    )
    const client = await raw(port)
    client.send(GET())
    await client.has('data: 1')
    await tracker.close()
    await client.closed
    assert.match(client.text, /retry: 1500\n\n/)
    assert.ok(client.text.endsWith('0\r\n\r\n'), 'the last chunk')
    await sleep(20)
  })
})

describe('frameworks', () => {
  test('Fastify: served while it drains, closed afterwards', async () => {
    const app = fastify({ forceCloseConnections: false })
    app.get('/', () => ({ hello: 'world' }))
    const tracker = new ServerTracker(app, { farewellMs: 100 })
    cleanups.push(() => tracker.force())
    await app.listen({ port: 0, host: '127.0.0.1' })
    const client = await raw(app.server.address().port)
    client.send(GET())
    await client.has('world')
    tracker.beginDrain(60)
    await sleep(80)
    client.clear()
    client.send(GET())
    await client.has('world')
    assert.match(client.text, /200 OK[\s\S]*connection: close/i)
    await tracker.close()
    await app.close()
  })

  test('what is no server is refused', () => {
    assert.throws(() => new ServerTracker({}), OptionError)
    const refused = options =>
      assert.throws(() => new ServerTracker(http.createServer(), options), OptionError)
    refused({ farewelMs: 1 })
    refused({ farewellMs: -1 })
    refused({ eventStreamRetryMs: -1 })
  })
})

test('disposed of, it leaves nothing behind on the server', () => {
  const server = http.createServer(never)
  const count = () => server.eventNames().map(name => [name, server.listenerCount(name)])
  const before = count()
  const tracker = new ServerTracker(server)
  assert.notDeepEqual(count(), before)
  tracker[Symbol.dispose]()
  assert.deepEqual(count(), before)
})

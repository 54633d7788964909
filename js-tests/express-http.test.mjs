// Requests balanced one by one: real processes, real clients. Native and on Unix only.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { Agent as SecureAgent, request as secureRequest } from 'node:https'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent as Dispatcher, fetch } from 'undici'
import { WebSocket } from 'ws'
import { cases } from './express-cases.mjs'
import { ask, bodyOf, expectQuiet, raw, talk } from './express-http-tools.mjs'
import { endAll, native, start } from './express-tools.mjs'

after(endAll)

const front = (http = {}, options = {}, env = {}) =>
  start({ FRAMEWORK: 'front', CALM: '1', ...env }, { options: { mode: 'http', http, ...options } })

/** Ends a server whose counters have to be at zero. */
async function end(server) {
  await expectQuiet(server)
  assert.equal(await server.stop(), 0)
}

describe('requests balanced one by one', { skip: !native && 'native only' }, () => {
  cases('http')

  test('the requests of one connection go to all workers, over few connections', async () => {
    const server = await front()
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const pids = []
    for (let n = 0; n < 20; n++) pids.push((await ask(server.port, '/', { agent })).body.pid)
    agent.destroy()
    assert.equal(new Set(pids).size, 2)
    // About half each; who is stuck for a moment on a busy machine gets less.
    const share = pids.filter(pid => pid === pids[0]).length
    assert.ok(share >= 6 && share <= 14, `${share} of 20`)
    // An answer is counted when all of it is gone, which a client may see first.
    let counts = await server.counts()
    for (let tries = 0; tries < 100 && counts.http.answered < 20; tries++) {
      await sleep(20)
      counts = await server.counts()
    }
    const { http, accepted } = counts
    assert.deepEqual([accepted, http.requests, http.answered, http.links], [1, 20, 20, 2])
    await end(server)
  })

  test('requests sent ahead are answered in their order', async () => {
    const server = await front()
    const head = path => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`
    const socket = await talk(server.port)
    socket.write(head('/slow?ms=200') + head('/?n=1') + head('/download?bytes=10') + head('/?n=2'))
    const text = await socket.until(text => text.includes('n=2'))
    const at = [
      text.indexOf('{"pid":'),
      text.indexOf('n=1'),
      text.indexOf('seawall se'),
      text.indexOf('n=2'),
    ]
    assert.deepEqual(
      at,
      at.toSorted((a, b) => a - b),
    )
    assert.ok(at.every(place => place > 0))
    socket.destroy()
    await end(server)
  })

  describe('what the application is told', () => {
    test('the client by headers; what a stranger says of them is dropped', async () => {
      const server = await front()
      const said = {
        'x-forwarded-for': '1.2.3.4',
        'x-forwarded-proto': 'https',
        forwarded: 'for=1.2.3.4',
        'x-real-ip': '1.2.3.4',
        connection: 'keep-alive, x-hop',
        'x-hop': 'secret',
        'keep-alive': '5',
        te: 'trailers, gzip',
        'proxy-authorization': 'secret',
        'x-end': 'to end',
      }
      const { body } = await ask(server.port, '/', { headers: said })
      assert.deepEqual(body.headers, {
        host: `127.0.0.1:${server.port}`,
        'x-forwarded-for': '127.0.0.1',
        'x-forwarded-proto': 'http',
        'x-forwarded-host': `127.0.0.1:${server.port}`,
        te: 'trailers',
        'x-end': 'to end',
      })
      await end(server)
    })

    test('trusted proxies are added to', async () => {
      const server = await front({ trustForwarded: true, forwardedHeaders: 'both' })
      const headers = {
        'x-forwarded-for': '1.2.3.4',
        'x-forwarded-proto': 'https',
        forwarded: 'for=1.2.3.4',
      }
      const { body } = await ask(server.port, '/', { headers })
      assert.equal(body.headers['x-forwarded-for'], '1.2.3.4, 127.0.0.1')
      assert.equal(body.headers['x-forwarded-proto'], 'https')
      const host = `127.0.0.1:${server.port}`
      assert.equal(body.headers.forwarded, `for=1.2.3.4, for=127.0.0.1;proto=http;host="${host}"`)
      await end(server)
    })

    test('headers of answers that are between neighbours do not reach clients', async () => {
      const server = await front()
      const { headers } = await ask(server.port, '/hop')
      assert.equal(headers['x-end'], '2')
      for (const name of ['x-hop', 'proxy-authenticate']) assert.equal(headers[name], undefined)
      await end(server)
    })
  })

  describe('bodies', () => {
    const size = 100_000_000
    const expected = () => {
      const hash = createHash('sha256')
      for (let left = size; left > 0; left -= 65_536) {
        hash.update(Buffer.alloc(65_536, 'seawall ').subarray(0, Math.min(left, 65_536)))
      }
      return hash.digest('hex')
    }
    async function* pattern() {
      for (let left = size; left > 0; left -= 65_536) {
        yield Buffer.alloc(65_536, 'seawall ').subarray(0, Math.min(left, 65_536))
      }
    }

    for (const [name, length] of [
      ['in chunks', false],
      ['with a length', true],
    ]) {
      test(`100 MB both ways, ${name}, whole and never held`, { timeout: 120_000 }, async () => {
        const server = await front()
        const sha = expected()
        const headers = length ? { 'content-length': String(size) } : {}
        const url = `http://127.0.0.1:${server.port}`
        const dispatcher = new Dispatcher()
        const sent = await fetch(`${url}/upload`, {
          method: 'POST',
          body: pattern(),
          duplex: 'half',
          headers,
          dispatcher,
        })
        const up = await sent.json()
        assert.deepEqual([up.bytes, up.sha], [size, sha])
        const got = await fetch(`${url}/download?bytes=${size}${length ? '&length=1' : ''}`, {
          dispatcher,
        })
        assert.equal(got.headers.get('content-length'), length ? String(size) : null)
        const hash = createHash('sha256')
        for await (const part of got.body) hash.update(part)
        assert.equal(hash.digest('hex'), sha)
        const peak = Number(
          /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${server.child.pid}/status`, 'utf8'))[1],
        )
        assert.ok(peak < 250_000, `the primary held ${peak} kB at most`)
        await dispatcher.destroy()
        await end(server)
      })
    }

    test('a client that reads slowly is waited for, without its answer in memory', async () => {
      const server = await front()
      const rss = () =>
        Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.child.pid}/status`, 'utf8'))[1])
      const before = rss()
      const sockets = []
      for (let n = 0; n < 20; n++) {
        const socket = connect(server.port, '127.0.0.1').on('error', () => {})
        socket.pause()
        socket.write('GET /download?bytes=50000000 HTTP/1.1\r\nHost: a\r\n\r\n')
        sockets.push(socket)
      }
      await sleep(1500)
      assert.ok(rss() - before < 60_000, `${rss() - before} kB more for 1 GB of answers`)
      assert.equal((await server.counts()).http.inFlight, 20)
      assert.equal((await ask(server.port, '/')).status, 200)
      for (const socket of sockets) socket.destroy()
      await end(server)
    })

    test('a worker that reads slowly is waited for', async () => {
      const server = await front()
      const socket = await talk(server.port)
      socket.write('POST /later?ms=700 HTTP/1.1\r\nHost: a\r\nContent-Length: 30000000\r\n\r\n')
      const part = Buffer.alloc(1_000_000)
      for (let n = 0; n < 30; n++) if (!socket.write(part)) await once(socket, 'drain')
      assert.match(await socket.until(text => text.includes('}')), /^HTTP\/1.1 200/)
      socket.destroy()
      await end(server)
    })

    test('bytes go both ways at once', async () => {
      const server = await front()
      const socket = await talk(server.port)
      socket.write('POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n')
      await socket.until(text => text.includes('\r\n1\r\na\r\n'))
      socket.write('2\r\nbc\r\n')
      await socket.until(text => text.includes('\r\n2\r\nbc\r\n'))
      socket.write('0\r\n\r\n')
      await socket.until(text => text.endsWith('0\r\n\r\n'))
      socket.destroy()
      await end(server)
    })

    test('trailers pass, both ways', async () => {
      const server = await front()
      const chunked = 'Host: a\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n'
      const up = await raw(
        server.port,
        `POST /upload HTTP/1.1\r\n${chunked}3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n`,
      )
      assert.equal(bodyOf(up).trailers['x-sum'], '7')
      const down = await raw(
        server.port,
        'GET /trailers HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n',
      )
      assert.match(down, /\r\n4\r\nbody\r\n0\r\nx-sum: 42\r\n\r\n$/i)
      await end(server)
    })

    test('HEAD, 204 and 304 have none, and the connection goes on', async () => {
      const server = await front()
      const socket = await talk(server.port)
      const get = (method, path) => socket.write(`${method} ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
      get('HEAD', '/download?bytes=1000&length=1')
      get('GET', '/status?code=204')
      get('GET', '/status?code=304')
      get('GET', '/?last')
      const text = await socket.until(text => text.includes('?last'))
      const statuses = [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)
      assert.deepEqual(statuses, ['200', '204', '304', '200'])
      assert.match(text, /content-length: 1000\r\n/i)
      assert.doesNotMatch(text, /seawall seawall/)
      socket.destroy()
      await end(server)
    })

    test('100 Continue is the application’s to say, and so is not saying it', async () => {
      const server = await front()
      const socket = await talk(server.port)
      const head = path =>
        `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n`
      socket.write(head('/upload'))
      const first = await socket.until(text => text.includes('\r\n\r\n'))
      assert.equal(first, 'HTTP/1.1 100 Continue\r\n\r\n')
      socket.write('abc')
      assert.match(await socket.until(text => text.includes('}')), /"bytes":3/)
      socket.destroy()
      assert.match(await raw(server.port, head('/early')), /^HTTP\/1.1 417/)
      await end(server)
    })

    test('an answer before the body, and early hints', async () => {
      const server = await front()
      const socket = await talk(server.port)
      socket.write('POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n')
      assert.match(await socket.until(text => text.includes('}')), /^HTTP\/1.1 413/)
      socket.write('x'.repeat(1000))
      socket.write('GET /hints HTTP/1.1\r\nHost: a\r\n\r\n')
      const text = await socket.until(text => text.split('}').length > 2)
      assert.match(text, /HTTP\/1.1 103 [\s\S]*link: <\/a.css>[\s\S]*HTTP\/1.1 200/i)
      socket.destroy()
      await end(server)
    })

    test('clients of HTTP/1.0 get what is in the chunks', async () => {
      const server = await front()
      const text = await raw(server.port, 'GET /download?bytes=20 HTTP/1.0\r\n\r\n')
      assert.match(text, /^HTTP\/1.1 200 OK\r\n/)
      assert.doesNotMatch(text, /transfer-encoding/i)
      assert.ok(text.endsWith('\r\n\r\nseawall seawall seaw'), text)
      const old = await raw(server.port, 'GET /until-close HTTP/1.1\r\nHost: a\r\n\r\n')
      assert.ok(old.endsWith('all of it'))
      await end(server)
    })

    test('the first byte of an event stream comes at once, and its end is noticed', async () => {
      const server = await front()
      const socket = await talk(server.port)
      const began = performance.now()
      socket.write('GET /events HTTP/1.1\r\nHost: a\r\n\r\n')
      await socket.until(text => text.includes('data: '))
      assert.ok(performance.now() - began < 500)
      await socket.until(text => text.includes('tick'))
      socket.destroy()
      await sleep(300)
      const seen = await Promise.all([1, 2].map(() => ask(server.port, '/aborted')))
      assert.equal(seen[0].body.aborted + seen[1].body.aborted, 1)
      await end(server)
    })
  })

  describe('other protocols', () => {
    test('WebSockets, with words of both sides right after the head', async () => {
      const server = await start({ FRAMEWORK: 'ws' }, { options: { mode: 'http' } })
      const sockets = await Promise.all(
        Array.from({ length: 4 }, async () => {
          const socket = new WebSocket(`ws://127.0.0.1:${server.port}/`)
          const [pid] = await once(socket, 'message')
          return { socket, pid: String(pid) }
        }),
      )
      assert.equal(new Set(sockets.map(({ pid }) => pid)).size, 2)
      for (const { socket } of sockets) {
        socket.send('x'.repeat(200_000))
        const [text] = await once(socket, 'message')
        assert.equal(String(text).length, 200_005)
      }
      assert.equal((await server.counts()).http.tunnels, 4)
      const closed = sockets.map(({ socket }) => once(socket, 'close'))
      for (const { socket } of sockets) socket.close()
      await Promise.all(closed)
      await end(server)
    })

    test('TLS passes through, and a connection stays with its worker', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'seawall-test-'))
      const pem = readFileSync(new URL('./fixtures/loopback.pem', import.meta.url), 'utf8')
      const cut = pem.indexOf('-----BEGIN CERTIFICATE')
      const [key, cert] = cut > 0 ? [pem.slice(0, cut), pem.slice(cut)] : [pem, pem]
      writeFileSync(join(folder, 'key.pem'), key)
      writeFileSync(join(folder, 'cert.pem'), cert)
      const options = { options: { mode: 'http' } }
      const server = await start({ FRAMEWORK: 'https', KEY: folder }, options)
      const agent = new SecureAgent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false })
      const pids = new Set()
      for (let n = 0; n < 4; n++) {
        const sent = secureRequest({ host: '127.0.0.1', port: server.port, agent }).end()
        const [response] = await once(sent, 'response')
        let text = ''
        for await (const part of response) text += part
        pids.add(JSON.parse(text).pid)
      }
      assert.equal(pids.size, 1)
      assert.equal((await server.counts()).http.tunnels, 1)
      agent.destroy()
      await end(server)
      rmSync(folder, { recursive: true })
    })

    test('HTTP/2 from the first byte passes through, with what its client says of itself', async () => {
      const server = await start({ FRAMEWORK: 'h2c' }, { options: { mode: 'http' } })
      const client = connectHttp2(`http://127.0.0.1:${server.port}`)
      const stream = client.request({ ':path': '/', 'x-forwarded-for': '192.0.2.9' })
      let text = ''
      for await (const part of stream) text += part
      const { headers } = JSON.parse(text)
      // Nothing can be changed of it: see the options of the mode.
      assert.equal(headers['x-forwarded-for'], '192.0.2.9')
      assert.equal(headers['x-forwarded-host'], undefined)
      client.close()
      await end(server)
    })

    test('CONNECT is a tunnel', async () => {
      const other = createServer(socket => socket.end('from there')).listen(0, '127.0.0.1')
      await once(other, 'listening')
      const server = await front()
      const target = `127.0.0.1:${other.address().port}`
      const text = await raw(server.port, `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`)
      assert.match(text, /^HTTP\/1.1 200 Connected\r\n\r\nfrom there$/)
      other.close()
      await end(server)
    })

    test('an upgrade nobody takes is an ordinary request, and none goes to HTTP/2', async () => {
      const server = await front()
      const head = word =>
        `GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, close\r\nUpgrade: ${word}\r\n\r\n`
      assert.equal(bodyOf(await raw(server.port, head('h2c'))).headers.upgrade, undefined)
      assert.equal(bodyOf(await raw(server.port, head('other'))).headers.upgrade, 'other')
      await end(server)
    })
  })
})

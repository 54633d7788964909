// Requests balanced one by one: real processes, real clients. Native and on Unix only.
import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent } from 'node:http'
import { Agent as SecureAgent, request as secureRequest } from 'node:https'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Agent as Dispatcher, fetch } from 'undici'
import { WebSocket } from 'ws'
import { ask, bodyOf, expectQuiet, raw, talk } from './express-http-tools.mjs'
import { endAll, native, start } from './express-tools.mjs'

after(endAll)

const front = (http = {}, options = {}, env = {}) =>
  start({ FRAMEWORK: 'front', ...env }, { options: { mode: 'http', http, ...options } })

/** Ends a server whose counters have to be at zero. */
async function end(server) {
  await expectQuiet(server)
  assert.equal(await server.stop(), 0)
}

describe('requests balanced one by one', { skip: !native && 'native only' }, () => {
  test('the requests of one connection go to all workers, over few connections', async () => {
    const server = await front()
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const pids = []
    for (let n = 0; n < 20; n++) pids.push((await ask(server.port, '/', { agent })).body.pid)
    agent.destroy()
    assert.equal(new Set(pids).size, 2)
    assert.equal(pids.filter(pid => pid === pids[0]).length, 10)
    const { http, accepted } = await server.counts()
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

  describe('what is refused', () => {
    test('whatever two sides could read in two ways', async () => {
      const server = await front()
      const post = 'POST / HTTP/1.1\r\nHost: a\r\n'
      const smuggled = 'GET /count?id=smuggled HTTP/1.1\r\nHost: a\r\n\r\n'
      for (const [what, bytes] of [
        [
          'length, chunks',
          `${post}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
        ],
        [
          'chunks, length',
          `${post}Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n`,
        ],
        ['two lengths', `${post}Content-Length: 0\r\nContent-Length: 60\r\n\r\n`],
        ['chunks twice', `${post}Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n`],
        ['folded', `${post}X: a\r\n b: c\r\n\r\n`],
        ['space before the colon', `${post}Content-Length : 5\r\n\r\n`],
        ['a bare line feed', `${post}X: a\nContent-Length: 5\r\n\r\n`],
        ['a bad chunk', `${post}Transfer-Encoding: chunked\r\n\r\n5\r\nabc\r\n0\r\n\r\n`],
        ['a bad size', `${post}Transfer-Encoding: chunked\r\n\r\n0x5\r\nabcde\r\n0\r\n\r\n`],
        ['a bare line feed in chunks', `${post}Transfer-Encoding: chunked\r\n\r\n1\na\n0\r\n\r\n`],
        ['no host', 'GET / HTTP/1.1\r\n\r\n'],
      ]) {
        const text = await raw(server.port, bytes + smuggled)
        assert.match(text, /^HTTP\/1.1 400 Bad Request\r\nConnection: close\r\n/, what)
        assert.equal(text.match(/HTTP\/1.1 /g).length, 1, `${what}: one answer`)
      }
      const { body } = await ask(server.port, '/count?id=smuggled')
      assert.equal(body.count, 1, 'nothing was smuggled')
      assert.equal((await server.counts()).http.malformed, 11)
      await end(server)
    })

    test('a head that is too long, and versions nobody speaks', async () => {
      const server = await front({}, { maxHeaderBytes: 4096 })
      const long = `GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(5000)}\r\n\r\n`
      assert.match(await raw(server.port, long), /^HTTP\/1.1 431 /)
      assert.match(await raw(server.port, `GET /${'a'.repeat(100_000)}`), /^HTTP\/1.1 431 /)
      assert.match(await raw(server.port, 'GET / HTTP/9.9\r\nHost: a\r\n\r\n'), /^HTTP\/1.1 505 /)
      assert.equal((await ask(server.port, '/', { headers: { x: 'a'.repeat(3000) } })).status, 200)
      await end(server)
    })

    test('who is too slow: with the head, with the body, with reading', async () => {
      const server = await front({ headTimeoutMs: 300, stallTimeoutMs: 400, keepAliveMs: 300 })
      const began = performance.now()
      const head = await talk(server.port)
      head.write('GET / HTTP/1.1\r\n')
      const drip = setInterval(() => head.write('X: a\r\n'), 50)
      assert.match(await head.closed, /^HTTP\/1.1 408 /)
      clearInterval(drip)
      assert.ok(performance.now() - began < 1500)
      const body = 'POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc'
      assert.match(await raw(server.port, body), /^HTTP\/1.1 408 /)
      assert.equal(await raw(server.port, ''), '', 'who says nothing gets nothing')
      const kept = await talk(server.port)
      kept.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      assert.match(await kept.closed, /^HTTP\/1.1 200/)
      const reader = connect(server.port, '127.0.0.1').on('error', () => {})
      reader.pause()
      reader.write('GET /download?bytes=50000000 HTTP/1.1\r\nHost: a\r\n\r\n')
      await sleep(1200)
      const { http } = await server.counts()
      assert.deepEqual([http.late, http.aborted, http.inFlight], [2, 1, 0])
      reader.destroy()
      await end(server)
    })
  })

  describe('workers that go', () => {
    test('GET is sent again and answered, POST gets 502, and neither is served twice', async () => {
      const server = await front()
      for (const [method, status, count] of [
        ['GET', 200, 2],
        ['DELETE', 200, 2],
        ['POST', 502, 1],
        ['PATCH', 502, 1],
      ]) {
        const marker = join(tmpdir(), `seawall-test-${randomUUID()}`)
        const answer = await ask(server.port, `/die-once?marker=${marker}`, { method })
        assert.equal(answer.status, status, method)
        assert.equal(readFileSync(marker, 'utf8'), `${method}\n`.repeat(count))
        await server.message(
          () => server.messages.filter(({ event }) => event === 'workerReady').length >= 3,
        )
        await sleep(400)
      }
      const { http } = await server.counts()
      assert.deepEqual([http.retried, http.failed], [2, 2])
      await end(server)
    })

    test('a body that is gone is not sent again, whatever the method', async () => {
      const server = await front()
      const marker = join(tmpdir(), `seawall-test-${randomUUID()}`)
      const body = 'x'.repeat(500_000)
      const { status } = await ask(server.port, `/die-once?marker=${marker}`, {
        method: 'PUT',
        body,
      })
      assert.equal(status, 502)
      assert.equal(readFileSync(marker, 'utf8'), 'PUT\n')
      await end(server)
    })

    test('an answer that breaks off is cut, so that nobody takes it for whole', async () => {
      for (const chunked of ['', '?chunked=1']) {
        const server = await front()
        await assert.rejects(
          ask(server.port, `/die-halfway${chunked}`),
          /aborted|ECONNRESET|hang up/,
        )
        assert.equal((await server.counts()).http.failed, 1)
        await end(server)
      }
    })

    test('killed under load: every GET is answered', async () => {
      const server = await front()
      const agent = new Agent({ keepAlive: true, maxSockets: 20 })
      let stop = false
      const failures = []
      let answered = 0
      const load = Array.from({ length: 20 }, async () => {
        while (!stop) {
          const { status } = await ask(server.port, '/slow?ms=5', { agent }).catch(error => ({
            status: error.code,
          }))
          if (status === 200) answered++
          else failures.push(status)
        }
      })
      for (let n = 0; n < 3; n++) {
        await sleep(300)
        const { workers } = await server.stats()
        const ready = workers.filter(({ ready }) => ready)
        if (ready.length > 1) process.kill(ready[n % 2].pid, 'SIGKILL')
      }
      await sleep(500)
      stop = true
      await Promise.all(load)
      agent.destroy()
      assert.deepEqual(failures, [])
      assert.ok(answered > 100)
      await end(server)
    })

    test('a reload and a stop under load lose nothing, POST included', async () => {
      const server = await front()
      let stop = false
      const failures = []
      const pids = new Set()
      const agent = new Agent({ keepAlive: true, maxSockets: 10 })
      const load = Array.from({ length: 10 }, async (_, n) => {
        while (!stop) {
          const method = n % 2 ? 'POST' : 'GET'
          const body = n % 2 ? 'hello' : undefined
          const { status, body: answer } = await ask(
            server.port,
            n % 2 ? '/upload' : '/slow?ms=3',
            { agent, method, body },
          ).catch(error => ({ status: error.code }))
          if (status !== 200) failures.push([method, status])
          else pids.add(answer.pid)
        }
      })
      await sleep(200)
      await server.ask('reload')
      await sleep(200)
      stop = true
      await Promise.all(load)
      assert.deepEqual(failures, [])
      assert.ok(pids.size >= 4)
      const slow = ask(server.port, '/slow?ms=600')
      await sleep(100)
      const stopped = server.stop()
      const { status, headers } = await slow
      assert.deepEqual([status, headers.connection], [200, 'close'])
      assert.equal(await stopped, 0)
      agent.destroy()
    })

    test('none ready: a request waits for one, but not for ever', async () => {
      const server = await front({}, { workers: 1, patienceMs: 4000 })
      const { body } = await ask(server.port, '/')
      process.kill(body.pid, 'SIGKILL')
      const again = await ask(server.port, '/')
      assert.equal(again.status, 200)
      assert.notEqual(again.body.pid, body.pid)
      await end(server)
      const none = await front({}, { respawnWorkers: false, patienceMs: 100, workers: 1 })
      process.kill((await ask(none.port, '/')).body.pid, 'SIGKILL')
      await sleep(200)
      const { status, headers } = await ask(none.port, '/')
      assert.equal(status, 503)
      assert.match(headers['retry-after'], /^[12]$/)
      const { http, waiting } = await none.counts()
      assert.deepEqual([http.unavailable, waiting], [1, 0])
      await end(none)
    })
  })

  describe('load', () => {
    test('a worker that is stuck gets no new request', async () => {
      const server = await front()
      const stuck = ask(server.port, '/block?ms=1500', { ms: 8000 })
      await sleep(250)
      const began = performance.now()
      const answers = await Promise.all(Array.from({ length: 50 }, () => ask(server.port, '/')))
      assert.ok(performance.now() - began < 1000)
      assert.equal(new Set(answers.map(({ body }) => body.pid)).size, 1)
      assert.equal((await stuck).status, 200)
      assert.equal((await server.counts()).http.retried, 0, 'what it had is not repeated')
      await end(server)
    })

    test('more than all can take gets 503 at once, also on a kept connection', async () => {
      const server = await front({ maxInFlight: 2 })
      const slow = Array.from({ length: 4 }, () => ask(server.port, '/slow?ms=800'))
      await sleep(250)
      const socket = await talk(server.port)
      const began = performance.now()
      socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      const refused = await socket.until(
        text => text.includes('Unavailable\r\n') && text.endsWith('Unavailable'),
      )
      assert.ok(performance.now() - began < 300)
      assert.match(refused, /^HTTP\/1.1 503 [\s\S]*Retry-After: [12]\r\n/)
      assert.deepEqual(
        (await Promise.all(slow)).map(({ status }) => status),
        [200, 200, 200, 200],
      )
      socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      await socket.until(text => text.includes('HTTP/1.1 200'))
      socket.destroy()
      const { http, refused: all } = await server.counts()
      assert.deepEqual([http.shed, all], [1, 1])
      await end(server)
    })

    test('workers under pressure get 503 in native code', async () => {
      const server = await front({ maxPressure: 0.05 })
      const statuses = new Set()
      // Both of them again and again, until their own words are heard.
      for (let n = 0; n < 12 && !statuses.has(503); n++) {
        const two = await Promise.all(
          [1, 2].map(() => ask(server.port, '/block?ms=400', { ms: 8000 })),
        )
        for (const { status } of two) statuses.add(status)
      }
      assert.ok(statuses.has(503), [...statuses].join())
      assert.ok((await server.counts()).http.shed > 0)
      await end(server)
    })

    test('who answers too late is 504, and the worker hears that nobody waits', async () => {
      const server = await front({ answerTimeoutMs: 300 })
      const { status } = await ask(server.port, '/slow?ms=3000')
      assert.equal(status, 504)
      assert.equal((await ask(server.port, '/')).status, 200)
      await end(server)
    })

    test('a client that ends its half is answered as the application sees fit', async () => {
      const server = await front()
      const half = path => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`
      const text = await new Promise(resolve => {
        let text = ''
        const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true })
        socket.on('data', part => {
          text += part
        })
        socket.on('close', () => resolve(text))
        // Servers of Node end what is not answered at once, in front of others as well.
        socket.end(half('/slow?ms=2000'))
      })
      assert.equal(text, '')
      const { http } = await server.counts()
      assert.deepEqual([http.aborted, http.inFlight, http.retried], [1, 0, 0])
      await end(server)
    })

    test('a client that goes takes its request with it', async () => {
      const server = await front()
      const socket = await talk(server.port)
      socket.write('GET /slow?ms=3000 HTTP/1.1\r\nHost: a\r\n\r\n')
      await sleep(150)
      assert.equal((await server.counts()).http.inFlight, 1)
      socket.resetAndDestroy()
      await sleep(150)
      const { http } = await server.counts()
      assert.deepEqual([http.inFlight, http.aborted], [0, 1])
      await end(server)
    })
  })

  describe('balancer functions', () => {
    test('choose for each request, by its whole head', async () => {
      const server = await front({}, {}, { BALANCER: 'path' })
      const agent = new Agent({ keepAlive: true, maxSockets: 1 })
      const pid = async path => (await ask(server.port, path, { agent })).body.pid
      const [a, b] = [await pid('/a'), await pid('/b')]
      assert.notEqual(a, b)
      assert.deepEqual([await pid('/a2'), await pid('/b2'), await pid('/a3')], [a, b, a])
      agent.destroy()
      await end(server)
    })

    test('that throw are logged, and the request gets 502', async () => {
      const server = await front({}, {}, { BALANCER: 'throws' })
      assert.equal((await ask(server.port, '/')).status, 502)
      const { error } = await server.message(({ error }) => error)
      assert.equal(error, '[defuss-express] load balancer connection error')
      await end(server)
    })

    test('that never answer are not waited for for ever', async () => {
      const server = await front({}, { patienceMs: 100 }, { BALANCER: 'never' })
      assert.equal((await ask(server.port, '/')).status, 503)
      assert.equal((await server.counts()).asked, 0)
      await end(server)
    })
  })

  for (const [option, value, words] of [
    ['maxInFlight', -1, /http|maxInFlight/],
    ['maxPressure', 2, /maxPressure/],
    ['maxInflight', 1, /http\.maxInflight.*maxInFlight/],
    ['forwardedHeaders', 'all', /forwardedHeaders/],
  ]) {
    test(`${option}: ${value} is a clear error`, async () => {
      const server = await front({ [option]: value })
      assert.match(server.up.failed, words)
      assert.equal(server.up.code, 'SEAWALL_INVALID_OPTION')
      assert.equal(await server.exited, 1)
    })
  }

  test('curl', { skip: spawnSync('curl', ['-V']).error && 'curl is not installed' }, async () => {
    const server = await front()
    const curl = (...parameters) => promisify(execFile)('curl', ['-sS', '-i', ...parameters])
    const url = `http://127.0.0.1:${server.port}`
    const big = await curl('-H', 'Expect: 100-continue', '-d', 'x'.repeat(100_000), `${url}/upload`)
    assert.match(big.stdout, /100 Continue[\s\S]*200 OK[\s\S]*"bytes":100000/)
    assert.match((await curl('--http1.0', `${url}/`)).stdout, /200 OK/)
    assert.match((await curl('-I', `${url}/`)).stdout, /200 OK/)
    await end(server)
  })

  test('hostile clients leave the primary alive and every counter at zero', async () => {
    const server = await front({ headTimeoutMs: 500 })
    const things = [
      'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
      'POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab',
      'GET /down',
      '\0\x01\x02\r\n\r\n',
      'GET /download?bytes=3000000 HTTP/1.1\r\nHost: a\r\n\r\n',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      '\x16\x03\x01\x00\x05hello',
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nmore',
      '',
    ]
    for (let n = 0; n < 900; n++) {
      const socket = connect(server.port, '127.0.0.1').on('error', () => {})
      await once(socket, 'connect')
      socket.write(things[n % things.length])
      if (n % 3 === 0) socket.resetAndDestroy()
      else if (n % 3 === 1) socket.destroySoon()
      else setTimeout(() => socket.destroy(), n % 50)
    }
    assert.equal((await ask(server.port, '/')).status, 200)
    assert.ok(existsSync(`/proc/${server.child.pid}`))
    await end(server)
  })
})

// Requests balanced one by one, where something is wrong: with clients, with workers, with the load.
// Native and on Unix only.
import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { Agent } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { ask, expectQuiet, raw, talk } from './express-http-tools.mjs'
import { endAll, inOneTry, native, start } from './express-tools.mjs'

after(endAll)

const front = (http = {}, options = {}, env = {}) =>
  start({ FRAMEWORK: 'front', CALM: '1', ...env }, { options: { mode: 'http', http, ...options } })

/** Ends a server whose counters have to be at zero. */
async function end(server) {
  await expectQuiet(server)
  assert.equal(await server.stop(), 0)
}

describe('requests balanced one by one, with faults', { skip: !native && 'native only' }, () => {
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
      const server = await front({ headTimeoutMs: 900, stallTimeoutMs: 400, keepAliveMs: 300 })
      const began = performance.now()
      const head = await talk(server.port)
      head.write('GET / HTTP/1.1\r\n')
      const drip = setInterval(() => head.write('X: a\r\n'), 50)
      assert.match(await head.closed, /^HTTP\/1.1 408 /)
      clearInterval(drip)
      assert.ok(performance.now() - began < 4000)
      const body = 'POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc'
      assert.match(await raw(server.port, body), /^HTTP\/1.1 408 /)
      assert.equal(await raw(server.port, ''), '', 'who says nothing gets nothing')
      const kept = await talk(server.port)
      kept.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      assert.match(await kept.closed, /^HTTP\/1.1 200/)
      for (const ended of ['\r\n', '\r']) {
        const post = 'POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab'
        const lined = await talk(server.port)
        lined.write(post + ended)
        await lined.until(text => text.includes('200 OK'))
        assert.doesNotMatch(await lined.closed, /HTTP\/1.1 4/, 'an empty line is no request')
        const text = await raw(server.port, `${post}\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n`, 200)
        assert.equal(text.match(/HTTP\/1.1 200/g).length, 2)
      }
      const reader = connect(server.port, '127.0.0.1').on('error', () => {})
      reader.pause()
      reader.write('GET /download?bytes=50000000 HTTP/1.1\r\nHost: a\r\n\r\n')
      let { http } = await server.counts()
      for (let n = 0; n < 100 && http.aborted === 0; n++) {
        await sleep(50)
        http = (await server.counts()).http
      }
      assert.deepEqual([http.late, http.aborted, http.inFlight], [2, 1, 0])
      reader.destroy()
      await end(server)
    })
  })

  describe('workers that go', () => {
    test('who ends the connection at an upgrade or CONNECT has refused it', async () => {
      const server = await start({ FRAMEWORK: 'destroying' }, { options: { mode: 'http' } })
      const upgrade = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'
      const connecting = 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n'
      for (const head of [upgrade, connecting]) {
        for (let n = 0; n < 12; n++)
          assert.match(await raw(server.port, head, 50), /^HTTP\/1.1 502 /)
      }
      const pids = new Set()
      for (let n = 0; n < 20; n++) pids.add((await ask(server.port, '/')).body.pid)
      assert.equal(pids.size, 2, 'nobody is left out for it')
      const refused = server.messages.filter(({ refused }) => refused)
      assert.equal(refused.length, 24)
      assert.equal((await server.counts()).http.retried, 0)
      await end(server)
    })

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

    test('sent again after a kept connection had ended, it does not go to who is stuck', () =>
      inOneTry(async () => {
        const server = await front()
        const agent = new Agent({ keepAlive: true, maxSockets: 1 })
        let isStuck = true
        const stuck = ask(server.port, '/block?ms=4000', { ms: 20_000 }).finally(() => {
          isStuck = false
        })
        await sleep(250)
        const first = await ask(server.port, '/cut', { agent })
        const second = await ask(server.port, '/cut', { agent, ms: 20_000 })
        assert.ok(isStuck)
        assert.deepEqual([first.status, second.status], [200, 200])
        assert.equal(second.body.pid, first.body.pid)
        assert.equal((await server.counts()).http.retried, 1)
        agent.destroy()
        assert.equal((await stuck).status, 200)
        await end(server)
      }))

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
      // Kept, but for the end of the server.
      const slow = ask(server.port, '/slow?ms=600', { agent })
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

    test('who answers too late is 504, and the worker hears that nobody waits', async () => {
      const server = await front({ answerTimeoutMs: 300 })
      const { status } = await ask(server.port, '/slow?ms=3000')
      assert.equal(status, 504)
      const hinted = await raw(server.port, 'GET /hints?hangs=1 HTTP/1.1\r\nHost: a\r\n\r\n', 3000)
      assert.match(hinted, /^HTTP\/1.1 103 [\s\S]*\r\n\r\nHTTP\/1.1 504 /)
      assert.equal((await ask(server.port, '/')).status, 200)
      await end(server)
    })

    test('a worker that takes nothing of a body is not waited for for ever', async () => {
      const server = await front({ stallTimeoutMs: 300 })
      const body = 'x'.repeat(1_000_000)
      const began = performance.now()
      const { status } = await ask(server.port, '/later?ms=3000', { method: 'POST', body })
      assert.equal(status, 502)
      assert.ok(performance.now() - began < 5000)
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
    // On a busy machine the queues of workers are full for a while.
    await expectQuiet(server, 20_000)
    assert.equal((await ask(server.port, '/')).status, 200)
    assert.ok(existsSync(`/proc/${server.child.pid}`))
    await end(server)
  })
})

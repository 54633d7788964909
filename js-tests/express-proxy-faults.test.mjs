// Connections whose bytes are carried, while workers die, are stuck or are replaced, and clients are
// of the worst kind. Native only.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { Agent } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { counters, hostile, quiet } from './express-hostile.mjs'
import { bothOf, endAll, get, native, start, workersOf } from './express-tools.mjs'

after(endAll)

const proxy = (env, { options, ...more } = {}) =>
  start(env, { ...more, options: { mode: 'proxy', ...options } })
const linux = { skip: process.platform !== 'linux' && 'reads /proc' }

describe('carried all the same', { skip: !native && 'native only' }, () => {
  test('a worker that is stuck gets nothing: everybody else is answered in time', async () => {
    const server = await proxy()
    await workersOf(server.port)
    const stuck = get(server.port, '/block?ms=5000', { ms: 12_000 })
    await sleep(150)
    const begun = performance.now()
    const answers = await Promise.all(
      Array.from({ length: 100 }, async (_, n) => {
        await sleep(n * 10)
        const at = performance.now()
        const { body } = await get(server.port)
        return { pid: body.pid, took: performance.now() - at }
      }),
    )
    assert.ok(performance.now() - begun < 4700, 'all of them while it was stuck')
    assert.equal(new Set(answers.map(({ pid }) => pid)).size, 1, 'by the one that turns')
    const worst = Math.max(...answers.map(({ took }) => took))
    assert.ok(worst < 1000, `${worst} ms`)
    assert.equal((await stuck).status, 200)
    assert.ok(await quiet(server))
    assert.equal((await bothOf(server.port)).length, 2, 'it is back')
    assert.equal(await server.stop(), 0)
  })

  test('what a worker did not take goes to another one, and is served once', async () => {
    const server = await proxy({ FRAMEWORK: 'counting' })
    await workersOf(server.port)
    const stuck = get(server.port, '/block?ms=1500', { ms: 8000 })
    await sleep(10)
    const begun = performance.now()
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) => get(server.port, `/once?n=${n}`)),
    )
    assert.ok(performance.now() - begun < 1000)
    assert.equal(new Set(answers.map(({ body }) => body.pid)).size, 1)
    assert.ok((await server.counts()).takenBack >= 1)
    assert.equal((await stuck).status, 200)
    await sleep(300)
    const served = server.messages.filter(({ once }) => once).map(({ once }) => once)
    assert.deepEqual(served.sort(), [...new Set(served)], 'also when it turns again')
    assert.equal(served.length, 10)
    assert.equal(await server.stop(), 0)
  })

  test('a worker that is killed takes its own connections with it, and nobody else', async () => {
    const server = await proxy()
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const { pid } = (await get(server.port, '/', { agent })).body
    const under = get(server.port, '/slow?ms=3000', { agent })
    await sleep(50)
    process.kill(pid, 'SIGKILL')
    await assert.rejects(under, { code: 'ECONNRESET' })
    const answers = await Promise.all(Array.from({ length: 20 }, () => get(server.port)))
    assert.ok(answers.every(({ status }) => status === 200))
    assert.ok(await quiet(server))
    assert.equal((await server.counts()).open, 0)
    assert.equal(await server.stop(), 0)
  })

  test('a worker nobody can connect to is left out, and nothing is lost', linux, async () => {
    const server = await proxy()
    const [pid] = await workersOf(server.port)
    const variables = readFileSync(`/proc/${pid}/environ`, 'latin1')
    const [, folder] = /SEAWALL_WORKER_FOLDER=([^\0]+)/.exec(variables)
    rmSync(join(folder, `worker-${pid}`))
    const answers = await Promise.all(Array.from({ length: 20 }, () => get(server.port)))
    assert.ok(answers.every(({ status, body }) => status === 200 && body.pid !== pid))
    assert.ok((await server.counts()).takenBack >= 1)
    assert.equal(await server.stop(), 0)
  })

  test('a worker that dies is started again, and meanwhile connections wait', async () => {
    const server = await proxy({}, { options: { workers: 1, patienceMs: 4000 } })
    const [before] = await workersOf(server.port, 1)
    await assert.rejects(get(server.port, '/die'))
    const { body, status } = await get(server.port)
    assert.equal(status, 200)
    assert.notEqual(body.pid, before)
    assert.equal(await server.stop(), 0)
  })

  test('without a worker a connection gets 503 in native code, and the primary lives', async () => {
    const server = await proxy({}, { options: { respawnWorkers: false, patienceMs: 100 } })
    for (const _ of [1, 2]) await assert.rejects(get(server.port, '/die'))
    const { status, headers } = await get(server.port)
    assert.equal(status, 503)
    assert.match(headers['retry-after'], /^[12]$/)
    assert.equal(headers.connection, 'close')
    // Nothing that a TLS client could understand is known.
    const tls = connect(server.port, '127.0.0.1')
    tls.write(Buffer.from([0x16, 3, 1, 0, 1, 1]))
    tls.on('error', () => {})
    let bytes = 0
    tls.on('data', part => {
      bytes += part.length
    })
    await once(tls, 'close')
    assert.equal(bytes, 0)
    assert.equal((await server.counts()).refused, 2)
    assert.ok(await quiet(server))
    assert.equal(await server.stop(), 0)
  })

  test('a reload replaces every worker and loses no request', async () => {
    const server = await proxy()
    const before = await workersOf(server.port)
    let isOver = false
    let served = 0
    const load = async () => {
      while (!isOver) {
        const { status } = await get(server.port, '/slow?ms=5')
        assert.equal(status, 200)
        served++
      }
    }
    const loads = [load(), load(), load()]
    await server.ask('reload')
    const now = await bothOf(server.port)
    isOver = true
    await Promise.all(loads)
    assert.ok(served > 20)
    assert.equal(now.length, 2)
    assert.ok(now.every(pid => !before.includes(pid)))
    const { refused, closed, workers } = await server.counts()
    assert.deepEqual([refused, closed, workers], [0, 0, 2])
    assert.equal(await server.stop(), 0)
  })

  test('an upload the server does not want gets its answer', async () => {
    const server = await proxy({ FRAMEWORK: 'refusing' })
    for (let n = 0; n < 5; n++) {
      const socket = connect(server.port, '127.0.0.1')
      socket.on('error', () => {})
      socket.write('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 50000000\r\n\r\n')
      const part = Buffer.alloc(65_536)
      const more = setInterval(() => socket.write(part), 1)
      let text = ''
      for await (const bytes of socket) {
        text += bytes
        if (text.includes('too much')) break
      }
      clearInterval(more)
      assert.match(text, /^HTTP\/1.1 413/)
    }
    assert.ok(await quiet(server))
    assert.equal(await server.stop(), 0)
  })

  describe('balancer functions', () => {
    test('choose by the head of the request, which the worker gets whole', async () => {
      const server = await proxy({ BALANCER: 'path' })
      // The one that gets most of them: what a starved worker does not take goes to the other one.
      const usual = async path => {
        const times = new Map()
        for (let n = 0; n < 7; n++) {
          const { pid } = (await get(server.port, `${path}${n}`)).body
          times.set(pid, (times.get(pid) ?? 0) + 1)
        }
        return [...times].sort(([, a], [, b]) => b - a)[0][0]
      }
      const [a, b] = [await usual('/a'), await usual('/b')]
      assert.notEqual(a, b)
      assert.equal(await usual('/a'), a)
      const socket = connect(server.port, '127.0.0.1')
      socket.write('GET /b HTTP/1.1\r\nHo')
      await sleep(60)
      socket.write('st: here\r\nConnection: close\r\n\r\n')
      let text = ''
      for await (const part of socket) text += part
      assert.match(text, /^HTTP\/1.1 200/)
      assert.ok(text.includes('"path":"/b"'), 'what was read to choose by is not lost')
      assert.equal(await server.stop(), 0)
    })

    test('that throw close the connection and are logged', async () => {
      const server = await proxy({ BALANCER: 'throws' })
      await assert.rejects(get(server.port), { code: 'ECONNRESET' })
      const { because } = await server.message(({ error }) => error)
      assert.equal(because, 'no idea')
      assert.equal((await server.counts()).closed, 1)
      assert.equal(await server.stop(), 0)
    })

    test('that never answer cost a connection no more than its patience', async () => {
      const server = await proxy({ BALANCER: 'never' })
      assert.equal((await get(server.port)).status, 503)
      assert.ok(await quiet(server))
      assert.equal(await server.stop(), 0)
    })
  })

  test('more at once than a worker can take up wait for it, where it was chosen', async () => {
    const options = { requestInspectionTimeoutMs: 5000, patienceMs: 5000 }
    const server = await proxy({ BALANCER: 'first' }, { options })
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => get(server.port, '/slow?ms=400', { ms: 20_000 })),
    )
    const first = (await server.stats()).workers[0].pid
    const there = answers.filter(({ body }) => body.pid === first).length
    // What a starved worker does not take in time goes to the other one, 64 at most at a time.
    assert.ok(there >= 120, `${there} of 200`)
    assert.equal(await server.stop(), 0)
  })

  test('for want of descriptors when it is to listen, it listens as soon as there is one', async () => {
    const prefix = ['sh', '-c', 'ulimit -n 256; exec "$0" "$@"']
    const options = { workers: 1 }
    const server = await proxy({ EXHAUST_AT: 'workerReady' }, { prefix, options })
    assert.equal((await get(server.port, '/', { ms: 20_000 })).status, 200)
    assert.equal(await server.stop(), 0)
  })

  test('hostile clients leave the primary alive and every count at zero', linux, async () => {
    for (const BALANCER of ['', 'path', 'late']) {
      const server = await proxy({ BALANCER }, { options: { patienceMs: 300 } })
      await hostile(server.port, { count: 300, seed: 7 })
      const before = (await quiet(server)) && (await server.ask('fds'))
      await hostile(server.port, { count: 300, seed: 8 })
      assert.ok(await quiet(server), JSON.stringify(await server.counts()))
      const { accepted, handed, refused, closed, ...now } = await server.counts()
      assert.equal(accepted, handed + refused + closed)
      assert.deepEqual([...counters(now), now.open], [0, 0, 0, 0, 0])
      assert.equal(await server.ask('fds'), before, 'no descriptor is left in the primary')
      assert.equal((await get(server.port)).status, 200)
      assert.equal(await server.stop(), 0)
    }
  })

  test('idle connections cost next to nothing', async () => {
    const server = await proxy()
    const sockets = Array.from({ length: 200 }, () => connect(server.port, '127.0.0.1'))
    await Promise.all(sockets.map(socket => once(socket, 'connect')))
    await sleep(500)
    // The least of some: the runtime has work of its own now and then.
    const spent = []
    for (let n = 0; n < 4; n++) {
      const before = await server.ask('cpu')
      await sleep(1000)
      const { user, system } = await server.ask('cpu')
      spent.push(user + system - before.user - before.system)
    }
    assert.ok(Math.min(...spent) < 30_000, `${spent} µs in a second each`)
    for (const socket of sockets) socket.destroy()
    assert.ok(await quiet(server))
    assert.equal(await server.stop(), 0)
  })

  test('stopped at once, it drops what is under way, and can be started again', async () => {
    const server = await proxy()
    const under = assert.rejects(get(server.port, '/slow?ms=5000'))
    await sleep(100)
    await server.ask('stopNow')
    await under
    assert.equal(await server.exited, 0)
    const other = await proxy()
    const before = await workersOf(other.port)
    const { port } = await other.ask('restart')
    assert.ok(!before.includes((await get(port)).body.pid))
    assert.equal(await other.stop(), 0)
  })

  test('nothing of it is left behind', linux, async () => {
    const server = await proxy()
    const [pid] = await workersOf(server.port)
    const variables = readFileSync(`/proc/${pid}/environ`, 'latin1')
    const [, folder] = /SEAWALL_WORKER_FOLDER=([^\0]+)/.exec(variables)
    const [, boards] = /SEAWALL_WORKER_BOARDS=([^\0]+)/.exec(variables)
    assert.deepEqual(readdirSync(boards), [], 'both have it, nobody needs its name')
    assert.equal(await server.stop(), 0)
    for (const path of [folder, boards]) assert.throws(() => readdirSync(path), { code: 'ENOENT' })
  })
})

// @ts-check
// The probe server, over real sockets: what it answers, while JavaScript is blocked, to clients that
// mean no good.
import assert from 'node:assert/strict'
import { fork, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { engineKind } from 'seawall'
import { HealthChecks, startProbeServer } from 'seawall/health'
import { PressureMonitor } from 'seawall/pressure'

/** What the test leaves open is closed after it, the last first. */
const open = []
const closing = what => {
  open.push(what)
  return what
}
afterEach(async () => {
  for (const what of open.splice(0).reverse()) {
    await (what[Symbol.asyncDispose] ?? what[Symbol.dispose]).call(what)
  }
})

const SIGNALS = /** @type {const} */ ([
  ...['delayP50', 'delayP99', 'delayMax', 'utilization', 'utilizationSmooth', 'heapUsed'],
  ...['heapLimit', 'rss', 'memoryUsed', 'memoryLimit', 'cpuThrottled', 'cpuStall', 'memoryStall'],
  ...['ioStall', 'inFlight', 'queue'],
])
const isNative = engineKind() === 'native'
const host = '127.0.0.1'

/** One request on a connection of its own. */
function get(target, path, { method = 'GET', agent = false } = {}) {
  const where = typeof target === 'string' ? { socketPath: target } : { host, port: target.port }
  return new Promise((resolve, reject) => {
    const started = performance.now()
    request({ ...where, path, method, agent: /** @type {any} */ (agent) }, response => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', part => (text += part))
      response.on('end', () => {
        const ms = performance.now() - started
        resolve({ status: response.statusCode, headers: response.headers, text, ms })
      })
      response.on('error', reject)
    })
      .on('error', reject)
      .end()
  })
}

/** Bytes on a connection of its own, and what comes back until it closes. */
async function raw(port, ...parts) {
  const socket = connect(port, host)
  let text = ''
  socket.setEncoding('latin1')
  socket.on('data', part => (text += part))
  socket.on('error', () => {})
  for (const part of parts) socket.write(part, 'latin1')
  await once(socket, 'close')
  return text
}

/** Waits until `test` holds. */
async function until(test, what) {
  const end = performance.now() + 10_000
  while (!test()) {
    assert.ok(performance.now() < end, what)
    await sleep(5)
  }
}

const at = server => /** @type {{ port: number }} */ (server.address())
const kinds = isNative ? ['native', 'javascript'] : ['javascript']

for (const kind of /** @type {('native' | 'javascript')[]} */ (kinds)) {
  describe(`served by ${kind}`, () => {
    const start = options => startProbeServer({ port: 0, host, kind, ...options })

    it('answers each path with 200 or 503 and JSON that says why', async () => {
      const checks = closing(new HealthChecks())
      let well = true
      const remove = checks.add('data"base', () => well || assert.fail('gone\naway'))
      const server = closing(await start({ checks }))
      assert.equal(server.kind, kind)
      await sleep(5)
      const ready = await get(at(server), '/readyz?verbose')
      assert.equal(ready.status, 200)
      assert.equal(ready.headers['content-type'], 'application/json')
      assert.equal(ready.headers['cache-control'], 'no-store')
      const body = JSON.parse(ready.text)
      assert.equal(body.status, 'pass')
      assert.equal(body.probe, 'readiness')
      assert.equal(body.reason, 'passing')
      assert.ok(body.forMs >= 0 && body.blockedMs >= 0)
      const [check] = body.checks
      assert.deepEqual(
        [check.name, check.kind, check.status, check.reason, check.runningMs],
        ['data"base', 'readiness', 'pass', 'passing', null],
      )
      assert.ok(check.ageMs >= 0 && check.ageMs < 5000)

      well = false
      await checks.run('data"base')
      for (const path of ['/readyz', '/healthz']) {
        const bad = await get(at(server), path)
        assert.equal(bad.status, 503)
        const { status, reason, check: name, message } = JSON.parse(bad.text)
        const wanted = ['fail', 'failing', 'data"base', 'gone\naway']
        assert.deepEqual([status, reason, name, message], wanted)
      }
      for (const path of ['/livez', '/startupz']) {
        assert.equal((await get(at(server), path)).status, 200, path)
      }
      remove()
      assert.equal((await get(at(server), '/readyz')).status, 200)
      checks.drain()
      const drained = await get(at(server), '/readyz')
      assert.deepEqual([drained.status, JSON.parse(drained.text).reason], [503, 'draining'])
      assert.equal((await get(at(server), '/livez')).status, 200)
      checks.setUnrecoverable(new Error('port taken'))
      const dead = await get(at(server), '/livez')
      const { reason, message } = JSON.parse(dead.text)
      assert.deepEqual([dead.status, reason, message], [503, 'unrecoverable', 'port taken'])
    })

    it('answers HEAD, refuses other methods and paths nobody knows', async () => {
      const server = closing(await start({}))
      const head = await get(at(server), '/readyz', { method: 'HEAD' })
      assert.deepEqual([head.status, head.text], [200, ''])
      assert.ok(Number(head.headers['content-length']) > 50)
      const post = await get(at(server), '/readyz', { method: 'POST' })
      assert.deepEqual([post.status, post.headers.allow], [405, 'GET, HEAD'])
      assert.equal((await get(at(server), '/')).status, 404)
      assert.equal((await get(at(server), '/livez/')).status, 404)
    })

    it('takes other paths, and tells no details where that is asked for', async () => {
      const checks = closing(new HealthChecks())
      checks.add('secret-host', () => false)
      const paths = /** @type {const} */ ({ readiness: '/r', health: false, metrics: '/m' })
      const server = closing(await start({ checks, paths, details: false }))
      await sleep(5)
      const { status, text } = await get(at(server), '/r')
      assert.equal(status, 503)
      const { reason, checks: list, message } = JSON.parse(text)
      assert.deepEqual([reason, list, message], ['failing', undefined, undefined])
      for (const path of ['/readyz', '/healthz', '/metrics']) {
        assert.equal((await get(at(server), path)).status, 404, path)
      }
      assert.equal((await get(at(server), '/m')).status, 200)
    })

    it('serves metrics in the text format of Prometheus', async () => {
      const checks = closing(new HealthChecks())
      checks.add('a "b"', () => true)
      checks.add('c\td\u0001\n}', () => true)
      const server = closing(await start({ checks }))
      await sleep(5)
      const { headers, text } = await get(at(server), '/metrics')
      assert.equal(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
      const sample =
        /^([a-z][a-z0-9_]*)(?:\{([a-z]+="(?:[^"\\]|\\.)*",?)+\})? (-?\d+(\.\d+)?|NaN|\+Inf)$/
      const typed = new Map()
      for (const line of text.trimEnd().split('\n')) {
        const [, hash, name] = /^# (HELP|TYPE) (\S+) \S/.exec(line) ?? []
        if (hash === 'TYPE') typed.set(name, line.split(' ').at(-1))
        if (hash) continue
        const [, metric] = sample.exec(line) ?? assert.fail(line)
        assert.ok(typed.has(metric), `${metric} has a type before its value`)
        assert.equal(typed.get(metric) === 'counter', metric.endsWith('_total'), metric)
      }
      assert.match(text, /^seawall_health_passing\{probe="readiness"\} 1$/m)
      assert.match(text, /^seawall_health_check_passing\{check="a \\"b\\"",kind="readiness"\} 1$/m)
      // Prometheus knows three escapes, and throws all metrics away for another.
      const odd = 'seawall_health_check_passing{check="c\td\u0001\\n}",kind="readiness"} 1'
      assert.ok(text.split('\n').includes(odd), text)
      assert.match(text, /^seawall_event_loop_blocked_seconds 0/m)
      assert.match(text, /^seawall_pressure_level 0$/m)
    })

    it('tells of all signals of a monitor, and may be not ready for its level', async () => {
      const monitor = closing(
        new PressureMonitor({ source: 'manual', blockMs: { soft: 100, hard: 200 } }),
      )
      const server = closing(await start({ monitor, readinessLevel: 'severe' }))
      assert.equal((await get(at(server), '/readyz')).status, 200)
      const all = Object.fromEntries(SIGNALS.map(name => [name, 0.04]))
      monitor.observe({ ...all, heapLimit: 1, memoryLimit: 1, block: 160 })
      const { status, text } = await get(at(server), '/readyz')
      const { reason, pressure } = JSON.parse(text)
      assert.deepEqual([status, reason, pressure], [503, 'pressure', 'severe'])
      assert.equal((await get(at(server), '/livez')).status, 200)
      const metrics = (await get(at(server), '/metrics')).text
      for (const line of [
        'seawall_event_loop_delay_p50_seconds 0.00004',
        'seawall_event_loop_delay_p99_seconds 0.00004',
        'seawall_event_loop_delay_max_seconds 0.00004',
        'seawall_event_loop_utilization_ratio 0.04',
        'seawall_event_loop_utilization_smoothed_ratio 0.04',
        'seawall_heap_used_bytes 0.04',
        'seawall_heap_limit_bytes 1',
        'seawall_process_resident_memory_bytes 0.04',
        'seawall_memory_used_bytes 0.04',
        'seawall_memory_limit_bytes 1',
        'seawall_cpu_throttled_ratio 0.04',
        'seawall_cpu_stall_ratio 0.04',
        'seawall_memory_stall_ratio 0.04',
        'seawall_io_stall_ratio 0.04',
        'seawall_requests_in_flight 0.04',
        'seawall_request_queue_seconds 0.00004',
        'seawall_pressure_ratio 0.6',
        'seawall_pressure_level 3',
      ]) {
        assert.ok(metrics.split('\n').includes(line), `${line}\nin\n${metrics}`)
      }
    })

    it('keeps connections alive, and answers what comes on one in its order', async () => {
      const server = closing(await start({}))
      const two = 'GET /livez HTTP/1.1\r\nhost: x\r\n\r\nGET /no HTTP/1.1\r\nhost: x\r\n\r\n'
      const last = 'GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'
      const text = await raw(at(server).port, two, last)
      const statuses = [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)
      assert.deepEqual(statuses, ['200', '404', '200'])
      // Clients that are told do not send on a connection that is just being closed.
      assert.equal(text.match(/^keep-alive: timeout=5\r$/gim)?.length, 2, text)
    })

    it('listens on a Unix socket, in the place of a file that was left over', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'seawall-'))
      const path = join(folder, 'probes')
      try {
        const server = await startProbeServer({ socketPath: path, kind })
        assert.equal(server.address(), path)
        assert.equal((await get(path, '/livez')).status, 200)
        await assert.rejects(startProbeServer({ socketPath: path, kind }), {
          code: 'SEAWALL_LISTEN',
          message: `startProbeServer: cannot listen on ${path}: something else listens there (EADDRINUSE)`,
        })
        await server.close()
        assert.equal(existsSync(path), false)
        writeFileSync(path, 'no socket')
        await assert.rejects(startProbeServer({ socketPath: path, kind }), /EADDRINUSE/)
        assert.equal(existsSync(path), true, 'a file that is no socket is not touched')
      } finally {
        rmSync(folder, { recursive: true })
      }
    })

    it('names the port it cannot listen on', async () => {
      const other = createServer().listen(0, host)
      await once(other, 'listening')
      const { port } = /** @type {import('node:net').AddressInfo} */ (other.address())
      await assert.rejects(start({ port }), {
        name: 'SeawallError',
        code: 'SEAWALL_LISTEN',
        message: `startProbeServer: cannot listen on port ${port} of ${host}: something else listens there (EADDRINUSE)`,
      })
      other.close()
      await once(other, 'close')
      const server = closing(await start({ port }))
      assert.equal(at(server).port, port)
      await assert.rejects(start({ host: '192.0.2.1' }), /EADDRNOTAVAIL/)
    })

    it('frees its port when it is closed, and ends its connections', async () => {
      const server = await start({})
      const { port } = at(server)
      const socket = connect(port, host)
      socket.on('error', () => {})
      await once(socket, 'connect')
      await until(() => server.counts().open === 1, 'the connection is seen')
      const ended = once(socket, 'close')
      await server.close()
      await server.close()
      socket.resume()
      await ended
      assert.equal(server.counts().accepted, 1)
      const again = closing(await start({ port }))
      assert.equal((await get(at(again), '/livez')).status, 200)
    })

    it('refuses what makes no sense', async () => {
      const refused = (option, options) =>
        assert.rejects(startProbeServer({ kind, ...options }), {
          code: 'SEAWALL_INVALID_OPTION',
          option,
        })
      await refused('port', {})
      await refused('port', { port: 70_000 })
      await refused('port', { port: 1.5 })
      await refused('socketPath', { port: 0, socketPath: '/tmp/x' })
      await refused('socketPath', { socketPath: '' })
      await refused('host', { socketPath: '/tmp/x', host })
      await refused('prot', { prot: 1 })
      await refused('checks', { port: 0, checks: {} })
      await refused('monitor', { port: 0, monitor: {} })
      await refused('readinessLevel', { port: 0, readinessLevel: 'normal' })
      await refused('paths.liveness', { port: 0, paths: { liveness: 'live' } })
      await refused('paths.life', { port: 0, paths: { life: '/' } })
      await refused('readinessBlockMs', { port: 0, readinessBlockMs: 0 })
      await refused('livenessBlockMs', { port: 0, readinessBlockMs: 500, livenessBlockMs: 100 })
    })

    it('outlives garbage, half heads and clients that go', async () => {
      const server = closing(await start({}))
      const { port } = at(server)
      assert.match(
        await raw(port, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'),
        /^HTTP\/1\.1 400/,
      )
      const long = await raw(port, `GET /${'a'.repeat(70_000)} HTTP/1.1\r\n`)
      assert.match(long, /^$|^HTTP\/1\.1 4\d\d/)
      for (let i = 0; i < 50; i++) {
        const socket = connect(port, host)
        socket.on('error', () => {})
        socket.write('GET /livez HT', () => socket.resetAndDestroy())
      }
      const body = 'POST /livez HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n'
      assert.match(await raw(port, body, 'x'.repeat(50_000)), /^HTTP\/1\.1 405/)
      assert.equal((await get(at(server), '/livez')).status, 200)
      await until(() => server.counts().open === 0, 'all connections are gone')
    })
  })
}

describe('a native server', { skip: !isNative && 'there are no threads' }, () => {
  it('answers while JavaScript is blocked, and says what it sees', async () => {
    const child = fork(join(import.meta.dirname, 'fixtures/blocked-probes.mjs'), ['3000'], {
      cwd: import.meta.dirname,
    })
    const [address] = /** @type {any} */ (await once(child, 'message'))
    assert.equal(address.kind, 'native')
    const before = await get(address, '/readyz')
    assert.equal(before.status, 200, before.text)
    child.send('block')
    await once(child, 'message')
    const started = performance.now()
    const seen = []
    while (performance.now() - started < 2800) {
      const [ready, live] = await Promise.all([get(address, '/readyz'), get(address, '/livez')])
      seen.push({ at: performance.now() - started, ready, live })
      await sleep(10)
    }
    const metrics = await get(address, '/metrics')
    const times = seen.flatMap(({ ready, live }) => [ready.ms, live.ms]).sort((a, b) => a - b)
    assert.ok(times.length > 50, `${times.length} answers`)
    const median = times[times.length >> 1] ?? 0
    assert.ok(median < 20, `the median of ${times.length} answers took ${median} ms`)
    const longest = times.at(-1) ?? 0
    assert.ok(longest < 500, `the longest took ${longest} ms`)

    const by = ms => seen.filter(({ at }) => at > ms)
    assert.equal(seen[0]?.ready.status, 200, 'a short block is none')
    for (const { ready } of by(800)) {
      assert.equal(ready.status, 503)
      const { reason, blockedMs } = JSON.parse(ready.text)
      assert.equal(reason, 'blocked')
      assert.ok(blockedMs >= 500 && blockedMs < 3100, blockedMs)
    }
    const early = seen.filter(({ at }) => at < 1700)
    assert.ok(early.every(({ live }) => live.status === 200))
    assert.ok(by(2300).every(({ live }) => live.status === 503))
    const late = JSON.parse(seen.at(-1)?.ready.text ?? '')
    assert.deepEqual(
      [late.checks[0].name, late.checks[0].reason, late.checks[0].status],
      ['database', 'stale', 'fail'],
      'nobody has heard of the check since',
    )
    const blocked = Number(/^seawall_event_loop_blocked_seconds (\S+)/m.exec(metrics.text)?.[1])
    assert.ok(blocked > 2 && blocked < 3.5, `${blocked}`)

    await once(child, 'message')
    const free = performance.now()
    for (;;) {
      const { status } = await get(address, '/readyz')
      if (status === 200) break
      assert.ok(performance.now() - free < 1000, 'ready again within a second')
    }
    child.send('end')
    const [code] = await once(child, 'exit')
    assert.equal(code, 0)
  })

  const CHILD = `
    import { PressureMonitor } from 'seawall/pressure'
    import { startProbeServer } from 'seawall/health'
    const block = ms => { const end = performance.now() + ms; while (performance.now() < end); }
    const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))
    const options = { port: 0, host: '127.0.0.1', readinessBlockMs: 300 }
    setInterval(() => {}, 1000)
  `
  /** A process that blocks in a route, and what its probe server says then. */
  async function blockedIn(code) {
    const child = spawn(
      process.execPath,
      ['--expose-gc', '--input-type=module', '-e', CHILD + code],
      { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'inherit'] },
    )
    const [line] = await once(child.stdout.setEncoding('utf8'), 'data')
    const port = Number(line)
    await sleep(1000)
    const ready = await get({ port }, '/readyz')
    const { text: metrics } = await get({ port }, '/metrics')
    child.kill('SIGKILL')
    await once(child, 'exit')
    return { ready, body: JSON.parse(ready.text), metrics }
  }

  it('says which route blocks, and for how long at that very moment', async () => {
    const { ready, body, metrics } = await blockedIn(`
      const monitor = new PressureMonitor()
      const server = await startProbeServer({ ...options, monitor })
      await sleep(300)
      console.log(server.address().port)
      monitor.enter('GET /report')
      block(5000)
    `)
    assert.deepEqual([ready.status, body.reason, body.route], [503, 'blocked', 'GET /report'])
    assert.ok(body.blockedMs > 700 && body.blockedMs < 4000, body.blockedMs)
    const loop = Number(/^seawall_event_loop_delay_max_seconds (\S+)/m.exec(metrics)?.[1])
    assert.ok(loop > 0.7, `the delay of the loop is that of the moment: ${loop}`)
  })

  it('sees the loop whatever becomes of its monitor', async () => {
    const { ready, body } = await blockedIn(`
      const monitor = new PressureMonitor()
      const server = await startProbeServer({ ...options, monitor, readinessLevel: 'elevated' })
      monitor[Symbol.dispose]()
      console.log(server.address().port)
      await sleep(50)
      block(5000)
    `)
    assert.deepEqual([ready.status, body.reason, body.pressure], [503, 'blocked', undefined])
    assert.ok(body.blockedMs > 700, body.blockedMs)
  })

  it('sees the loop beside a monitor that is told what others measure', async () => {
    const { ready, body } = await blockedIn(`
      const monitor = new PressureMonitor({ source: 'manual' })
      const server = await startProbeServer({ ...options, monitor })
      console.log(server.address().port)
      block(5000)
    `)
    assert.deepEqual([ready.status, body.reason], [503, 'blocked'])
  })

  it('goes on looking where nobody keeps the server', async () => {
    const { ready, body } = await blockedIn(`
      const { port } = (await startProbeServer(options)).address()
      for (let round = 0; round < 20; round++) { await sleep(10); gc() }
      console.log(port)
      block(5000)
    `)
    assert.deepEqual([ready.status, body.reason], [503, 'blocked'])
  })

  it('has nothing run in JavaScript where a thread looks', async () => {
    const beats = []
    const { setInterval: before } = globalThis
    globalThis.setInterval = /** @type {any} */ (
      (...all) => {
        beats.push(all)
        return /** @type {any} */ (before)(...all)
      }
    )
    try {
      closing(await startProbeServer({ port: 0, host }))
      assert.deepEqual(beats, [])
    } finally {
      globalThis.setInterval = before
    }
  })

  it('is not held by a thousand connections that say nothing, or little', async t => {
    const server = closing(await startProbeServer({ port: 0, host }))
    const { port } = at(server)
    const sockets = Array.from({ length: 1000 }, (_, index) => {
      const socket = connect(port, host)
      socket.on('error', () => {})
      socket.resume()
      if (index % 2) socket.write('GET /livez HTTP/1.1\r\nx-slow: ')
      return socket
    })
    t.after(() => {
      for (const socket of sockets) socket.destroy()
    })
    await until(() => server.counts().accepted >= 1000, 'all have come')
    const { open, displaced } = server.counts()
    assert.ok(open <= 256, `$openare open`)
    assert.ok(displaced >= 744, `$displacedhad to go`)
    const times = []
    for (let i = 0; i < 50; i++) {
      const { status, ms } = await get({ port }, '/livez')
      assert.equal(status, 200)
      times.push(ms)
    }
    for (const socket of sockets.slice(0, 900)) socket.destroy()
    assert.equal((await get({ port }, '/readyz')).status, 200)
    for (const socket of sockets) socket.destroy()
    await until(() => server.counts().open === 0, 'the counters are at zero')
    times.sort((a, b) => a - b)
    assert.ok((times[25] ?? 0) < 50, `the median took $times[25]ms`)
  })

  it('ends a connection whose head does not come, however steadily it drips', async () => {
    const server = closing(await startProbeServer({ port: 0, host }))
    const socket = connect(at(server).port, host)
    socket.on('error', () => {})
    socket.resume()
    const started = performance.now()
    const drip = setInterval(() => socket.write('a'), 100)
    await once(socket, 'close')
    clearInterval(drip)
    const took = performance.now() - started
    assert.ok(took > 4000 && took < 8000, `after $tookms`)
    await until(() => server.counts().open === 0, 'it is gone')
  })

  it('keeps no process alive, and does not end with a worker that did not start it', () => {
    const script = `
      import { Worker } from 'node:worker_threads'
      import { startProbeServer } from 'seawall/health'
      const server = await startProbeServer({ port: 0, host: '127.0.0.1' })
      const { port } = server.address()
      const code = \`
        import { parentPort } from 'node:worker_threads'
        import('seawall/health').then(async ({ startProbeServer, HealthChecks }) => {
          const checks = new HealthChecks()
          checks.add('in a worker', () => true)
          const server = await startProbeServer({ port: 0, host: '127.0.0.1', checks })
          parentPort.postMessage(server.address().port)
          setInterval(() => {}, 1000)
        })\`
      const worker = new Worker(code, { eval: true })
      const inWorker = await new Promise(resolve => worker.once('message', resolve))
      const status = async port => {
        try { return (await fetch('http://127.0.0.1:' + port + '/livez')).status } catch { return 'nobody' }
      }
      console.log(await status(port), await status(inWorker))
      await worker.terminate()
      let after
      for (let i = 0; i < 100 && after !== 'nobody'; i++) {
        after = await status(inWorker)
        await new Promise(resolve => setTimeout(resolve, 20))
      }
      console.log(await status(port), after)
    `
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['--input-type=module', '-e', script],
      { cwd: import.meta.dirname, encoding: 'utf8', timeout: 30_000 },
    )
    assert.deepEqual([status, stdout], [0, '200 200\n200 nobody\n'], stderr)
  })
})

describe('without threads', { skip: isNative && 'there are threads' }, () => {
  it('says that JavaScript serves, and refuses to do as if not', async () => {
    const server = closing(await startProbeServer({ port: 0, host }))
    assert.equal(server.kind, 'javascript')
    await assert.rejects(startProbeServer({ port: 0, kind: 'native' }), { option: 'kind' })
  })
})

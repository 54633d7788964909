// What programs written for `defuss-express` rely on, and its known faults, by their numbers.
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import * as server from 'seawall/express'
import { endAll, get, last, native, start, workersOf } from './express-tools.mjs'

const run = promisify(execFile)
const onlyNative = { skip: !native && 'native only' }

after(endAll)

const candidate = (index, more = {}) => ({
  id: `worker-${index}`,
  workerIndex: index,
  host: '127.0.0.1',
  port: 3001 + index,
  healthy: true,
  ready: true,
  activeProxyConnections: 0,
  ...more,
})
const stats = more => ({
  pid: 1,
  cpuPercent: 0,
  rssBytes: 0,
  heapUsedBytes: 0,
  heapTotalBytes: 0,
  externalBytes: 0,
  arrayBuffersBytes: 0,
  uptimeMs: 0,
  activeConnections: 0,
  sampledAt: 0,
  ...more,
})
const context = (candidates, previousIndex = 0) => ({
  candidates,
  previousIndex,
  request: { headers: {}, protocol: 'http1', rawHead: '' },
  socket: {},
})
const none = /defuss-express: no healthy backend candidates are available/

describe('the exports', () => {
  test('have the names and kinds of the original', () => {
    for (const name of [
      'startServer',
      'stopServer',
      'setServerConfig',
      'getServerConfig',
      'roundRobinLoadBalancer',
      'leastConnectionsLoadBalancer',
      'resourceAwareLoadBalancer',
      'defaultLoadBalancer',
      'createResourceAwareLoadBalancer',
      'express',
    ])
      assert.equal(typeof Reflect.get(server, name), 'function', name)
    assert.equal(server.default, server.express)
    assert.equal(server.expressDefault, server.express)
    assert.equal(server.defaultLoadBalancer, server.roundRobinLoadBalancer)
  })

  test('are there for require as well', async () => {
    const { createRequire } = await import('node:module')
    assert.equal(createRequire(import.meta.url)('seawall/express').startServer, server.startServer)
  })
})

describe('the configuration', () => {
  const fresh = async (env, code) => {
    const text = `import * as s from 'seawall/express'; ${code}`
    const { HOST, PORT, ...rest } = process.env
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', text], {
      env: { ...rest, NODE_TEST_CONTEXT: '', ...env },
      cwd: import.meta.dirname,
    })
    return JSON.parse(stdout)
  }
  const print = 'console.log(JSON.stringify(s.getServerConfig()))'

  test('has the defaults of the original', async () => {
    const config = await fresh({}, print)
    const expected = {
      host: '0.0.0.0',
      port: 3000,
      workerHost: '127.0.0.1',
      baseWorkerPort: 3001,
      workers: availableParallelism(),
      requestInspectionTimeoutMs: 10,
      maxHeaderBytes: 16_384,
      allowHalfOpen: true,
      workerHeartbeatIntervalMs: 60_000,
      workerHeartbeatStaleAfterMs: 150_000,
      gracefulShutdownTimeoutMs: 10_000,
      respawnWorkers: true,
      workerEnv: {},
      installSignalHandlers: true,
    }
    for (const [key, value] of Object.entries(expected)) assert.deepEqual(config[key], value, key)
  })

  test('comes from the environment, where empty words are none', async () => {
    const env = { HOST: '', LISTEN_HOST: '::1', PORT: '', LISTEN_PORT: '81', WORKER_HOST: 'w' }
    const config = await fresh({ ...env, BASE_WORKER_PORT: '4000' }, print)
    const { host, port, workerHost, baseWorkerPort } = config
    assert.deepEqual([host, port, workerHost, baseWorkerPort], ['::1', 81, 'w', 4000])
    const first = await fresh({ HOST: 'a', LISTEN_HOST: 'b', PORT: '1', LISTEN_PORT: '2' }, print)
    assert.deepEqual([first.host, first.port], ['a', 1])
  })

  test('is merged: undefined changes nothing, logger and workerEnv key by key', async () => {
    const config = await fresh(
      {},
      `s.setServerConfig({ port: 1, workerEnv: { A: '1' }, logger: { info() { return 'mine' } } })
       const now = s.setServerConfig({ port: undefined, workerEnv: { B: '2' }, host: 'h' })
       console.log(JSON.stringify({ ...now, same: now === s.getServerConfig(),
         mine: now.logger.info(), rest: typeof now.logger.error }))`,
    )
    const { port, workerEnv, host, same, mine, rest } = config
    assert.deepEqual([port, host, same, mine, rest], [1, 'h', true, 'mine', 'function'])
    assert.deepEqual(workerEnv, { A: '1', B: '2' })
  })

  test('FIX 14: counts of workers that make no sense are one', async () => {
    const counts = await fresh(
      {},
      `console.log(JSON.stringify([0, -3, 2.7, NaN, 'auto'].map(workers => s.setServerConfig({ workers }).workers)))`,
    )
    assert.deepEqual(counts, [1, 1, 2, 1, availableParallelism()])
  })

  test('an option nobody knows is named', () => {
    assert.throws(() => server.setServerConfig({ worker: 2 }), {
      code: 'SEAWALL_INVALID_OPTION',
      message: /`worker`.*did you mean `workers`/,
    })
  })
})

describe('balancers', () => {
  test('round robin goes by the number of the choice', () => {
    const two = [candidate(0), candidate(1)]
    const pick = n => server.roundRobinLoadBalancer(context(two, n)).workerIndex
    assert.deepEqual([pick(5), pick(100), pick(0), pick(1)], [1, 0, 0, 1])
  })

  test('least connections takes the first of the smallest and changes nothing', () => {
    const three = [2, 1, 1].map((n, index) => candidate(index, { activeProxyConnections: n }))
    const before = structuredClone(three)
    assert.equal(server.leastConnectionsLoadBalancer(context(three)), three[1])
    assert.deepEqual(three, before)
  })

  test('resource-aware weighs connections, processor and heap; what is not known is idle', () => {
    const busy = candidate(0, {
      activeProxyConnections: 1,
      stats: stats({ cpuPercent: 50, heapUsedBytes: 5, heapTotalBytes: 10 }),
    })
    const full = candidate(1, { activeProxyConnections: 12 })
    // 10 + 100 + 50 against 120.
    assert.equal(server.resourceAwareLoadBalancer(context([busy, full])), full)
    const by = weights => server.createResourceAwareLoadBalancer(weights)(context([busy, full]))
    assert.equal(by({ cpuWeight: 0, connectionWeight: 1, heapWeight: 0 }), busy)
    assert.equal(by({ connectionWeight: 0, cpuWeight: 100 }), full)
    assert.equal(by({ connectionWeight: 0, cpuWeight: 0 }), full, 'without a heap none is in use')
  })

  test('without a candidate they throw at once', () => {
    for (const name of ['roundRobin', 'leastConnections', 'resourceAware'])
      assert.throws(() => Reflect.get(server, `${name}LoadBalancer`)(context([])), none)
  })

  test('pickBackend has the default balancer, and waits for those that take time', async () => {
    const two = [candidate(0), candidate(1)]
    assert.equal(await server.pickBackend(context(two, 1)), two[1])
    assert.equal(
      await server.pickBackend(context(two), async ({ candidates }) => candidates[1]),
      two[1],
    )
    await assert.rejects(server.pickBackend(context([])), none)
  })
})

describe('the head of a request', onlyNative, () => {
  const parse = (text, ...address) =>
    server.parseRequestHead(Buffer.from(text, 'latin1'), ...address)

  test('is read', () => {
    const head = parse('GET /a?b HTTP/1.1\r\nHost: h\r\nX-A:  é \r\nx-a: 2\r\n\r\n', '1.2.3.4', 5)
    const { rawHead, headers, ...rest } = head
    assert.deepEqual({ ...headers }, { host: 'h', 'x-a': '2' }, 'the last one counts')
    assert.deepEqual(
      { ...rest },
      {
        method: 'GET',
        path: '/a?b',
        httpVersion: '1.1',
        host: 'h',
        remoteAddress: '1.2.3.4',
        remotePort: 5,
        protocol: 'http1',
        serverName: undefined,
      },
    )
    assert.equal(parse('GET / HTTP/1.1\r\nX: é\r\n\r\n').headers.x, 'é')
    assert.ok(rawHead.endsWith('\r\n\r\n'))
  })

  test('is read as far as it goes', () => {
    const { method, path, headers, protocol } = parse('GET /slow HTTP/1.1\r\nHost: h\r\nX-Ha')
    assert.deepEqual([method, path, headers.host, protocol], ['GET', '/slow', 'h', 'http1'])
    const empty = parse('')
    assert.deepEqual([empty.method, empty.path, empty.protocol], ['', undefined, 'unknown'])
  })

  test('has ended at an empty line', () => {
    assert.equal(server.hasCompleteHttpHeaders(Buffer.from('GET / HTTP/1.1\r\n\r\n')), true)
    assert.equal(server.hasCompleteHttpHeaders(Buffer.from('GET / HTTP/1.1\r\n')), false)
    assert.equal(server.hasCompleteHttpHeaders(Buffer.alloc(0)), false)
  })

  test('FIX 10: lines of a body are no headers', () => {
    const head = parse('POST / HTTP/1.1\r\nHost: good\r\n\r\nHost: evil\r\n\r\n')
    assert.equal(head.host, 'good')
    assert.equal(head.rawHead, 'POST / HTTP/1.1\r\nHost: good\r\n\r\n')
  })

  test('FIX 11: two words are no request', () => {
    for (const text of ['hello world', 'hello world\r\n\r\n', '\x16\x03\x01\x00 a b', 'A B C/1.1'])
      assert.equal(parse(text).protocol, 'unknown', text)
  })

  test('FIX 12: headers have no prototype', () => {
    const { headers } = parse('GET / HTTP/1.1\r\n__proto__: a\r\nconstructor: b\r\n\r\n')
    assert.equal(Object.getPrototypeOf(headers), null)
    assert.deepEqual(Object.entries(headers), [
      ['__proto__', 'a'],
      ['constructor', 'b'],
    ])
  })
})

describe('the server', onlyNative, () => {
  test('says what the original says, and where it is', async () => {
    const app = await start({}, { options: { baseWorkerPort: 4100 } })
    const { mode, pid, host, port, workers } = app.up
    assert.deepEqual(
      [mode, pid, host, port, workers],
      ['primary', app.child.pid, '127.0.0.1', app.port, 2],
    )
    assert.ok(
      app.messages.some(
        ({ info }) =>
          info === `[defuss-express] primary ${pid} listening on tcp://127.0.0.1:${port}`,
      ),
    )
    const worker = app.messages.find(
      ({ mode, workerIndex }) => mode === 'worker' && workerIndex === 1,
    )
    assert.deepEqual([worker.host, worker.port, worker.workerPort], ['127.0.0.1', 4101, 4101])
    assert.ok(
      app.messages.some(
        ({ info }) =>
          info === `[defuss-express] worker ${worker.pid} listening on http://127.0.0.1:4101`,
      ),
    )
    assert.equal(await app.stop(), 0)
  })

  test('FIX 1: a balancer function without anybody to choose: 503, and the primary lives', async () => {
    const app = await start(
      { BALANCER: 'path' },
      { options: { respawnWorkers: false, patienceMs: 100 } },
    )
    for (const path of ['/die', '/b/die']) await get(app.port, path).catch(() => {})
    app.child.send({ id: 0, order: 'counts' })
    for (const { pid } of (await app.stats()).workers) if (pid) process.kill(pid, 'SIGKILL')
    await sleep(100)
    assert.equal((await get(app.port)).status, 503)
    // The client may know of it before it is counted.
    for (let n = 0; n < 100 && (await app.counts()).waiting > 0; n++) await sleep(20)
    const { asked, waiting, refused } = await app.counts()
    assert.deepEqual([asked, waiting, refused], [0, 0, 1])
    assert.equal(await app.stop(), 0)
  })

  test('FIX 1: a balancer function that never answers: 503, in spite of no patience', async () => {
    const app = await start({ BALANCER: 'never' }, { options: { patienceMs: 0 } })
    const begun = performance.now()
    assert.equal((await get(app.port)).status, 503)
    assert.ok(performance.now() - begun > 900, 'a function has a second at least')
    assert.equal(await app.stop(), 0)
  })

  test('clients who say nothing do not stop the front', async () => {
    const app = await start({ BALANCER: 'path' })
    const idle = Array.from({ length: 5 }, () => connect(app.port, '127.0.0.1'))
    await Promise.all(idle.map(socket => once(socket, 'connect')))
    assert.equal((await get(app.port, '/', { ms: 1000 })).status, 200)
    for (const socket of idle) socket.destroy()
    assert.equal(await app.stop(), 0)
  })

  test('FIX 2: counts of connections fall again', async () => {
    const app = await start({ BALANCER: 'count' }, { options: { workerHeartbeatIntervalMs: 20 } })
    const open = Array.from({ length: 6 }, () => connect(app.port, '127.0.0.1'))
    await Promise.all(open.map(socket => once(socket, 'connect')))
    await sleep(300)
    assert.equal(
      (await app.stats()).workers.reduce((sum, { connections }) => sum + connections, 0),
      6,
    )
    await get(app.port)
    // The balancer tells by messages, which come when they come.
    let sum = 0
    for (let tries = 0; tries < 100 && sum !== 6; tries++) {
      await sleep(20)
      const { seen } = app.messages.findLast(({ seen }) => seen)
      sum = seen.reduce((sum, count) => sum + count, 0)
    }
    assert.equal(sum, 6, 'as a balancer sees it')
    for (const socket of open) socket.destroy()
    await sleep(300)
    assert.deepEqual(
      (await app.stats()).workers.map(({ connections }) => connections),
      [0, 0],
    )
    assert.equal(await app.stop(), 0)
  })

  test('FIX 3, 5: a word of the program, or one too early, makes no backend', async () => {
    const app = await start({ BALANCER: 'count', NOISE: '1' })
    await get(app.port)
    const { candidates } = app.messages.filter(({ seen }) => seen).at(-1)
    assert.deepEqual(candidates, ['worker-0', 'worker-1'])
    assert.equal(await app.stop(), 0)
  })

  test('FIX 4: a worker that cannot listen fails the start, with express 5 and 4 as well', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address()
    for (const FRAMEWORK of ['http', 'express', 'express4']) {
      const app = await start({ FRAMEWORK }, { options: { port, mode: 'cluster' }, quiet: true })
      assert.equal(app.up.code, 'EADDRINUSE', `${FRAMEWORK}: ${app.up.failed}`)
      assert.equal(await app.exited, 1)
    }
    other.close()
  })

  test('FIX 6: workers are awaited, and those that do not end are killed', async () => {
    const app = await start({}, { options: { gracefulShutdownTimeoutMs: 300 } })
    const pids = await workersOf(app.port)
    const stuck = get(app.port, '/block?ms=20000').catch(() => {})
    await sleep(100)
    const begun = performance.now()
    assert.equal(await app.stop(), 0)
    assert.ok(performance.now() - begun < 3000)
    for (const pid of pids) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
    await stuck
  })

  test('FIX 7: a failed start leaves nothing behind', async () => {
    const app = await start({ DELAY: '60000' }, { options: { gracefulShutdownTimeoutMs: 100 } })
    assert.equal(app.up.failed, 'defuss-express: no worker became ready during startup')
    assert.equal(await app.exited, 1)
    const started = app.messages.filter(({ event }) => event === 'workerStarted')
    assert.equal(started.length, 2)
    for (const { pid } of started) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
  })

  test('FIX 7: the port may lie among those of workers, who open none', async () => {
    const probe = createServer().listen(0)
    await once(probe, 'listening')
    const { port } = probe.address()
    probe.close()
    await once(probe, 'close')
    const app = await start({}, { options: { port, baseWorkerPort: port - 1 } })
    assert.equal((await get(app.port)).status, 200)
    assert.equal(await app.stop(), 0)
  })

  test('FIX 9: a signal while workers start ends all of them', async () => {
    const app = start({ DELAY: '3000' })
    await last().message(({ event }) => event === 'workerStarted')
    last().child.kill('SIGTERM')
    const { up, exited, messages } = await app
    assert.equal(up.code, 'SEAWALL_STOPPED')
    assert.equal(await exited, 1)
    for (const { pid } of messages.filter(({ event }) => event === 'workerStarted'))
      assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
  })

  test('FIX 16, 18: nothing but what the logger gets; a sink that throws changes nothing', async () => {
    const app = await start({ TELEMETRY: '1', BALANCER: 'path' }, { quiet: true })
    assert.equal((await get(app.port)).status, 200)
    await sleep(1200)
    const of = name => app.messages.filter(({ telemetry }) => telemetry === name)
    for (const name of [
      'healthy_backends',
      'active_connections',
      'cpu_percent',
      'prelude_duration_ms',
    ])
      assert.ok(of(name).length > 0, name)
    assert.equal(
      of('connections').reduce((sum, { value }) => sum + value, 0),
      1,
    )
    assert.equal(await app.stop(), 0)
  })

  test('FIX 17: stopServer(false) does not wait', async () => {
    const app = await start()
    const slow = assert.rejects(get(app.port, '/slow?ms=5000'))
    await sleep(100)
    const begun = performance.now()
    await app.ask('stopNow')
    assert.ok(performance.now() - begun < 1500)
    await slow
    assert.equal(await app.exited, 0)
  })

  test('it starts again after a stop, in the same process', async () => {
    const app = await start()
    await get(app.port)
    const again = await app.ask('restart')
    assert.equal((await get(again.port)).status, 200)
    assert.equal(await app.stop(), 0)
  })

  test('without handlers for signals stopServer is as graceful', async () => {
    const app = await start({}, { options: { installSignalHandlers: false } })
    const slow = get(app.port, '/slow?ms=500')
    await sleep(100)
    await app.ask('stop')
    assert.equal((await slow).status, 200)
    assert.equal(await app.exited, 0)
  })

  test('without handlers for signals a worker that leaves by itself is not cut', async () => {
    const app = await start({}, { options: { workers: 1, installSignalHandlers: false } })
    const slow = get(app.port, '/slow?ms=1000')
    await sleep(100)
    await get(app.port, '/leave')
    // Its word is on its way to the primary.
    await sleep(100)
    const stopped = app.ask('stop')
    assert.equal((await slow).status, 200)
    await stopped
    assert.equal(await app.exited, 0)
  })

  test('two servers that want one port: one has it, the other fails clearly', async () => {
    const probe = createServer().listen(0)
    await once(probe, 'listening')
    const { port } = probe.address()
    probe.close()
    await once(probe, 'close')
    // Both have bound it long before the first worker of either is ready.
    const both = await Promise.all([1, 2].map(() => start({ DELAY: '700' }, { options: { port } })))
    const failed = both.filter(({ up }) => up.failed)
    assert.equal(failed.length, 1)
    assert.equal(failed[0].up.code, 'EADDRINUSE')
    assert.equal(await failed[0].exited, 1)
    const [other] = both.filter(({ up }) => !up.failed)
    assert.equal((await get(port)).status, 200)
    assert.equal(await other.stop(), 0)
  })
})

// `ultimate-express` cannot be installed everywhere: a package of that name stands in for it.
describe('the framework', () => {
  const program = `import express, { startServer } from 'seawall/express'
    let word
    try { word = express().word } catch (error) { word = error.code + ' ' + error.message }
    console.log(word)`
  const folder = mkdtempSync(join(tmpdir(), 'seawall-framework-'))
  after(() => rmSync(folder, { recursive: true, force: true }))

  const install = (name, code) => {
    const to = join(folder, 'node_modules', name)
    mkdirSync(to, { recursive: true })
    writeFileSync(join(to, 'package.json'), JSON.stringify({ name, main: 'index.cjs' }))
    writeFileSync(join(to, 'index.cjs'), code)
  }
  const write = (file, text) => {
    const url = import.meta.resolve('seawall/express')
    writeFileSync(join(folder, file), text.replaceAll("'seawall/express'", `'${url}'`))
    return join(folder, file)
  }
  const say = async file => (await run(process.execPath, [file], { cwd: folder })).stdout.trim()

  test('is the ultimate-express of the program, else its express', async () => {
    const file = write('a.mjs', program)
    install('express', 'module.exports = () => ({ word: "express" })')
    assert.equal(await say(file), 'express')
    install('ultimate-express', 'module.exports = () => ({ word: "ultimate" })')
    assert.equal(await say(file), 'ultimate')
  })

  test('one that owns its sockets is refused clearly', onlyNative, async () => {
    install(
      'ultimate-express',
      'module.exports = () => ({ listen(port, host, done) { setTimeout(done, 10); return this } })',
    )
    const file = write(
      'b.mjs',
      `import express, { startServer } from 'seawall/express'
       startServer(express(), { port: 0, host: '127.0.0.1', workers: 1 })
         .catch(error => { console.log(error.code); process.exitCode = 1 })`,
    )
    const child = spawn(process.execPath, [file], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    let text = ''
    child.stdout.on('data', part => {
      text += part
    })
    const [code] = await once(child, 'exit')
    assert.equal(code, 1)
    assert.match(text, /SEAWALL_FRAMEWORK/)
  })

  test('without any, the error says what to do, at first use and not at import', async () => {
    const empty = mkdtempSync(join(tmpdir(), 'seawall-none-'))
    const text = `import { register } from 'node:module'
      import module from 'node:module'
      const resolve = module._resolveFilename
      module._resolveFilename = function (name, ...rest) {
        if (/^(ultimate-)?express$/.test(name)) throw Object.assign(new Error(), { code: 'MODULE_NOT_FOUND' })
        return resolve.call(this, name, ...rest)
      }
      ${program}`
    const file = join(empty, 'c.mjs')
    writeFileSync(
      file,
      text.replaceAll("'seawall/express'", `'${import.meta.resolve('seawall/express')}'`),
    )
    const { stdout } = await run(process.execPath, [file], { cwd: empty })
    assert.match(stdout, /^SEAWALL_NO_FRAMEWORK .*neither "ultimate-express" nor "express"/)
    rmSync(empty, { recursive: true })
  })
})

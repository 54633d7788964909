// New connections that a native thread refuses: of servers whose JavaScript is really blocked, whose
// heap is really full, and that are closed meanwhile.
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { engineKind } from 'seawall'
import { PressureMonitor, refuseNatively } from 'seawall/pressure'

const skip = engineKind() === 'native' ? false : 'needs the native engine'
const linux = skip || (process.platform === 'linux' ? false : 'needs epoll')
const manual = { source: 'manual' }
const FULL = { block: 300 }
const CALM = { block: 0 }

const children = []
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
})

/** A server in a process of its own, and how to talk to it. */
async function start(options = {}, execArgv = []) {
  const child = fork(
    join(import.meta.dirname, 'fixtures/refusing-server.mjs'),
    [JSON.stringify(options)],
    { cwd: import.meta.dirname, execArgv },
  )
  children.push(child)
  const [{ address, active }] = await once(child, 'message')
  const tell = async order => {
    child.send(order)
    const [answer] = await once(child, 'message')
    return answer
  }
  const observe = async signals => {
    await tell({ order: 'observe', signals })
    await tell({ order: 'observe', signals })
  }
  const where = typeof address === 'string' ? { socketPath: address } : { port: address.port }
  return { child, where, active, tell, observe }
}

/** One request on a connection of its own. */
function get({ where }, path = '/', { method = 'GET', body } = {}) {
  return new Promise((resolve, reject) => {
    const began = performance.now()
    const options = { host: '127.0.0.1', ...where, path, method, agent: false }
    const request = http.request(options, response => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', part => (text += part))
      response.on('end', () => {
        const { statusCode: status, headers } = response
        resolve({ status, headers, text, ms: performance.now() - began })
      })
    })
    request.on('error', reject)
    request.end(body)
  })
}

const GET = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n'

/** A connection on which answers are waited for. */
async function open({ where }) {
  const socket = connect({ host: '127.0.0.1', ...where })
  socket.setEncoding('utf8')
  await once(socket, 'connect')
  let text = ''
  socket.on('data', part => (text += part))
  const closed = once(socket, 'close')
  /** Sends `text` and waits for `count` answers. */
  const ask = async (request, count = 1) => {
    text = ''
    socket.write(request)
    const parts = () => text.split('HTTP/1.1 ').slice(1)
    const isWhole = part => /\r\n\r\n(\{.*\}|served)$/.test(part)
    for (let round = 0; parts().filter(isWhole).length < count; round++) {
      assert.ok(round < 1_000, `an answer to ${request}, not ${text}`)
      await sleep(5)
    }
    return parts()
  }
  return { socket, ask, closed }
}

describe('a connection that was refused', { skip: linux }, () => {
  it('stays, is answered in turn, and is JavaScript’s with the first request after', async () => {
    const server = await start({ monitor: manual })
    await server.observe(FULL)
    const { socket, ask } = await open(server)
    const post = 'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nabcd'
    for (let round = 0; round < 5; round++) {
      const [answer] = await ask(round % 2 ? post : GET)
      assert.match(answer, /^503 /)
      assert.match(answer, /^connection: keep-alive\r$/m)
      assert.match(answer, /^keep-alive: timeout=5\r$/m)
    }
    const several = await ask(GET + post + GET, 3)
    assert.deepEqual(
      several.map(answer => answer.slice(0, 3)),
      ['503', '503', '503'],
    )
    // Half of a head, and the other half when the first has been read.
    socket.write(GET.slice(0, 20))
    await sleep(50)
    assert.match((await ask(GET.slice(20)))[0], /^503 /)
    const during = await server.tell({ order: 'tell' })
    assert.deepEqual(during.counts, { accepted: 1, refused: 9, passed: 0, givenUp: 0 })
    assert.deepEqual([during.connections, during.shed], [0, 9])

    await server.observe(CALM)
    await sleep(100)
    const idle = await server.tell({ order: 'tell' })
    assert.equal(idle.connections, 0, 'whoever asks for nothing costs JavaScript nothing')
    for (let round = 0; round < 3; round++) assert.match((await ask(GET))[0], /^200 /)
    const after = await server.tell({ order: 'tell' })
    assert.deepEqual([after.connections, after.counts.passed], [1, 1])
    assert.deepEqual(after.served, ['/', '/', '/'])
    socket.destroy()
  })

  it('is JavaScript’s at once for a path that is exempt', async () => {
    const server = await start({ monitor: manual })
    await server.observe(FULL)
    const { socket, ask } = await open(server)
    assert.match((await ask(GET))[0], /^503 /)
    const probe = GET.replace('/ ', '/livez ')
    const answers = await ask(GET + probe, 2)
    assert.deepEqual(
      answers.map(answer => answer.slice(0, 3)),
      ['503', '200'],
    )
    const { counts, served } = await server.tell({ order: 'tell' })
    assert.deepEqual([counts.refused, counts.passed, served], [2, 1, ['/livez']])
    socket.destroy()
  })

  it('ends where that is wanted, and where a body is not there', async () => {
    const server = await start({ monitor: manual })
    await server.observe(FULL)
    for (const request of [
      GET.replace('host', 'connection: close\r\nhost'),
      GET.replace('1.1', '1.0'),
      'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nab',
      'POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      'POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n',
    ]) {
      const { ask, closed } = await open(server)
      assert.match((await ask(request))[0], /^connection: close\r$/m, request)
      await closed
    }
  })

  it('is closed with the server, and gives way to others', async () => {
    const server = await start({ monitor: manual })
    await server.observe(FULL)
    const first = await open(server)
    await first.ask(GET)
    const idle = await Promise.all(Array.from({ length: 1_023 }, () => open(server)))
    await Promise.all(idle.map(({ ask }) => ask(GET)))
    const last = await open(server)
    await last.ask(GET)
    await first.closed
    const { counts } = await server.tell({ order: 'tell' })
    assert.deepEqual(counts, { accepted: 1_025, refused: 1_025, passed: 0, givenUp: 0 })
    await server.tell({ order: 'close' })
    await Promise.all([...idle, last].map(({ closed }) => closed))
  })

  it('is refused by whichever of two monitors refuses', async () => {
    const server = await start({ monitor: manual, twice: true })
    assert.equal((await get(server)).status, 200)
    await server.observe(FULL)
    const { connections } = await server.tell({ order: 'tell' })
    for (let round = 0; round < 10; round++) assert.equal((await get(server)).status, 503)
    await server.tell({ order: 'maintenance', on: true })
    await server.tell({ order: 'maintenance2', on: true })
    await server.observe(CALM)
    await server.tell({ order: 'maintenance', on: false })
    // One of the two has let JavaScript accept, and the other keeps it from that again.
    await sleep(150)
    for (let round = 0; round < 10; round++) assert.equal((await get(server)).status, 503)
    const during = await server.tell({ order: 'tell' })
    assert.equal(during.connections, connections)
    assert.equal(during.counts.refused + during.counts2.refused, 20)
    await server.tell({ order: 'maintenance2', on: false })
    for (let round = 0; (await get(server)).status !== 200; round++) {
      assert.ok(round < 100, 'it serves again')
      await sleep(20)
    }
  })
})

describe('a native thread at the door', { skip }, () => {
  it('refuses in ms while JavaScript is blocked, and leaves to it what is exempt', async () => {
    const server = await start({ monitor: { memory: false, heap: false } })
    assert.equal(server.active, true)
    assert.equal((await get(server)).text, 'served')
    server.child.send({ order: 'block', ms: 3_000 })
    await once(server.child, 'message')
    const free = once(server.child, 'message')
    const began = performance.now()
    await sleep(600)
    const probe = get(server, '/livez?verbose')
    const answers = []
    while (performance.now() - began < 2_400) {
      answers.push(await get(server))
      await sleep(10)
    }
    const head = await get(server, '/', { method: 'HEAD' })
    const post = await get(server, '/', { method: 'POST', body: 'x'.repeat(50_000) })
    // A head that is complete when nobody is refused any more.
    const half = connect(server.where.port, '127.0.0.1')
    half.setEncoding('utf8')
    half.write('GET /half HTTP/1.1\r\nhost: a\r\n')
    assert.ok(performance.now() - began < 2_950, 'all that was during the block')
    for (const { status, headers, text } of [...answers, post]) {
      assert.equal(status, 503)
      assert.equal(JSON.parse(text).code, 'SEAWALL_UNDER_PRESSURE')
      assert.ok(Number(headers['retry-after']) >= 1, headers['retry-after'])
      assert.equal(headers.connection, 'close')
    }
    assert.deepEqual([head.status, head.text], [503, ''])
    const times = answers.map(({ ms }) => ms).sort((a, b) => a - b)
    assert.ok(times.length >= 20, `${times.length} answers`)
    console.log(
      `median ${times[times.length >> 1]?.toFixed(2)} ms, longest ${times.at(-1)?.toFixed(2)} ms`,
    )
    assert.ok((times[times.length >> 1] ?? 0) < 20, `${times}`)
    assert.ok((times.at(-1) ?? 0) < 300, `${times}`)

    const { status, text } = await probe
    assert.deepEqual([status, text], [200, 'served'])
    await free
    // What the stall leaves behind in the delays is over within some two seconds.
    for (let round = 0; (await get(server)).status !== 200; round++) {
      assert.ok(round < 150, 'it serves again')
      await sleep(20)
    }
    half.write('\r\n')
    assert.match((await once(half, 'data'))[0], /^HTTP\/1\.1 200/)
    half.destroy()
    const seen = await server.tell({ order: 'tell' })
    assert.ok(seen.served.includes('/half') && seen.served.includes('/livez?verbose'))
    const { accepted, refused, passed, givenUp } = seen.counts
    assert.ok(refused >= answers.length + 2, JSON.stringify(seen.counts))
    assert.equal(accepted, refused + passed + givenUp, JSON.stringify(seen.counts))
    assert.ok(seen.shed >= refused, 'the monitor knows of them')
  })

  it('refuses nobody below the hard limit, and nobody in a dry run', async () => {
    const server = await start({ monitor: manual })
    await server.observe({ block: 240 })
    for (let round = 0; round < 5; round++) await get(server)
    assert.equal((await server.tell({ order: 'tell' })).counts.accepted, 0)
    const dry = await start({ monitor: { ...manual, dryRun: true } })
    await dry.observe(FULL)
    assert.equal((await get(dry)).status, 200)
    assert.equal((await dry.tell({ order: 'tell' })).counts.accepted, 0)
  })

  it('has JavaScript accept nothing meanwhile', { skip: linux }, async () => {
    for (const signals of [FULL, { memoryUsed: 96, memoryLimit: 100 }]) {
      const server = await start({ monitor: manual })
      assert.equal((await get(server)).status, 200)
      await server.observe(signals)
      for (let round = 0; round < 50; round++) assert.equal((await get(server)).status, 503)
      const during = await server.tell({ order: 'tell' })
      assert.equal(during.connections, 1, 'the one of before')
      assert.equal(during.counts.refused, 50)
      await server.observe(CALM)
      assert.equal((await get(server)).status, 200)
      const after = await server.tell({ order: 'tell' })
      assert.deepEqual([after.connections, after.counts.accepted], [2, 50])
    }
  })

  it('does so of a server that begins to listen while all are refused', {
    skip: linux,
  }, async () => {
    const server = await start({ monitor: manual, signals: FULL })
    await sleep(150)
    for (let round = 0; round < 30; round++) assert.equal((await get(server)).status, 503)
    const { connections, counts } = await server.tell({ order: 'tell' })
    assert.deepEqual([connections, counts.refused], [0, 30])
  })

  it('stops accepting for a heap that is really full, until it is emptied', {
    skip: linux,
  }, async () => {
    const off = { blockMs: false, delayMs: false, utilization: false, cpuStall: false }
    const monitor = { ...off, memory: false, memoryStall: false, heap: { soft: 0.6, hard: 0.8 } }
    const server = await start({ monitor }, ['--max-old-space-size=120', '--expose-gc'])
    assert.equal((await get(server)).status, 200)
    const full = await server.tell({ order: 'fill' })
    assert.deepEqual(full, { level: 'full', signal: 'heapUsed' })
    const before = await server.tell({ order: 'tell' })
    for (let round = 0; round < 20; round++) assert.equal((await get(server)).status, 503)
    const during = await server.tell({ order: 'tell' })
    assert.equal(during.connections, before.connections)
    assert.equal(during.counts.refused - before.counts.refused, 20)
    await server.tell({ order: 'empty' })
    for (let round = 0; (await get(server)).status !== 200; round++) {
      assert.ok(round < 200, 'it serves again')
      await sleep(20)
    }
  })

  it('refuses in maintenance but what is exempt', async () => {
    const server = await start({ monitor: manual, refusals: { bypass: ['/open'] } })
    await server.tell({ order: 'maintenance', on: true })
    assert.equal((await get(server)).status, 503)
    assert.equal((await server.tell({ order: 'tell' })).counts.refused, 1)
    // JavaScript has its own list.
    assert.equal((await get(server, '/open')).status, 503)
    const { counts } = await server.tell({ order: 'tell' })
    assert.deepEqual([counts.refused, counts.passed], [1, 1])
    await server.tell({ order: 'maintenance', on: false })
    assert.equal((await get(server)).status, 200)
  })

  it('lets everybody in again when the monitor is disposed of', async () => {
    const server = await start({ monitor: manual })
    await server.observe(FULL)
    assert.equal((await get(server)).status, 503)
    await server.tell({ order: 'forget' })
    for (let round = 0; (await get(server)).status !== 200; round++) {
      assert.ok(round < 50, 'within a second')
      await sleep(20)
    }
    assert.equal((await get(server)).status, 200)
  })

  it('frees the port at once when the server is closed, with requests under way', async () => {
    const server = await start({ monitor: manual })
    const kept = connect(server.where.port, '127.0.0.1')
    kept.write('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nab')
    await once(kept, 'connect')
    await sleep(50)
    await server.observe(FULL)
    assert.equal((await get(server)).status, 503)
    await server.tell({ order: 'close' })
    await assert.rejects(get(server), { code: 'ECONNREFUSED' })
    assert.equal((await server.tell({ order: 'tell' })).active, false)
    kept.destroy()
  })

  it('stands at Unix sockets too, and keeps no process alive', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'seawall-'))
    try {
      const server = await start({ monitor: manual, path: join(folder, 'socket') })
      await server.observe(FULL)
      assert.equal((await get(server)).status, 503)
      assert.equal((await server.tell({ order: 'tell' })).counts.refused, 1)
      server.child.send({ order: 'end' })
      assert.deepEqual(await once(server.child, 'exit'), [0, null])
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('outlives clients that say nothing, nonsense, or go', async () => {
    const server = await start({ monitor: manual })
    await server.observe(FULL)
    const sockets = Array.from({ length: 40 }, (_, index) => {
      const socket = connect(server.where.port, '127.0.0.1')
      socket.on('error', () => {})
      if (index % 4 === 0) socket.write('\x16\x03\x01\x02\x00\x01\r\n\r\n')
      if (index % 4 === 1) socket.write('GET / HT')
      if (index % 4 === 2) socket.write('GET / HTTP/1.1\r\n\r\n', () => socket.resetAndDestroy())
      return socket
    })
    await sleep(100)
    assert.equal((await get(server)).status, 503)
    await server.observe(CALM)
    assert.equal((await get(server)).status, 200)
    for (const socket of sockets) socket.destroy()
    await sleep(50)
    const { counts } = await server.tell({ order: 'tell' })
    assert.equal(counts.accepted, 41)
    // Nonsense, half a head, and nothing at all are JavaScript's.
    assert.ok(counts.passed >= 28, JSON.stringify(counts))
  })
})

it('refuses what it cannot answer, and options nobody knows', () => {
  const monitor = new PressureMonitor(manual)
  const refused = (server, options, option) =>
    assert.throws(() => refuseNatively(server, monitor, options), {
      code: 'SEAWALL_INVALID_OPTION',
      option,
    })
  refused(https.createServer(), {}, 'server')
  refused(http2.createServer(), {}, 'server')
  refused(http.createServer(), { bypas: [] }, 'bypas')
  refused(http.createServer(), { bypass: '/livez' }, 'bypass')
  for (const none of [undefined, null, {}, { source: 'manual' }]) {
    assert.throws(() => refuseNatively(http.createServer(), none), {
      code: 'SEAWALL_INVALID_OPTION',
      option: 'monitor',
      message: /must be a PressureMonitor, got/,
    })
  }
})

it('does nothing where there is no thread, and says so', { skip: !skip && 'there is one' }, () => {
  const monitor = new PressureMonitor(manual)
  const refusals = refuseNatively(http.createServer(), monitor)
  assert.equal(refusals.active, false)
  assert.deepEqual(refusals.counts(), { accepted: 0, refused: 0, passed: 0, givenUp: 0 })
})

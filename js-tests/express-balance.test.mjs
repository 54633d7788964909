// Who gets a connection: strategies by name, what they go by, and what a stuck worker gets.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { Agent, get as httpGet } from 'node:http'
import { connect } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import * as server from 'seawall/express'
import { endAll, get, native, start, workersOf } from './express-tools.mjs'

after(endAll)

const handedOver = { skip: !native && 'native only' }

const candidate = (workerIndex, more) => ({ workerIndex, activeProxyConnections: 0, ...more })
const context = candidates => ({ candidates, previousIndex: 0, request: {}, socket: {} })

describe('strategies', () => {
  test('have names, which are the functions', () => {
    for (const name of ['roundRobin', 'leastConnections', 'peakEwma', 'twoChoices']) {
      const { loadBalancer } = server.setServerConfig({ loadBalancer: name })
      assert.equal(loadBalancer, Reflect.get(server, `${name}LoadBalancer`))
    }
    assert.throws(() => server.setServerConfig({ loadBalancer: 'fastest' }), {
      code: 'SEAWALL_INVALID_OPTION',
      option: 'loadBalancer',
    })
    const { loadBalancer } = server.setServerConfig({ loadBalancer: 'roundRobin' })
    assert.equal(loadBalancer, server.defaultLoadBalancer)
  })

  test('peak EWMA is the product of requests under way and of how long answers take', () => {
    const slow = candidate(0, { inFlight: 0, latencyMs: 100 })
    const busy = candidate(1, { inFlight: 20, latencyMs: 1 })
    assert.equal(server.peakEwmaLoadBalancer(context([slow, busy])), busy)
    const busier = candidate(1, { inFlight: 80, latencyMs: 1 })
    assert.equal(server.peakEwmaLoadBalancer(context([slow, busier])), slow)
    assert.throws(() => server.peakEwmaLoadBalancer(context([])), /no healthy backend candidates/)
  })

  test('of two drawn the one with fewer requests under way', () => {
    const all = [candidate(0), candidate(1, { inFlight: 9 })]
    const picks = Array.from({ length: 400 }, () => server.twoChoicesLoadBalancer(context(all)))
    const busy = picks.filter(({ workerIndex }) => workerIndex === 1).length
    // Only where it is drawn twice: one time in four.
    assert.ok(busy > 50 && busy < 160, `${busy} of 400`)
    assert.throws(() => server.twoChoicesLoadBalancer(context([])), /no healthy backend candidates/)
  })

  test('what is out of range is named', handedOver, async () => {
    const refused = async (name, value) => {
      const { up, exited } = await start({}, { options: { [name]: value } })
      assert.equal(await exited, 1)
      assert.match(up.failed, new RegExp(`\`${name}\``))
      assert.equal(up.code, 'SEAWALL_INVALID_OPTION')
    }
    await refused('ejectAfter', -1)
    await refused('slowStartMs', -5)
    await refused('latencyDecayMs', 0)
  })
})

const latencies = async app => (await app.stats()).workers.map(({ latencyMs }) => latencyMs)

describe('peak EWMA', handedOver, () => {
  for (const mode of ['handoff', 'proxy', 'http']) {
    test(`leaves out who is slow, and says how slow (${mode})`, async () => {
      const options = { mode, loadBalancer: 'peakEwma' }
      const app = await start({ SLOW_WORKER: '1', CALM: '1' }, { options })
      const [first] = (await app.stats()).workers
      const pids = []
      for (let n = 0; n < 30; n++) pids.push((await get(app.port)).body.pid)
      const slow = pids.filter(pid => pid === first.pid).length
      assert.ok(slow >= 1 && slow <= 6, `${slow} of 30 by the slow one`)
      const known = await latencies(app)
      assert.ok(known[0] > 150 && known[1] < 150, String(known))
      assert.equal(await app.stop(), 0)
    })
  }

  test('goes by every answer of a connection whose bytes are carried', async () => {
    const options = { mode: 'proxy', loadBalancer: 'peakEwma', workers: 1 }
    const app = await start({ FRAMEWORK: 'own' }, { options })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    await get(app.port, '/', { agent })
    // Between two requests nobody waits for anything.
    await sleep(1200)
    await get(app.port, '/', { agent })
    assert.ok((await latencies(app))[0] < 600, String(await latencies(app)))
    await get(app.port, '/slow?ms=700', { agent })
    // Noted when the answer has gone on, which the client may see first.
    let [ms] = await latencies(app)
    for (let n = 0; n < 100 && ms < 600; n++) {
      await sleep(10)
      ;[ms] = await latencies(app)
    }
    assert.ok(ms >= 600, `${ms} ms`)
    agent.destroy()
    assert.equal(await app.stop(), 0)
  })

  test('is not about clients that take their time', async () => {
    const options = { mode: 'http', loadBalancer: 'peakEwma', workers: 1 }
    const app = await start({ FRAMEWORK: 'front', CALM: '1' }, { options })
    const slow = connect(app.port, '127.0.0.1').on('error', () => {})
    slow.pause()
    slow.write('GET /download?bytes=30000000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    const late = connect(app.port, '127.0.0.1').on('error', () => {})
    late.write('POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n')
    late.write('Connection: close\r\n\r\na')
    await sleep(2500)
    late.resume().write('b')
    slow.resume()
    await Promise.all([once(late, 'close'), once(slow, 'close')])
    const [ms] = await latencies(app)
    assert.ok(ms > 0 && ms < 2000, `${ms} ms`)
    assert.equal(await app.stop(), 0)
  })
})

describe('connections handed over', handedOver, () => {
  test('the better of two drawn: both serve', async () => {
    const app = await start({}, { options: { loadBalancer: 'twoChoices' } })
    assert.equal((await workersOf(app.port, 20)).length, 2)
    assert.equal(await app.stop(), 0)
  })

  test('requests under way are known at once', async () => {
    const app = await start()
    const inFlight = async () =>
      (await app.stats()).workers.reduce((sum, worker) => sum + worker.inFlight, 0)
    const becomes = async (count, ms) => {
      const begun = performance.now()
      while (performance.now() - begun < ms) {
        if ((await inFlight()) === count) return true
        await sleep(1)
      }
      return false
    }
    // Written by a timer of 100 ms, one in five would be known within 20.
    let soon = 0
    for (let n = 0; n < 10; n++) {
      const slow = [1, 2, 3].map(() => get(app.port, '/slow?ms=200'))
      assert.ok(await becomes(3, 2000))
      await Promise.all(slow)
      if (await becomes(0, 20)) soon++
      assert.ok(await becomes(0, 2000))
    }
    assert.ok(soon >= 6, `${soon} of 10`)
    // Who went before the answer has nothing under way either.
    const gone = httpGet({ port: app.port, path: '/slow?ms=5000' }).on('error', () => {})
    assert.ok(await becomes(1, 2000))
    gone.destroy()
    assert.ok(await becomes(0, 2000))
    assert.equal(await app.stop(), 0)
  })

  for (const [slowStartMs, least, most] of [
    [0, 0.3, 0.7],
    [2000, 0, 0.42],
  ]) {
    test(`a new worker has its share within ${slowStartMs} ms`, async () => {
      const app = await start(
        {},
        { options: { slowStartMs, patienceMs: 5000, stuckAfterMs: 60_000 } },
      )
      await sleep(Math.max(slowStartMs, 2500) + 200)
      await get(app.port, '/die').catch(() => {})
      const { pid, index } = await app.message(
        ({ event }, at) =>
          event === 'workerReady' && app.messages.slice(0, at).some(({ warn }) => warn),
      )
      const pids = []
      // On a busy machine they take longer than a share takes to grow.
      const end = performance.now() + (slowStartMs > 0 ? 800 : 20_000)
      while (pids.length < 44 && performance.now() < end) {
        pids.push((await get(app.port)).body.pid)
      }
      const share = pids.filter(other => other === pid).length / pids.length
      assert.ok(share >= least && share <= most, `${share} of ${pids.length} by worker ${index}`)
      assert.equal(await app.stop(), 0)
    })
  }

  test('400 connections, 200 a second, one worker blocked: who is not its already waits for nobody', async () => {
    const app = await start({}, { options: { patienceMs: 5000 } })
    await workersOf(app.port, 20)
    const answers = []
    const ask = async () => {
      const at = performance.now()
      const { body } = await get(app.port, '/', { ms: 15_000 })
      answers.push({ ...body, took: performance.now() - at })
    }
    // What the machine itself holds up, it holds up in this process too.
    const delay = monitorEventLoopDelay({ resolution: 5 })
    delay.enable()
    const all = []
    let blocked
    const begun = performance.now()
    for (let n = 0; n < 400; n++) {
      const early = begun + n * 5 - performance.now()
      if (early > 0) await sleep(early)
      if (n === 20) blocked = get(app.port, '/block?ms=6000', { ms: 15_000 })
      all.push(ask())
    }
    assert.ok(performance.now() - begun < 5500, 'it was blocked all the while')
    await Promise.all(all)
    const { pid, blockedAt } = (await blocked).body
    delay.disable()
    const limit = 1000 + (2 * delay.max) / 1e6
    const late = answers.filter(({ took }) => took > limit)
    for (const { pid: by, adoptedAt, took } of late) {
      assert.equal(by, pid)
      assert.ok(adoptedAt <= blockedAt, `taken ${adoptedAt - blockedAt} ms later, ${took} ms`)
    }
    assert.equal(answers.length, 400)
    // What it had claimed is at most two hand-overs.
    assert.ok(late.length <= 32, `${late.length} of 400`)
    const { waiting, offered, refused, closed } = await app.counts()
    assert.deepEqual([waiting, offered, refused, closed], [0, 0, 0, 0])
    assert.equal(await app.stop(), 0)
  })
})

const name = `seawall-${process.pid}`
/** Of addresses for measurements and examples, which lead nowhere else; two runs are not to meet. */
const part = process.pid % 250
const ip = words => execFileSync('ip', words.split(' '), { stdio: ['ignore', 'ignore', 'pipe'] })
let hasNamespaces = false
try {
  ip(`netns add ${name}`)
  hasNamespaces = true
} catch {
  if (native) console.error('SKIPPED LOUDLY: client addresses of a network namespace')
}
after(() => {
  if (hasNamespaces) ip(`netns del ${name}`)
})

describe('a client elsewhere', {
  skip: !(native && hasNamespaces) && 'no network namespaces',
}, () => {
  for (const [family, here, there, more] of [
    ['IPv4', `198.18.${part}.1`, `198.18.${part}.2`, '/30'],
    ['IPv6', `2001:db8:${part}::1`, `2001:db8:${part}::2`, '/64 nodad'],
  ]) {
    test(`is known by its address (${family})`, async () => {
      const [near, far] = [`sw${process.pid % 100_000}${family.at(-1)}`, 'far']
      ip(`link add ${near} type veth peer name ${far} netns ${name}`)
      try {
        ip(`addr add ${here}${more} dev ${near}`)
        ip(`link set ${near} up`)
        ip(`-n ${name} addr add ${there}${more} dev ${far}`)
        ip(`-n ${name} link set ${far} up`)
        const app = await start({}, { options: { host: here } })
        const at = family === 'IPv6' ? `[${here}]` : here
        const text = `fetch('http://${at}:${app.port}/').then(a => a.text()).then(console.log)`
        const words = ['netns', 'exec', name, process.execPath, '-e', text]
        const { from } = JSON.parse(execFileSync('ip', words, { encoding: 'utf8' }))
        assert.equal(from, there)
        assert.equal(await app.stop(), 0)
      } finally {
        ip(`link del ${near}`)
      }
    })
  }
})

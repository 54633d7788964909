// HTTP/2, reloads that fail, limits and hot workers over connections that are handed over.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { folder, tls } from './express-tls.mjs'
import { endAll, get, native, start, workersOf } from './express-tools.mjs'

after(endAll)

describe('handed over', { skip: !native && 'native only' }, () => {
  test('HTTP/2, which is told to go away and loses nothing', tls, async () => {
    const server = await start({ FRAMEWORK: 'http2', KEY: folder })
    const client = connectHttp2(`https://127.0.0.1:${server.port}`, { rejectUnauthorized: false })
    const ask = async path => {
      const stream = client.request({ ':path': path })
      let text = ''
      for await (const part of stream) text += part
      return JSON.parse(text)
    }
    const { pid } = await ask('/')
    assert.equal((await ask('/')).pid, pid)
    const slow = ask('/slow?ms=400')
    await sleep(100)
    const closed = once(client, 'close')
    const code = server.stop()
    assert.equal((await slow).pid, pid)
    await closed
    assert.equal(await code, 0)
  })

  test('a worker without descriptors gives connections back, and is asked again', async () => {
    const prefix = ['sh', '-c', 'ulimit -n 256; exec "$0" "$@"']
    const server = await start({}, { prefix, options: { patienceMs: 4000 } })
    await get(server.port, '/exhaust')
    await sleep(50)
    const begun = performance.now()
    const all = await Promise.all(Array.from({ length: 12 }, () => get(server.port)))
    assert.ok(all.every(({ status }) => status === 200))
    assert.ok(performance.now() - begun < 1300, 'the other one served while it could not')
    assert.ok((await server.counts()).takenBack >= 1)
    // Left out for five seconds, or ten where it failed six times.
    const end = performance.now() + 25_000
    let back = 1
    while (back < 2 && performance.now() < end) {
      await sleep(500)
      back = (await workersOf(server.port, 12)).length
    }
    assert.equal(back, 2, 'it is back')
    assert.equal(await server.stop(), 0)
  })

  test('a reload whose new worker is no good leaves the old ones', async () => {
    const server = await start({ BAD_AFTER: '1' }, { options: { gracefulShutdownTimeoutMs: 500 } })
    const before = await workersOf(server.port)
    await assert.rejects(server.ask('reload'), { code: 'SEAWALL_RELOAD' })
    assert.deepEqual((await workersOf(server.port)).sort(), before.sort())
    assert.equal(await server.stop(), 0)
  })

  test("workers' heaps have their share of a container, unless somebody has set one", async () => {
    const flagsOf = async (env, options) => {
      const server = await start(env, options)
      const { flags } = (await get(server.port, '/heap')).body
      assert.equal(await server.stop(), 0)
      return flags.filter(flag => flag.includes('old-space'))
    }
    const MEMORY = String(600 * 2 ** 20)
    assert.deepEqual(await flagsOf({ MEMORY }), ['--max-old-space-size=150'])
    assert.deepEqual(await flagsOf({}, { options: { workerHeapMb: 99 } }), [
      '--max-old-space-size=99',
    ])
    const flags = ['--max-old-space-size=70']
    assert.deepEqual(await flagsOf({ MEMORY }, { flags }), flags)
    assert.deepEqual(await flagsOf({ MEMORY, NODE_OPTIONS: '--max-old-space-size=71' }), [])
  })

  /** Kept connections to one worker, which they keep busy until one is answered by the other. */
  const heat = async (options, ms) => {
    const server = await start({ BALANCER: 'hot' }, { options: { patienceMs: 3000, ...options } })
    const agents = Array.from({ length: 8 }, () => new Agent({ keepAlive: true, maxSockets: 1 }))
    let isOver = false
    const seen = new Set()
    let closed = 0
    // Connected before it is busy: what it does not take in time goes to the other one.
    for (const agent of agents) await get(server.port, '/', { agent })
    const loads = agents.map(async agent => {
      while (!isOver) {
        const { body, headers } = await get(server.port, '/block?ms=12', { agent })
        if (headers.connection === 'close') closed++
        seen.add(body.pid)
        if (seen.size > 1) isOver = true
      }
    })
    const late = setTimeout(() => {
      isOver = true
    }, ms)
    await Promise.all(loads)
    clearTimeout(late)
    for (const agent of agents) agent.destroy()
    assert.equal(await server.stop(), 0)
    return { closed, workers: seen.size }
  }

  test('a hot worker gives up kept connections, and its clients come to the other one', async () => {
    const { closed, workers } = await heat({}, 15_000)
    assert.ok(closed >= 1, `${closed} connections were given up`)
    assert.equal(workers, 2)
  })

  test('a hot worker keeps its connections where it is to', async () => {
    assert.equal((await heat({ rebalance: false }, 3000)).closed, 0)
  })
})

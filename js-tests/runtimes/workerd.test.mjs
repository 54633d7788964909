// The package in a Worker: bundled as wrangler does, in the runtime that Cloudflare runs.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { columnOf, inTable, judge } from './hosts/judge.mjs'
import { project, workplace } from './hosts/project.mjs'
import { serveFolder } from './hosts/server.mjs'
import { needs } from './hosts/tools.mjs'
import { bundle, serve, workerd } from './hosts/workerd.mjs'

const skip = needs(workerd, 'workerd', 'npm package workerd')
const folder = await project()

const PLAY = `
import { play } from './scenarios/play.mjs'
export default {
  async fetch(request) {
    const origin = new URL(request.url).searchParams.get('origin') ?? undefined
    return Response.json(await play({ origin, brief: !origin }))
  },
}
`

/** As deployed: time stands still while JavaScript runs, and moves on with a timer or an answer. */
const FROZEN = `
const { setTimeout: later, fetch: send } = globalThis
const { now } = Date
let shown = 0
const look = () => (shown = now())
Date.now = () => shown
Object.defineProperty(performance, 'now', { value: () => shown })
globalThis.setTimeout = (fn, ms, ...rest) => later(() => (look(), fn(...rest)), ms)
globalThis.fetch = (...args) => send(...args).finally(look)
export const thaw = look
`

async function start(t, text, worker = {}) {
  const work = workplace(t, folder, 'workerd')
  await bundle(work, { text, resolveDir: folder, ...worker.bundle })
  const server = await serve(work, { main: { folder: work, ...worker } })
  t.after(() => server.end())
  return server
}

test('workerd', { skip }, async t => {
  const server = await serveFolder(folder)
  t.after(() => server.end())
  const worker = await start(t, PLAY)
  const seen = JSON.parse(await worker.ask(`/?origin=${encodeURIComponent(server.origin)}`))
  await judge(t, seen)
  assert.equal(seen.engine, 'wasm')
  await t.test('what it has is what the table says', () =>
    inTable('Workers', columnOf(seen, { 'names shared by': 'an isolate' })),
  )
  await t.test('once more in the same isolate', async t => judge(t, JSON.parse(await worker.ask())))
})

test('workerd with a clock that stands still', { skip }, async t => {
  const text = `${FROZEN}${PLAY.replace('const origin', 'thaw()\n    const origin')}`
  const worker = await start(t, text)
  await judge(t, JSON.parse(await worker.ask()))
})

test('workerd with nodejs_compat', { skip }, async t => {
  const worker = await start(t, PLAY, { flags: ['nodejs_compat'] })
  await judge(t, JSON.parse(await worker.ask()))
})

test('what is made in the global scope serves requests', { skip }, async t => {
  const worker = await start(
    t,
    `import { CircuitBreaker, policy, Timeout } from 'seawall'
import { HealthChecks, healthHandler } from 'seawall/health'
import { resilientFetch } from 'seawall/http'
import { PressureMonitor } from 'seawall/pressure'
const monitor = new PressureMonitor()
const timeout = new Timeout({ timeoutMs: 500 })
const checks = new HealthChecks()
checks.add('self', () => true)
const health = healthHandler(checks)
const send = resilientFetch({ fetch: async () => new Response('sent') })
const byTime = new CircuitBreaker({ failureRate: 0.5, window: { ms: 10_000 }, minimumCalls: 4, resetTimeMs: 50 })
const whole = policy({ deadlineMs: 1_000, retry: { maxAttempts: 3, delayMs: 2 }, budget: {}, hedge: { delayMs: 200 },
  rateLimit: { limit: 1_000 }, throttle: {}, breaker: { failureRate: 0.5, window: { ms: 10_000 } }, timeout: 500,
  bulkhead: { maxConcurrent: 5, maxQueue: 5 } })
export default {
  async fetch() {
    for (let i = 0; i < 4; i++) await byTime.tryExecute(() => Promise.reject(new Error('down')))
    const opened = byTime.isOpen()
    const { retryAfterMs } = (await byTime.tryExecute(() => 1)).error
    await new Promise(resolve => setTimeout(resolve, 80))
    const probe = await byTime.execute(() => 'probe')
    let tries = 0
    const answer = await whole.execute(async () => {
      if (++tries < 3) throw Object.assign(new Error('reset'), { code: 'ECONNRESET' })
      return tries
    })
    const { forMs } = checks.verdict('liveness')
    const ready = (await health(new Request('http://here.test/readyz'))).status
    const sent = await (await send('http://here.test/')).text()
    monitor.observe({ utilization: 0.1 })
    const { nextMs } = await timeout.execute(async () => timeout.explain())
    return Response.json({ opened, probe, answer, ready, sent, level: monitor.level, retryAfterMs, nextMs, forMs })
  },
}
`,
  )
  const { retryAfterMs, nextMs, forMs, ...seen } = JSON.parse(await worker.ask())
  assert.equal(JSON.parse(await worker.ask()).ready, 200, 'by another request')
  const rest = { ready: 200, sent: 'sent', level: 'normal' }
  assert.deepEqual(seen, { opened: true, probe: 'probe', answer: 3, ...rest })
  assert.ok(retryAfterMs > 0 && retryAfterMs <= 51, `${retryAfterMs}`)
  assert.ok(forMs < 60_000, `${forMs} ms, although the clock of the global scope shows 0`)
  assert.ok(nextMs > 0 && nextMs <= 500, `${nextMs}`)
})

/** Policies that requests share, each of which has begun before the one it is asked about. */
const SHARED = `
import { Bulkhead, Coalescer, Hedge, RateLimiter, Timeout } from 'seawall'
import { HealthChecks } from 'seawall/health'
const pause = ms => new Promise(resolve => setTimeout(resolve, ms))
const never = () => new Promise(() => {})
const subjects = {
  timeout: new Timeout({ timeoutMs: 300 }),
  hedge: new Hedge({ delayMs: 300 }),
  bulkhead: new Bulkhead({ maxConcurrent: 1, maxQueue: 5, queueTimeoutMs: 300 }),
  rate: new RateLimiter({ limit: 1, perMs: 900, burst: 1, maxWaitMs: 5_000 }),
  coalescer: new Coalescer(),
  health: new HealthChecks(),
}
let look
subjects.health.add('slow', () => look(), { timeoutMs: 400, intervalMs: 1 })
const acts = {
  timeout: fn => subjects.timeout.execute(fn),
  hedge: fn => subjects.hedge.execute(({ attempt }) => (attempt === 1 ? fn() : 'hedged')),
  bulkhead: fn => subjects.bulkhead.execute(fn),
  rate: () => subjects.rate.execute(() => 'passed'),
  coalescer: fn => subjects.coalescer.execute('key', fn, { deadline: performance.now() + 1_500 }),
  health: async fn => {
    look = fn
    return (await subjects.health.check('readiness')).reason
  },
}
export default {
  async fetch(request) {
    const { searchParams } = new URL(request.url)
    const act = acts[searchParams.get('policy')]
    const ms = Number(searchParams.get('ms'))
    try {
      const value = await act(ms < 0 ? never : () => pause(ms).then(() => 'ended'))
      return Response.json(value)
    } catch (error) {
      return Response.json(error.code ?? String(error))
    }
  },
}
`

test('the timer of a request is not waited for by another', { skip }, async t => {
  const worker = await start(t, SHARED)
  const ask = async (policy, ms, timeoutMs = 4_000) => {
    const signal = AbortSignal.timeout(timeoutMs)
    const path = `/?policy=${policy}&ms=${ms}`
    return JSON.parse(await worker.ask(path, { signal }))
  }
  const soon = ms => new Promise(resolve => setTimeout(resolve, ms))
  /** The first begins, the second joins it; how the second ends although the first is gone. */
  const second = async (policy, firstMs, secondMs, firstGivesUp = false) => {
    const first = ask(policy, firstMs, firstGivesUp ? 300 : 4_000).catch(() => 'gone')
    await soon(50)
    const answer = ask(policy, secondMs)
    return Promise.all([first, answer])
  }
  await t.test('time-out', async () => {
    assert.deepEqual(await second('timeout', 100, -1), ['ended', 'SEAWALL_TIMEOUT'])
    assert.deepEqual(await second('timeout', -1, -1, true), ['gone', 'SEAWALL_TIMEOUT'])
  })
  await t.test('hedge', async () => {
    assert.deepEqual(await second('hedge', 100, -1), ['ended', 'hedged'])
  })
  await t.test('queue of a bulkhead', async () => {
    // The place is held; the first in the queue goes away, and the one behind it is not forgotten.
    const holder = ask('bulkhead', 1_000)
    await soon(30)
    const [first, behind] = await second('bulkhead', 1, 1, true)
    // On a busy machine its time in the queue may be over before it goes.
    assert.ok(['gone', 'SEAWALL_BULKHEAD_FULL'].includes(first), first)
    assert.equal(behind, 'SEAWALL_BULKHEAD_FULL')
    assert.equal(await holder, 'ended')
  })
  await t.test('line of a rate limiter', async () => {
    assert.equal(await ask('rate', 0), 'passed')
    // Whoever comes last sets the timer, and goes away with it.
    const waits = ask('rate', 0)
    await soon(50)
    assert.equal(await ask('rate', 0, 300).catch(() => 'gone'), 'gone')
    assert.equal(await waits, 'passed')
  })
  await t.test('health check', async () => {
    assert.deepEqual(await second('health', 300, -1), ['passing', 'passing'])
    // Whoever joins a run whose request goes away waits for its time at most, and the next runs anew.
    assert.deepEqual(await second('health', -1, -1, true), ['gone', 'failing'])
    assert.equal(await ask('health', 1), 'passing')
  })
  await t.test('shared call', async () => {
    assert.deepEqual(await second('coalescer', 700, -1), ['ended', 'ended'])
    // Who has joined a request that goes away hears nothing more: its own deadline ends that.
    assert.deepEqual(await second('coalescer', -1, -1, true), ['gone', 'SEAWALL_TIMEOUT'])
    // Who comes after it has gone does it itself, as does whoever joins that.
    const late = Promise.all([ask('coalescer', 500), soon(100).then(() => ask('coalescer', -1))])
    assert.deepEqual(await late, ['ended', 'ended'])
  })
})

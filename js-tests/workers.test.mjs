// One breaker for all threads of a process, by its name; and what is left when threads end.
import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { CircuitBreaker, engineKind, engineStats } from 'seawall'
import { failing, outcome, succeeding } from './breaker-tools.mjs'

const isNative = engineKind() === 'native'
const file = new URL('./fixtures/breaker-worker.mjs', import.meta.url)
let names = 0
const newName = () => `thread test ${names++}`

/** A test that fails must not leave threads that keep the process alive. */
const started = new Set()
afterEach(() => Promise.all([...started].map(worker => worker.terminate())))

function start(workerData) {
  const worker = new Worker(file, { workerData })
  started.add(worker)
  worker.on('exit', () => started.delete(worker))
  worker.on('error', error => assert.equal(error.message, 'a thread that throws'))
  return worker
}

/** Unlike `once` of node:events, it takes an error for no end. */
const exitOf = worker => new Promise(resolve => worker.once('exit', resolve))
const readyOf = worker => new Promise(resolve => worker.once('message', resolve))

/** A thread that answers what it is asked. */
async function server(options, rest = {}) {
  const worker = start({ options, end: 'serve', ...rest })
  const first = await readyOf(worker)
  return {
    first,
    async ask(act) {
      const answer = readyOf(worker)
      worker.postMessage(act)
      return await answer
    },
    terminate: () => worker.terminate(),
    async end() {
      const exit = exitOf(worker)
      worker.postMessage('end')
      await exit
    },
  }
}

test('a breaker with a name opens in every thread at once', { skip: !isNative }, async () => {
  const options = { name: newName(), threshold: 3 }
  const breaker = new CircuitBreaker(options)
  const [one, two] = [await server(options), await server(options)]
  assert.equal(await one.ask('call'), 'ran')
  await one.ask('fail')
  await two.ask('fail')
  assert.equal(breaker.getState().failures, 2)
  await failing(breaker, 1)
  for (const thread of [one, two]) {
    const { reason, retryAfterMs, policy } = await thread.ask('call')
    assert.deepEqual([reason, policy], ['open', options.name])
    // Each thread's clock began at another time.
    assert.ok(retryAfterMs > 30_000 && retryAfterMs <= 60_001, String(retryAfterMs))
  }
  await breaker.reset()
  assert.equal(await one.ask('call'), 'ran')
  await Promise.all([one.end(), two.end()])
})

test('a success in one thread ends a row of failures in another', { skip: !isNative }, async () => {
  const options = { name: newName(), threshold: 2 }
  const breaker = new CircuitBreaker(options)
  const thread = await server(options)
  for (let i = 0; i < 3; i++) {
    await failing(breaker, 1)
    await thread.ask('succeed')
  }
  assert.equal(breaker.isClosed(), true)
  await thread.end()
})

test('successes of all threads complete the minimum of a rate', { skip: !isNative }, async () => {
  const options = { name: newName(), failureRate: 0.5, window: { calls: 100 }, minimumCalls: 8 }
  const breaker = new CircuitBreaker(options)
  const threads = [await server(options), await server(options)]
  await failing(breaker, 4)
  for (let i = 0; i < 3; i++) await threads[i % 2].ask('succeed')
  assert.equal(breaker.isClosed(), true)
  await succeeding(breaker, 1)
  assert.equal(breaker.isOpen(), true)
  await Promise.all(threads.map(thread => thread.end()))
})

test('listeners of a thread hear of a change at its next call', { skip: !isNative }, async () => {
  const options = { name: newName(), threshold: 1 }
  const heard = []
  const breaker = new CircuitBreaker({
    ...options,
    onStateChange: (...states) => heard.push(states),
  })
  const thread = await server(options)
  await thread.ask('fail')
  assert.equal(breaker.isOpen(), true)
  await outcome(breaker.execute(async () => 1))
  assert.deepEqual(heard, [['open', 'closed']])
  await thread.end()
})

const ends = ['natural', 'exit', 'throw', 'idle', 'busy']

test('what threads counted stays, to the call, however they end', { skip: !isNative }, async () => {
  const options = { name: newName(), threshold: 1_000 }
  const breaker = new CircuitBreaker(options)
  let expected = 0
  const runs = []
  for (const [i, end] of [...ends, ...ends].entries()) {
    const successes = 1_000 * (i + 1) + i
    expected += successes
    const worker = start({ options, successes, end })
    const exit = exitOf(worker)
    await readyOf(worker)
    if (end === 'idle' || end === 'busy') runs.push(worker.terminate())
    runs.push(exit)
  }
  await Promise.all(runs)
  await succeeding(breaker, 77)
  assert.equal(breaker.explain().totals.successes, expected + 77)
})

test('a name with other options is an error in any thread', { skip: !isNative }, async () => {
  const name = newName()
  const breaker = new CircuitBreaker({ name, threshold: 3 })
  assert.equal(breaker.isClosed(), true)
  const worker = start({ options: { name, threshold: 4 } })
  const exit = exitOf(worker)
  const refused = await readyOf(worker)
  assert.deepEqual(refused, {
    code: 'SEAWALL_INVALID_OPTION',
    option: 'name',
    message: `CircuitBreaker: \`name\` is in use with other options; one name is one breaker with one set of options, got "${name}"`,
  })
  await exit
})

test('a name is free again when the last thread that held it is gone', {
  skip: !isNative,
}, async () => {
  const name = newName()
  for (const end of ends) {
    const worker = start({ options: { name, threshold: 3 }, failures: 1, end })
    const exit = exitOf(worker)
    await readyOf(worker)
    if (end === 'idle' || end === 'busy') await worker.terminate()
    await exit
    const breaker = new CircuitBreaker({ name, threshold: 4 })
    assert.equal(breaker.getState().failures, 0, end)
    breaker[Symbol.dispose]()
  }
})

test('a probe of a thread that died gives its place up in time', { skip: !isNative }, async () => {
  const options = { name: newName(), threshold: 1, resetTimeMs: 1 }
  const breaker = new CircuitBreaker(options)
  await failing(breaker, 1)
  const thread = await server(options)
  assert.equal(await thread.ask('probe'), 'probing')
  await thread.terminate()
  const reasons = new Set()
  for (let closed = false; !closed; ) {
    const { ok, error } = await breaker.tryExecute(async () => 1)
    reasons.add(error?.reason)
    closed = ok
  }
  assert.equal(breaker.isClosed(), true)
  assert.equal(reasons.has('open'), false)
})

test('a thread that ends lets go of what it held isolated', {
  skip: !isNative,
}, async () => {
  for (const end of ['end', 'terminate']) {
    const options = { name: newName() }
    const breaker = new CircuitBreaker(options)
    const thread = await server(options)
    await thread.ask('isolate')
    assert.equal(breaker.explain().state, 'isolated')
    await thread[end]()
    assert.equal(breaker.explain().state, 'closed', end)
  }
})

test('breakers without a name are never shared', async () => {
  const breaker = new CircuitBreaker({ threshold: 1 })
  const thread = await server({ threshold: 1 })
  await thread.ask('fail')
  assert.equal((await thread.ask('call')).reason, 'open')
  await succeeding(breaker, 1)
  const { totals } = breaker.explain()
  assert.deepEqual([totals.successes, totals.failures], [1, 0])
  await thread.end()
})

test('on WASM a name is shared within its thread only', { skip: isNative }, async () => {
  const options = { name: newName(), threshold: 1 }
  const breaker = new CircuitBreaker(options)
  const same = new CircuitBreaker(options)
  const thread = await server(options)
  await thread.ask('fail')
  assert.equal((await thread.ask('call')).reason, 'open')
  await succeeding(breaker, 1)
  await failing(breaker, 1)
  assert.equal(same.isOpen(), true)
  await thread.end()
})

test('each thread counts its own breakers', async () => {
  const before = engineStats().breakers
  const thread = await server({}, { more: 9 })
  const { kind, breakers } = await thread.ask('stats')
  assert.deepEqual([kind, breakers], [engineKind(), 10])
  // Those of earlier tests may have been collected meanwhile.
  assert.ok(engineStats().breakers <= before)
  await thread.end()
})

test('a hundred threads come and go, and nothing grows', async () => {
  const options = { name: newName(), threshold: 1_000 }
  const breaker = new CircuitBreaker(options)
  const before = engineStats().breakers
  const rss = []
  for (let i = 0; i < 100; i += 4) {
    const round = Array.from({ length: 4 }, async (_, j) => {
      const end = ends[(i + j) % ends.length]
      const worker = start({ options, successes: 10, more: 50, end })
      const exit = exitOf(worker)
      await readyOf(worker)
      if (end === 'idle' || end === 'busy') await worker.terminate()
      await exit
    })
    await Promise.all(round)
    globalThis.gc?.()
    rss.push(process.memoryUsage.rss())
  }
  assert.ok(engineStats().breakers <= before)
  assert.equal(breaker.explain().totals.successes, isNative ? 1_000 : 0)
  // The first threads warm the allocator up; eighty more must not add to that what they held.
  const growth = (rss.at(-1) - Math.max(...rss.slice(0, 5))) / 2 ** 20
  assert.ok(growth < 64, `${growth.toFixed(1)} MB more`)
})

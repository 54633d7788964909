// Breakers that nobody holds any more leave nothing behind, and those somebody holds cost no time.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { CircuitBreaker, engineStats } from 'seawall'
import { failing, hanging } from './breaker-tools.mjs'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc')

/** Collects until only `count` breakers are left, or it is clear that more stay. */
async function collectDownTo(count) {
  for (let i = 0; i < 100 && engineStats().breakers > count; i++) {
    gc()
    // Finalizers run between the turns of the loop.
    await new Promise(resolve => setImmediate(resolve))
  }
  return engineStats().breakers
}

function child(script, flags = []) {
  const args = [...flags, '--input-type=module', '-e', script]
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: import.meta.dirname,
    encoding: 'utf8',
    timeout: 60_000,
  })
  return { status, signal, stdout: stdout.trim(), stderr }
}

const COUNT = 20_000
const makers = {
  'never used': () => new CircuitBreaker(),
  'with a window': () => new CircuitBreaker({ failureRate: 0.5, window: { ms: 1_000 } }),
  'with callbacks': () => new CircuitBreaker({ onStateChange() {}, isFailure: () => true }),
  'with a listener that holds it': () => {
    const breaker = new CircuitBreaker()
    breaker.on('failure', () => breaker.isOpen())
    return breaker
  },
  'disposed of': () => new CircuitBreaker()[Symbol.dispose](),
}

for (const [kind, make] of Object.entries(makers)) {
  test(`${COUNT} breakers ${kind} are given back`, async () => {
    const before = await collectDownTo(0)
    const held = Array.from({ length: COUNT }, make)
    assert.equal(engineStats().breakers, before + COUNT)
    held.length = 0
    assert.equal(await collectDownTo(before), before)
  })
}

test('breakers that were used, failed and probed are given back', async () => {
  const before = await collectDownTo(0)
  await (async () => {
    const breakers = Array.from({ length: COUNT / 10 }, () => new CircuitBreaker(1, 0))
    for (const breaker of breakers) {
      await breaker.execute(async () => 1)
      await failing(breaker, 1)
      await breaker.execute(async () => 1).catch(() => {})
    }
  })()
  assert.equal(await collectDownTo(before), before)
})

test('breakers that share a name are given back, and the name with them', async () => {
  const before = await collectDownTo(0)
  const name = 'held by many'
  ;(() => Array.from({ length: COUNT / 20 }, () => new CircuitBreaker({ name })))()
  assert.equal(await collectDownTo(before), before)
  const other = new CircuitBreaker({ name, threshold: 2 })
  assert.equal(other.isClosed(), true)
})

test('a call under way keeps its breaker', async () => {
  const before = await collectDownTo(0)
  const call = (() => {
    const breaker = new CircuitBreaker(1)
    return hanging(breaker)
  })()
  for (let i = 0; i < 5; i++) {
    gc()
    await new Promise(resolve => setImmediate(resolve))
  }
  assert.equal(engineStats().breakers, before + 1)
  assert.deepEqual(await call.succeed(5), { value: 5 })
})

test('calls that never end are given back with their breaker', async () => {
  const before = await collectDownTo(0)
  ;(() => {
    for (let i = 0; i < 1_000; i++) new CircuitBreaker().execute(() => new Promise(() => {}))
  })()
  assert.equal(await collectDownTo(before), before)
})

test('calls under way while the memory of the engine grows are counted', async () => {
  const breaker = new CircuitBreaker({ threshold: 5 })
  await breaker.execute(async () => 1)
  const calls = Array.from({ length: 20 }, () => hanging(breaker))
  const slow = hanging(breaker, { signal: new AbortController().signal })
  const window = { calls: 20_000 }
  const more = Array.from({ length: 4_000 }, () => new CircuitBreaker({ failureRate: 1, window }))
  for (const [i, call] of calls.entries()) await (i % 5 === 0 ? call.fail() : call.succeed(i))
  await slow.succeed(1)
  assert.equal(await breaker.execute(async () => 2), 2)
  const { successes, failures, late } = breaker.explain().totals
  assert.deepEqual([successes, failures, late], [19, 4, 0])
  assert.equal(more.length, 4_000)
  await failing(breaker, 5)
  await assert.rejects(
    breaker.execute(async () => 1),
    { reason: 'open' },
  )
})

test('places are used again', async () => {
  const sizes = []
  for (let round = 0; round < 6; round++) {
    ;(() => {
      for (let i = 0; i < COUNT; i++) new CircuitBreaker()
    })()
    await collectDownTo(0)
    gc()
    sizes.push(process.memoryUsage.rss() / 2 ** 20)
  }
  const growth = sizes.at(-1) - sizes[1]
  assert.ok(growth < 30, `${growth.toFixed(1)} MB more after ${4 * COUNT} breakers`)
})

test('an import starts nothing and keeps no process alive', () => {
  const { status, stdout, stderr } = child(`
    const before = process.getActiveResourcesInfo().join()
    await import('seawall')
    const after = process.getActiveResourcesInfo().join()
    console.log(before === after)
    console.log(process.report.getReport().sharedObjects.some(file => file.endsWith('seawall.node')))
  `)
  assert.deepEqual([status, stdout], [0, 'true\nfalse'], stderr)
})

test('idle breakers, in whatever state, start no timer and keep no process alive', () => {
  const { status, signal, stdout, stderr } = child(`
    import { CircuitBreaker } from 'seawall'
    const before = process.getActiveResourcesInfo().join()
    globalThis.kept = Array.from({ length: 1000 }, () => new CircuitBreaker({ threshold: 1 }))
    for (const [i, breaker] of kept.entries()) {
      if (i % 4 === 1) await breaker.forceOpen()
      if (i % 4 === 2) breaker.isolate()
      if (i % 4 === 3) await breaker.execute(async () => 1)
    }
    const probing = new CircuitBreaker(1, 0)
    await probing.forceOpen()
    probing.execute(() => new Promise(() => {})).catch(() => {})
    console.log(before === process.getActiveResourcesInfo().join())
  `)
  assert.deepEqual([status, signal, stdout], [0, null, 'true'], stderr)
})

test('a function made unreliable stays so when nothing but it is left', async () => {
  const { chaos } = await import('seawall')
  const fn = chaos({ enabled: true, rate: 1, announce: () => {} })(async () => 1)
  for (let i = 0; i < 20; i++) {
    gc()
    await new Promise(setImmediate)
    await assert.rejects(fn(), /chaos/)
  }
})

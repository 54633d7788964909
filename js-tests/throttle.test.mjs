// Holding back while calls fail.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OptionError, RejectedError, Throttle } from 'seawall'
import { ManualClock, warnings } from './breaker-tools.mjs'

const down = new Error('down')
const fail = () => Promise.reject(down)

function throttleOf(options = {}) {
  const clock = new ManualClock()
  return { clock, throttle: new Throttle({ clock, seed: 1, ...options }) }
}

/** How many of `times` calls reach the other side. */
async function reaching(throttle, times, fn) {
  let reached = 0
  for (let i = 0; i < times; i++) {
    await throttle.tryExecute(() => {
      reached++
      return fn()
    })
  }
  return reached
}

test('the probability is the formula', async () => {
  const { throttle } = throttleOf({ maxRejection: 0.95 })
  await reaching(throttle, 30, async () => 1)
  assert.equal(throttle.explain().probability, 0)
  for (let i = 0; i < 200; i++) {
    const { probability, calls, successes, failures, refused } = throttle.explain()
    assert.equal(successes, 30)
    assert.equal(calls, successes + failures + refused)
    const formula = Math.max(0, calls - 2 * successes) / (calls + 1)
    assert.ok(Math.abs(probability - Math.min(0.95, formula)) < 1e-12)
    await throttle.tryExecute(fail)
  }
  assert.ok(throttle.explain().refused > 50)
})

test('a refused call says why', async () => {
  const { throttle } = throttleOf({ name: 'db' })
  await reaching(throttle, 200, fail)
  let error
  while (!(error instanceof RejectedError)) error = await throttle.execute(fail).catch(e => e)
  assert.equal(error.code, 'SEAWALL_THROTTLED')
  assert.equal(error.policy, 'db')
  assert.equal(error.counts.successes, 0)
  assert.match(error.message, /^Throttle refused the call: 0 of the last \d+ succeeded$/)
  assert.ok(!error.stack.includes('\n    at'))
})

test('with few calls nothing is refused', async () => {
  const { throttle } = throttleOf({ minimumCalls: 100 })
  assert.equal(await reaching(throttle, 100, fail), 100)
  assert.ok((await reaching(throttle, 100, fail)) < 40)
})

test('after idle nothing of before counts', async () => {
  const { clock, throttle } = throttleOf()
  await reaching(throttle, 100, fail)
  assert.ok(throttle.explain().probability > 0.8)
  clock.pass(3_600_000)
  assert.equal(throttle.explain().probability, 0)
  assert.equal(await reaching(throttle, 10, fail), 10)
})

test('successes of before an idle hour do not count as of now', async () => {
  const { clock, throttle } = throttleOf()
  await reaching(throttle, 1000, async () => 1)
  clock.pass(3_600_000)
  await throttle.tryExecute(fail)
  assert.deepEqual(throttle.explain().calls, 1)
})

test('it lets more through as calls succeed again', async () => {
  const { clock, throttle } = throttleOf({ windowMs: 10_000 })
  await reaching(throttle, 500, fail)
  let share = 0
  for (let second = 0; second < 60; second++) {
    clock.pass(1000)
    share = (await reaching(throttle, 100, async () => 1)) / 100
  }
  assert.equal(share, 1)
})

test('aborted calls do not count, in-flight ones neither', async () => {
  const { throttle } = throttleOf()
  const controller = new AbortController()
  const { promise, reject } = Promise.withResolvers()
  const calls = Array.from({ length: 50 }, () =>
    throttle.tryExecute(() => promise, { signal: controller.signal }),
  )
  assert.equal(throttle.explain().calls, 0)
  controller.abort()
  reject(down)
  await Promise.all(calls)
  assert.equal(throttle.explain().calls, 0)
})

test('an error that is an answer counts as a success', async () => {
  const { throttle } = throttleOf({ isFailure: error => error === down })
  const missing = new Error('404')
  assert.equal(await reaching(throttle, 100, () => Promise.reject(missing)), 100)
  assert.equal(throttle.explain().successes, 100)
  await assert.rejects(throttle.execute(fail), down)
  assert.equal(throttle.explain().failures, 1)
})

test('by hand: one outcome for each permit', () => {
  const { throttle } = throttleOf()
  const permit = throttle.acquire()
  permit.failure()
  permit.success()
  throttle.acquire()[Symbol.dispose]()
  throttle.acquire().success()
  const { calls, failures } = throttle.explain()
  assert.deepEqual({ calls, failures }, { calls: 2, failures: 1 })
})

test('the same seed refuses the same calls', async () => {
  const run = async seed => {
    const { throttle } = throttleOf({ seed })
    const log = []
    for (let i = 0; i < 200; i++) log.push((await throttle.tryExecute(fail)).error === down)
    return log.join()
  }
  assert.equal(await run(5), await run(5))
  assert.notEqual(await run(5), await run(6))
})

test('options change, the counts stay', async () => {
  const { throttle } = throttleOf()
  await reaching(throttle, 40, async () => 1)
  await reaching(throttle, 20, fail)
  assert.equal(throttle.explain().probability, 0)
  throttle.update({ k: 1 })
  assert.ok(Math.abs(throttle.explain().probability - 20 / 61) < 1e-12)
  throttle.update({ windowMs: 5000 })
  assert.equal(throttle.explain().calls, 60)
  assert.throws(() => throttle.update({ k: 0 }), /`k` must be a number of at least 1, got 0/)
})

test('listeners hear of refusals and change nothing', async () => {
  const { throttle } = throttleOf()
  let heard = 0
  throttle.on('rejected', ({ probability }) => {
    assert.ok(probability > 0)
    heard++
    throw new Error('listener')
  })
  const said = await warnings(() => reaching(throttle, 100, fail))
  assert.equal(heard, throttle.explain().refused)
  assert.equal(said.length, heard)
})

test('what is wrong is said', async () => {
  assert.throws(() => new Throttle({ maxRejection: 2 }), OptionError)
  assert.throws(() => new Throttle({ windowMs: 0 }), OptionError)
  assert.throws(() => new Throttle(/** @type {any} */ ({ ratio: 2 })), /unknown option `ratio`/)
  const { throttle } = throttleOf()
  throttle[Symbol.dispose]()
  await assert.rejects(
    throttle.execute(() => 1),
    { code: 'SEAWALL_DISPOSED' },
  )
  assert.throws(() => throttle.acquire(), { code: 'SEAWALL_DISPOSED' })
})

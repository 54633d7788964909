// Rate limiters: permits, the line of those who wait, holds, changes at run time.
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { CircuitBreaker, OptionError, RateLimiter, RejectedError, SeawallError } from 'seawall'
import { warnings } from './breaker-tools.mjs'
import { settled, TimerClock } from './timer-clock.mjs'

function limiterOf(options) {
  const clock = new TimerClock()
  return { clock, limiter: new RateLimiter({ clock, ...options }) }
}

/** Notes when each call went. */
function notes(clock) {
  const log = []
  return { log, go: name => () => log.push([name, clock.now()]) }
}

test('permits go at once up to the burst, then at the rate', () => {
  const { clock, limiter } = limiterOf({ limit: 10, burst: 3 })
  for (let i = 0; i < 3; i++) assert.deepEqual(limiter.tryAcquire(), { ok: true })
  assert.deepEqual(limiter.tryAcquire(), { ok: false, rule: 'limit', retryAfterMs: 100 })
  assert.deepEqual(limiter.tryAcquire(2), { ok: false, rule: 'limit', retryAfterMs: 200 })
  assert.deepEqual(limiter.tryAcquire(4), { ok: false, rule: 'weight', retryAfterMs: undefined })
  return clock.pass(100).then(() => {
    assert.ok(limiter.tryAcquire().ok)
    assert.ok(!limiter.tryAcquire().ok)
  })
})

test('retryAfterMs is exact, in both kinds', async () => {
  for (const kind of /** @type {const} */ (['gcra', 'slidingWindow'])) {
    const { clock, limiter } = limiterOf({ limit: 7, perMs: 1000, kind })
    for (let i = 0; i < 50; i++) {
      let last = -1
      for (let decision = limiter.tryAcquire(2); !decision.ok; decision = limiter.tryAcquire(2)) {
        assert.ok(last !== clock.now(), `${kind}: too early at ${last}`)
        last = clock.now() + Number(decision.retryAfterMs)
        await clock.pass(Number(decision.retryAfterMs))
      }
    }
    assert.ok(clock.now() > 13_000, `${clock.now()}`)
  }
})

test('no period of a sliding window sees more than the limit', async () => {
  const { clock, limiter } = limiterOf({ limit: 5, perMs: 1000, kind: 'slidingWindow' })
  const passed = []
  for (let i = 0; i < 300; i++) {
    if (limiter.tryAcquire().ok) passed.push(clock.now())
    await clock.pass(37)
  }
  for (const from of passed) {
    assert.ok(passed.filter(at => at >= from && at < from + 1000).length <= 5)
  }
  assert.ok(passed.length > 50)
})

test('a refused call rejects with what is needed to come back', async () => {
  const { limiter } = limiterOf({ limit: 1, perMs: 500, name: 'api' })
  assert.equal(await limiter.execute(() => 1), 1)
  let called = false
  const error = await limiter.execute(() => (called = true)).catch(error => error)
  assert.ok(error instanceof RejectedError && error instanceof SeawallError)
  const { code, rule, policy, retryAfterMs, counts, stack } = error
  assert.deepEqual(
    { code, rule, policy, retryAfterMs, counts },
    {
      code: 'SEAWALL_RATE_LIMITED',
      rule: 'limit',
      policy: 'api',
      retryAfterMs: 500,
      counts: { limit: 1, perMs: 500, weight: 1 },
    },
  )
  assert.ok(!stack.includes('\n'))
  assert.ok(!called)
  const outcome = await limiter.tryExecute(() => 1)
  assert.ok(!outcome.ok && outcome.error instanceof RejectedError)
})

test('calls wait in line, in their order, for as long as they may', async () => {
  const { clock, limiter } = limiterOf({ limit: 10, burst: 1, maxWaitMs: 300 })
  const { log, go } = notes(clock)
  const calls = ['a', 'b', 'c', 'd', 'e'].map(name => limiter.tryExecute(go(name)))
  await settled()
  assert.equal(limiter.explain().queued, 3, 'the fifth would wait too long')
  await clock.pass(1000)
  assert.deepEqual(log, [
    ['a', 0],
    ['b', 100],
    ['c', 200],
    ['d', 300],
  ])
  const last = await calls[4]
  assert.ok(!last.ok && last.error.rule === 'maxWaitMs')
  assert.equal(last.error.retryAfterMs, 400)
  assert.equal(clock.timers, 0)
})

test('nobody overtakes the line, and a queued call is never refused for a newcomer', async () => {
  const { clock, limiter } = limiterOf({ limit: 10, burst: 1 })
  const { log, go } = notes(clock)
  await limiter.acquire()
  const waiting = limiter.acquire().then(go('queued'))
  await clock.pass(99)
  assert.ok(!limiter.tryAcquire().ok)
  // Its turn has come, though its timer has not fired: the newcomer is behind it.
  clock.pass(1)
  assert.ok(!limiter.tryAcquire().ok)
  await waiting
  assert.deepEqual(log, [['queued', 100]])
})

test('a line whose timer is late moves before a newcomer is judged', async () => {
  const { clock, limiter } = limiterOf({ limit: 10, burst: 1 })
  limiter.tryAcquire()
  const log = []
  const waiting = limiter.acquire().then(() => log.push('waited'))
  // The loop was blocked: time has passed and no timer fired.
  clock.jump(100)
  assert.deepEqual(limiter.tryAcquire(), { ok: false, rule: 'limit', retryAfterMs: 100 })
  await waiting
  assert.deepEqual(log, ['waited'])
  assert.equal(clock.timers, 0)
})

test('a line wakes up once for each call, not before its time', async () => {
  const { clock, limiter } = limiterOf({ limit: 3, burst: 1 })
  limiter.tryAcquire()
  const waiting = limiter.acquire()
  assert.equal(clock.next, 334)
  await clock.pass(334)
  await waiting
  assert.equal(clock.set, 1)
})

test('an aborted call leaves the line at once, and all behind move up', async () => {
  const { clock, limiter } = limiterOf({ limit: 10, burst: 1 })
  const { log, go } = notes(clock)
  const controller = new AbortController()
  const { signal } = controller
  await limiter.acquire()
  const [head, , middle] = ['head', 'b', 'middle', 'd'].map((name, i) =>
    limiter.acquire(1, i % 2 === 0 ? { signal } : undefined).then(go(name)),
  )
  assert.equal(getEventListeners(signal, 'abort').length, 2)
  const reason = new Error('gone')
  const gone = Promise.allSettled([head, middle])
  controller.abort(reason)
  for (const result of await gone) assert.equal(result.reason, reason)
  assert.equal(limiter.explain().queued, 2)
  await clock.pass(1000)
  assert.deepEqual(log, [
    ['b', 100],
    ['d', 200],
  ])
  assert.equal(getEventListeners(signal, 'abort').length, 0)
  await assert.rejects(limiter.acquire(1, { signal }), reason)
  await assert.rejects(
    limiter.execute(() => 1, { signal }),
    reason,
  )
})

test('who stands behind one that needs more is not kept by its time once it has left', async () => {
  const { clock, limiter } = limiterOf({ limit: 10, burst: 5 })
  limiter.tryAcquire(5)
  const controller = new AbortController()
  const { log, go } = notes(clock)
  const heavy = limiter.acquire(5, { signal: controller.signal })
  const light = limiter.acquire(1).then(go('light'))
  controller.abort(new Error('gone'))
  await assert.rejects(heavy, /gone/)
  await clock.pass(1000)
  await light
  assert.deepEqual(log, [['light', 100]])
})

test("it learns nothing from a refusal of this package's own", async () => {
  const { limiter } = limiterOf({ limit: 10, burst: 5, learn: true })
  const breaker = new CircuitBreaker({ resetTimeMs: 60_000 })
  await breaker.forceOpen()
  const refusal = await limiter.tryExecute(() => breaker.execute(async () => 1))
  assert.ok(Number(refusal.error.retryAfterMs) > 50_000)
  assert.equal(limiter.explain().heldMs, 0)
})

test('a signal that outlives its calls keeps no listeners', async () => {
  const { clock, limiter } = limiterOf({ limit: 1000, burst: 1, maxQueue: 5000 })
  const { signal } = new AbortController()
  const calls = Array.from({ length: 500 }, () => limiter.acquire(1, { signal }))
  await clock.pass(1000)
  await Promise.all(calls)
  assert.equal(getEventListeners(signal, 'abort').length, 0)
})

test('queued calls run in the AsyncLocalStorage of their caller', async () => {
  const { clock, limiter } = limiterOf({ limit: 10, burst: 1, maxWaitMs: 10_000 })
  const tenant = new AsyncLocalStorage()
  const seen = ['a', 'b', 'c'].map(name =>
    tenant.run(name, () => limiter.execute(async () => [name, tenant.getStore()])),
  )
  await tenant.run('whoever moves the clock', () => clock.pass(1000))
  for (const [name, store] of await Promise.all(seen)) assert.equal(store, name)
})

test('the line has an end, and calls have a deadline', async () => {
  const { clock, limiter } = limiterOf({ limit: 10, burst: 1, maxQueue: 2 })
  await limiter.acquire()
  const waits = [limiter.acquire(), limiter.acquire(), limiter.acquire().catch(error => error)]
  assert.equal((await waits[2]).rule, 'maxQueue')
  await clock.pass(1000)
  await Promise.all(waits)
  assert.ok(limiter.tryAcquire().ok)
  const options = { deadline: clock.now() + 50, maxWaitMs: 1000 }
  await assert.rejects(
    limiter.execute(() => 1, options),
    { rule: 'maxWaitMs' },
  )
})

test('a hold lets nothing pass, and keeps nobody longer than it may wait', async () => {
  const { clock, limiter } = limiterOf({ limit: 10, burst: 1 })
  const { log, go } = notes(clock)
  await limiter.acquire()
  const patient = limiter.acquire().then(go('patient'))
  const hasty = limiter.acquire(1, { maxWaitMs: 300 }).catch(error => error)
  limiter.hold(clock.now() + 1000)
  for (const earlier of [clock.now() + 10, 0, -1, Number.NaN]) limiter.hold(earlier)
  assert.deepEqual(limiter.tryAcquire(), { ok: false, rule: 'hold', retryAfterMs: 1200 })
  await clock.pass(300)
  assert.equal((await hasty).rule, 'maxWaitMs')
  assert.equal(limiter.explain().heldMs, 700)
  await clock.pass(700)
  await patient
  assert.deepEqual(log, [['patient', 1000]])
  limiter.hold(clock.now() + 1000)
  const freed = limiter.acquire().then(go('freed'))
  limiter.release()
  await clock.pass(100)
  await freed
  assert.deepEqual(log.at(-1), ['freed', 1100])
})

test('it learns from what the other side asks for', async () => {
  const { clock, limiter } = limiterOf({ limit: 100, learn: true })
  const response = { status: 429, headers: new Headers({ 'retry-after': '3' }) }
  assert.equal(await limiter.execute(async () => response), response)
  const decision = limiter.tryAcquire()
  assert.deepEqual(decision, { ok: false, rule: 'hold', retryAfterMs: 3000 })
  await clock.pass(3000)
  const error = Object.assign(new Error('slow down'), response)
  await assert.rejects(
    limiter.execute(() => Promise.reject(error)),
    error,
  )
  assert.equal(limiter.tryAcquire().ok, false)
  limiter.release()
  await limiter.tryExecute(() => Promise.reject(new TypeError('mine')))
  assert.ok(limiter.tryAcquire().ok)
  assert.ok(!limiter.learn(new Error('nothing asked')))
})

test('options change, the state stays', async () => {
  const { clock, limiter } = limiterOf({ limit: 10, burst: 10 })
  assert.ok(limiter.tryAcquire(8).ok)
  limiter.update({ limit: 100, burst: 20 })
  const { used, available, burst, limit } = limiter.explain()
  assert.deepEqual(
    { used, available, burst, limit },
    { used: 8, available: 12, burst: 20, limit: 100 },
  )
  assert.ok(limiter.tryAcquire(12).ok)
  // One in line that now weighs too much, and one that may go now.
  const heavy = limiter.acquire(15).catch(error => error)
  const light = limiter.acquire(1)
  limiter.update({ burst: 2, limit: 1000 })
  assert.equal((await heavy).rule, 'weight')
  await clock.pass(1000)
  await light
  assert.throws(() => limiter.update({ limit: 0 }), OptionError)
  assert.throws(() => limiter.update({ limits: 3 }), /did you mean `limit`/)
  assert.equal(limiter.explain().limit, 1000)
})

test('a clock that goes back does not block', async () => {
  const { clock, limiter } = limiterOf({ limit: 10 })
  await clock.pass(3_600_000)
  assert.ok(limiter.tryAcquire(10).ok)
  await clock.pass(-3_600_000)
  assert.ok(!limiter.tryAcquire().ok)
  await clock.pass(100)
  assert.ok(limiter.tryAcquire().ok)
})

test('10,000 in line cost one timer, and each goes once', async () => {
  const { clock, limiter } = limiterOf({ limit: 10_000, burst: 1, maxQueue: 20_000 })
  let went = 0
  const calls = Array.from({ length: 10_000 }, () => limiter.acquire().then(() => went++))
  assert.equal(clock.timers, 1)
  await clock.pass(500)
  assert.equal(went, 5001)
  await clock.pass(500)
  await Promise.all(calls)
  assert.equal(clock.timers, 0)
  assert.equal(went, 10_000)
})

test('listeners hear what happens and change nothing', async () => {
  const { clock, limiter } = limiterOf({ limit: 10, burst: 1, maxWaitMs: 100 })
  const heard = []
  limiter.on('queued', event => heard.push(['queued', event.waitMs]))
  limiter.on('held', event => heard.push(['held', event.forMs]))
  limiter.on('rejected', event => heard.push([event.rule, event.retryAfterMs]))
  const off = limiter.on('rejected', () => {
    throw new Error('listener')
  })
  const said = await warnings(async () => {
    assert.equal(await limiter.execute(() => 1), 1)
    const queued = limiter.execute(() => 2)
    await assert.rejects(
      limiter.execute(() => 3),
      { rule: 'maxWaitMs' },
    )
    await clock.pass(100)
    assert.equal(await queued, 2)
  })
  assert.equal(said.length, 1)
  off()
  limiter.hold(clock.now() + 50)
  assert.ok(!limiter.tryAcquire().ok)
  assert.deepEqual(heard, [
    ['queued', 100],
    ['maxWaitMs', 200],
    ['held', 50],
    ['hold', 100],
  ])
})

test('what is wrong is said', async () => {
  assert.throws(() => new RateLimiter(/** @type {any} */ (undefined)), OptionError)
  assert.throws(
    () => new RateLimiter(/** @type {any} */ ({})),
    /`limit` must be a whole number of at least 1/,
  )
  assert.throws(
    () => new RateLimiter({ limit: 5, perMs: 0 }),
    /`perMs` must be a number above 0, got 0/,
  )
  assert.throws(() => new RateLimiter({ limit: 5, maxWaitMs: -1 }), /`maxWaitMs`/)
  assert.throws(() => new RateLimiter({ limit: 5, burst: 2, kind: 'slidingWindow' }), /`burst`/)
  assert.throws(
    () => new RateLimiter({ limit: 5, kind: /** @type {any} */ ('fixed') }),
    /one of "gcra"/,
  )
  const { limiter } = limiterOf({ limit: 5 })
  for (const weight of [0, -1, 1.5, Number.NaN, /** @type {any} */ ('2')]) {
    assert.throws(() => limiter.tryAcquire(weight), { option: 'weight' })
    await assert.rejects(limiter.acquire(weight), { option: 'weight' })
    await assert.rejects(
      limiter.execute(() => 1, { weight }),
      { option: 'weight' },
    )
  }
  assert.equal(limiter.explain().granted, 0)
})

test('disposed of, it refuses those in line and everybody else', async () => {
  const { clock, limiter } = limiterOf({ limit: 1, perMs: 1000 })
  limiter.tryAcquire()
  const waiting = assert.rejects(limiter.acquire(), { code: 'SEAWALL_DISPOSED' })
  limiter[Symbol.dispose]()
  limiter[Symbol.dispose]()
  await waiting
  assert.equal(clock.timers, 0)
  await assert.rejects(
    limiter.execute(() => 1),
    { code: 'SEAWALL_DISPOSED' },
  )
  assert.throws(() => limiter.tryAcquire(), { code: 'SEAWALL_DISPOSED' })
  assert.throws(() => limiter.explain(), { code: 'SEAWALL_DISPOSED' })
})

test('on the real clock, a line moves at its rate', async () => {
  const limiter = new RateLimiter({ limit: 200, burst: 1, maxWaitMs: 5000 })
  const started = performance.now()
  await Promise.all(Array.from({ length: 21 }, () => limiter.execute(() => {})))
  assert.ok(performance.now() - started >= 99)
})

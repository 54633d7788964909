// Every part of a policy, within one.
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { test } from 'node:test'
import {
  Bulkhead,
  Cache,
  Coalescer,
  Fallback,
  OptionError,
  policy,
  RateLimiter,
  RejectedError,
  RetryBudget,
  STAGES,
  TimeoutError,
} from 'seawall'
import { scripted, VirtualClock } from 'seawall/testing'

const refused = () => Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
const stateOf = (plan, stage) => plan.describe().find(part => part.stage === stage)?.state

test('all parts together, in the documented order', async () => {
  const plan = policy({
    fallback: () => 'instead',
    cache: { ttlMs: 1_000 },
    coalesce: true,
    deadlineMs: 5_000,
    retry: { delayMs: 1 },
    budget: {},
    hedge: { delayMs: 500 },
    rateLimit: { limit: 1_000 },
    throttle: {},
    breaker: {},
    timeout: 1_000,
    bulkhead: { maxConcurrent: 10 },
    chaos: {},
  })
  assert.deepEqual(
    plan.describe().map(({ stage }) => stage),
    STAGES.filter(stage => stage !== 'adaptive'),
  )
  let calls = 0
  const seen = []
  const answer = await plan.execute(context => {
    seen.push([context.attempt, context.remaining() <= 1_000, context.signal.aborted])
    if (++calls < 3) throw refused()
    return { calls }
  })
  assert.deepEqual(answer, { calls: 3 })
  assert.deepEqual(seen, [
    [1, true, false],
    [2, true, false],
    [3, true, false],
  ])
  plan[Symbol.dispose]()
})

test('fallback: a function of the error, or an object others use too', async () => {
  const plan = policy({ fallback: error => `not ${error.message}` })
  assert.equal(
    await plan.execute(() => {
      throw new Error('there')
    }),
    'not there',
  )
  const shared = new Fallback('default')
  const other = policy({ fallback: shared, breaker: { threshold: 1 } })
  for (let i = 0; i < 3; i++)
    assert.equal(await other.execute(() => Promise.reject(refused())), 'default')
  assert.equal(stateOf(other, 'breaker').state, 'open', 'the breaker saw the failure')
  const controller = new AbortController()
  const reason = new Error('gone')
  const call = plan.execute(
    ({ signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    { signal: controller.signal },
  )
  controller.abort(reason)
  await assert.rejects(call, error => error === reason, 'a call its caller ended is not answered')
})

test('cache: calls with a key are answered from it, others are not', async () => {
  const plan = policy({ cache: { ttlMs: 10_000 }, clock: new VirtualClock() })
  let calls = 0
  const load = () => ({ n: ++calls })
  assert.deepEqual(await plan.execute(load, { key: 'a' }), { n: 1 })
  const again = await plan.execute(load, { key: 'a' })
  assert.deepEqual(again, { n: 1 })
  again.n = 99
  assert.deepEqual(
    await plan.execute(load, { key: 'a' }),
    { n: 1 },
    'a hit is nobody else’s object',
  )
  assert.deepEqual(await plan.execute(load, { key: 'b' }), { n: 2 })
  assert.deepEqual(await plan.execute(load), { n: 3 })
  assert.equal(stateOf(plan, 'cache').entries, 2)
  const shared = new Cache({ ttlMs: 1_000 })
  await policy({ cache: shared }).execute(() => 'x', { key: 'k' })
  assert.equal(shared.explain().entries, 1)
})

test('coalesce: one call for many, and a leader that leaves fails nobody', async () => {
  const plan = policy({ coalesce: true, breaker: {} })
  let calls = 0
  const { promise, resolve } = Promise.withResolvers()
  const load = () => {
    calls++
    return promise
  }
  const leader = new AbortController()
  const first = plan.execute(load, { key: 'k', signal: leader.signal })
  const others = [plan.execute(load, { key: 'k' }), plan.execute(load, { key: 'k' })]
  leader.abort(new Error('left'))
  await assert.rejects(first, /left/)
  resolve('one answer')
  assert.deepEqual(await Promise.all(others), ['one answer', 'one answer'])
  assert.equal(calls, 1)
  assert.equal(stateOf(plan, 'breaker').totals.successes, 1)
  assert.equal(policy({ coalesce: new Coalescer() }).describe().length, 1)
  assert.equal(policy({ coalesce: false }).describe().length, 0)
})

test('deadline: tries and waits end with it, and every layer knows it', async () => {
  const clock = new VirtualClock()
  const plan = policy({
    deadlineMs: 1_000,
    retry: { maxAttempts: 9, delayMs: 300, backoff: false },
    clock,
  })
  const other = scripted([{ error: refused() }], clock)
  const call = plan.tryExecute(other)
  await clock.run()
  const { error } = await call
  assert.match(error.message, /refused/, 'a wait that would end too late is not begun')
  assert.deepEqual(
    other.calls.map(({ at }) => at),
    [0, 300, 600, 900],
  )
  assert.deepEqual(
    other.calls.map(({ args: [context] }) => context.deadline),
    [1_000, 1_000, 1_000, 1_000],
  )
  const hung = plan.tryExecute(() => new Promise(() => {}))
  await clock.advance(1_000)
  assert.ok((await hung).error instanceof TimeoutError)
})

test('deadline: one of the caller holds where the policy has none', async () => {
  const clock = new VirtualClock()
  const plan = policy({ breaker: {}, clock })
  const call = plan.tryExecute(() => new Promise(() => {}), { deadline: 250 })
  await clock.advance(249)
  assert.equal(clock.pending, 1)
  await clock.advance(1)
  assert.ok((await call).error instanceof TimeoutError)
  assert.equal((await plan.tryExecute(() => 1, { deadline: 10 })).error.code, 'SEAWALL_DEADLINE')
})

test('timeout: a try that takes too long is a failure to the breaker, and is tried again', async () => {
  const clock = new VirtualClock()
  const plan = policy({
    retry: { maxAttempts: 2, delayMs: 10 },
    breaker: { threshold: 2 },
    timeout: 100,
    clock,
  })
  const other = scripted([{ hang: true }, { result: 'second' }], clock)
  const call = plan.execute(other)
  await clock.run()
  assert.equal(await call, 'second')
  assert.equal(other.running, 0, 'the first was told')
  assert.equal(stateOf(plan, 'breaker').totals.failures, 1)
})

test('bulkhead: the limit is real, also for functions that go on after their time-out', async () => {
  const clock = new VirtualClock()
  const plan = policy({ timeout: 50, bulkhead: { maxConcurrent: 2, maxQueue: 100 }, clock })
  let [running, peak] = [0, 0]
  const deaf = () => {
    peak = Math.max(peak, ++running)
    return new Promise(resolve => {
      clock.setTimer(() => {
        running--
        resolve('late')
      }, 500)
    })
  }
  const calls = Array.from({ length: 20 }, () => plan.tryExecute(deaf))
  await clock.run()
  const ends = await Promise.all(calls)
  assert.equal(peak, 2)
  assert.ok(ends.every(({ ok, error }) => !ok && error instanceof TimeoutError))
  assert.equal(stateOf(plan, 'bulkhead').running, 0)
  assert.equal(stateOf(plan, 'bulkhead').queued, 0)
})

test('bulkhead: queued calls run in the context of their callers', async () => {
  const store = new AsyncLocalStorage()
  const plan = policy({ breaker: {}, bulkhead: { maxConcurrent: 1, maxQueue: 10 } })
  const seen = await Promise.all(
    ['a', 'b', 'c'].map(tenant =>
      store.run(tenant, () =>
        plan.execute(async () => {
          await new Promise(setImmediate)
          return [tenant, store.getStore()]
        }),
      ),
    ),
  )
  for (const [tenant, got] of seen) assert.equal(got, tenant)
})

test('bulkhead: a refusal is nobody’s failure', async () => {
  const bulkhead = new Bulkhead({ maxConcurrent: 1 })
  const plan = policy({ breaker: { threshold: 1 }, bulkhead })
  const told = []
  plan.on('rejected', ({ error }) => told.push(error.code))
  const { promise, resolve } = Promise.withResolvers()
  const first = plan.execute(() => promise)
  const second = await plan.tryExecute(() => 1)
  assert.equal(second.error.code, 'SEAWALL_BULKHEAD_FULL')
  resolve('done')
  await first
  assert.equal(stateOf(plan, 'breaker').totals.neutral, 1)
  assert.equal(stateOf(plan, 'breaker').state, 'closed')
  assert.deepEqual(told, ['SEAWALL_BULKHEAD_FULL'])
})

test('rate limit: refuses what is too much, or lets it wait', async () => {
  const clock = new VirtualClock()
  const plan = policy({ rateLimit: { limit: 2, perMs: 1_000 }, clock })
  assert.equal(await plan.execute(() => 1), 1)
  assert.equal(await plan.execute(() => 2), 2)
  const { error } = await plan.tryExecute(() => 3)
  assert.ok(error instanceof RejectedError)
  assert.equal(error.code, 'SEAWALL_RATE_LIMITED')
  assert.ok(error.retryAfterMs > 0)
  const limiter = new RateLimiter({ limit: 1, perMs: 100, maxWaitMs: 1_000, clock })
  const waits = policy({ rateLimit: limiter, clock })
  const calls = Promise.all([1, 2, 3].map(n => waits.execute(() => [n, clock.now()])))
  await clock.run()
  const at = (await calls).map(([, when]) => when)
  assert.deepEqual(
    at.map(when => when - at[0]),
    [0, 100, 200],
  )
})

test('throttle: sends little more than is accepted', async () => {
  const clock = new VirtualClock()
  const plan = policy({ throttle: { k: 1.1, minimumCalls: 5 }, clock, seed: 3 })
  let reached = 0
  for (let i = 0; i < 300; i++) {
    await plan.tryExecute(() => {
      reached++
      throw refused()
    })
    await clock.advance(1)
  }
  assert.ok(reached < 150, `${reached} of 300 went out`)
})

test('adaptive: the limit follows, and what is above it is shed', async () => {
  const plan = policy({ adaptive: { initialLimit: 2, maxQueue: 0 } })
  const { promise, resolve } = Promise.withResolvers()
  const running = [plan.execute(() => promise), plan.execute(() => promise)]
  assert.equal((await plan.tryExecute(() => 1)).error.code, 'SEAWALL_OVERLOADED')
  resolve(1)
  await Promise.all(running)
  assert.equal(stateOf(plan, 'adaptive').inFlight, 0)
})

test('hedge: a second try beside the first, whose loser is told and held against nobody', async () => {
  const clock = new VirtualClock()
  const plan = policy({ hedge: { delayMs: 100 }, breaker: { threshold: 1 }, clock })
  const other = scripted([{ hang: true }, { afterMs: 10, result: 'second' }], clock)
  const call = plan.execute(other)
  await clock.advance(100)
  await clock.advance(10)
  assert.equal(await call, 'second')
  await clock.advance(1)
  assert.equal(other.running, 0)
  assert.equal(stateOf(plan, 'breaker').state, 'closed')
  assert.deepEqual(
    [stateOf(plan, 'breaker').totals.neutral, stateOf(plan, 'breaker').totals.failures],
    [1, 0],
  )
})

test('budget: repetitions are a share of the calls, and a refusal keeps the real error', async () => {
  const budget = new RetryBudget({ kind: 'tokens', ratio: 0.01, perSecond: 0, maxTokens: 1 })
  const plan = policy({ retry: { maxAttempts: 5, delayMs: 0 }, budget })
  let calls = 0
  const { error } = await plan.tryExecute(() => {
    calls++
    throw refused()
  })
  assert.equal(error.message, 'refused')
  assert.equal(calls, 2, 'one repetition was in the bucket')
  assert.deepEqual([budget.explain().refused, budget.explain().calls], [1, 0])
})

test('budget: shared by retries and hedges', async () => {
  const clock = new VirtualClock()
  const budget = new RetryBudget({ ratio: 0.01, minConcurrency: 1, clock })
  const plan = policy({
    retry: { maxAttempts: 3, delayMs: 50 },
    hedge: { delayMs: 100 },
    budget,
    clock,
  })
  const other = scripted([{ hang: true }], clock)
  const calls = [plan.tryExecute(other), plan.tryExecute(other)]
  await clock.advance(100)
  await clock.advance(1)
  assert.equal(other.calls.length, 3, 'two calls and the one hedge there may be')
  assert.equal(budget.explain().refused, 1)
  void calls
})

test('parts that contradict each other are refused with both names', () => {
  const wrong = (options, pattern) =>
    assert.throws(
      () => policy(options),
      error => error instanceof OptionError && pattern.test(error.message),
    )
  wrong(
    { bulkhead: { maxConcurrent: 1 }, adaptive: {} },
    /`bulkhead` must not be set together with `adaptive`/,
  )
  wrong({ breaker: {}, budget: {} }, /`budget` may be set only together with `retry`/)
  wrong({ deadlineMs: 100, timeout: 200 }, /`deadlineMs` must not be less than `timeout.timeoutMs`/)
  wrong(
    { timeout: { timeoutMs: 50 }, hedge: { delayMs: 60 } },
    /`timeout.timeoutMs` must not be less than `hedge.delayMs`/,
  )
  wrong(
    { retry: {}, timeout: 10, order: ['timeout', 'retry'] },
    /`retry` must stand outside `timeout` in `order`/,
  )
  wrong(
    { breaker: {}, fallback: () => 1, order: ['breaker', 'fallback'] },
    /`fallback` must stand outside `breaker`/,
  )
  wrong(
    { timeout: 10, bulkhead: { maxConcurrent: 1 }, order: ['bulkhead', 'timeout'] },
    /`timeout` must stand outside `bulkhead`/,
  )
})

test('update reaches every part that knows something', async () => {
  const clock = new VirtualClock()
  const plan = policy({
    deadlineMs: 1_000,
    timeout: 500,
    bulkhead: { maxConcurrent: 1, maxQueue: 10 },
    rateLimit: { limit: 10 },
    clock,
  })
  const { promise, resolve } = Promise.withResolvers()
  const calls = [plan.execute(() => promise), plan.execute(() => promise)]
  await clock.advance(0)
  assert.deepEqual([stateOf(plan, 'bulkhead').running, stateOf(plan, 'bulkhead').queued], [1, 1])
  plan.update({ bulkhead: { maxConcurrent: 2 }, deadlineMs: 2_000, rateLimit: { limit: 20 } })
  await clock.advance(0)
  assert.deepEqual([stateOf(plan, 'bulkhead').running, stateOf(plan, 'bulkhead').queued], [2, 0])
  assert.equal(stateOf(plan, 'deadlineMs').timeoutMs, 2_000)
  resolve('both')
  assert.deepEqual(await Promise.all(calls), ['both', 'both'])
})

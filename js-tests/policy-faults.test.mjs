// What goes wrong around a policy: functions, errors and callbacks that are not as they should be.
import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { mock, test } from 'node:test'
import { inspect } from 'node:util'
import {
  Bulkhead,
  CircuitBreaker,
  Fallback,
  Hedge,
  OptionError,
  policy,
  RetryBudget,
  Timeout,
  TimeoutError,
  withRetry,
} from 'seawall'
import { VirtualClock } from 'seawall/testing'

const refused = () => Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })
const stateOf = (plan, stage) => plan.describe().find(part => part.stage === stage)?.state
const turn = () => new Promise(setImmediate)
const forever = () => new Promise(() => {})

/** What is reported, and what nobody caught, while `fn` runs. */
async function watched(fn) {
  const [warnings, unhandled] = [[], []]
  const warn = warning => warnings.push(warning.message)
  const catchAll = error => unhandled.push(error)
  process.on('warning', warn)
  process.on('unhandledRejection', catchAll)
  try {
    await fn()
    await turn()
    await turn()
  } finally {
    process.off('warning', warn)
    process.off('unhandledRejection', catchAll)
  }
  return { warnings, unhandled }
}

test('what is no promise but has a `then` runs once, also for a function that reads its signal', async () => {
  let runs = 0
  // Query builders run their query each time `then` is called.
  const query = context => {
    assert.equal(context.signal.aborted, false)
    return {
      // biome-ignore lint/suspicious/noThenProperty: as query builders have it
      then(resolve) {
        runs++
        setImmediate(resolve, 'rows')
      },
    }
  }
  const { signal } = new AbortController()
  for (const parts of [
    {},
    { breaker: {} },
    { retry: {} },
    { coalesce: true },
    { cache: { ttlMs: 1_000 } },
    { hedge: { delayMs: 1_000 } },
    { timeout: 1_000, bulkhead: { maxConcurrent: 1 } },
  ]) {
    runs = 0
    assert.equal(await policy(parts).execute(query, { signal, key: 'k' }), 'rows')
    assert.equal(runs, 1, Object.keys(parts).join())
  }
  assert.equal(getEventListeners(signal, 'abort').length, 0)
})

test('a `then` that throws is a failure, and leaves nothing behind', async () => {
  const clock = new VirtualClock()
  const { signal } = new AbortController()
  const throwing = {
    // biome-ignore lint/suspicious/noThenProperty: what is tried
    get then() {
      throw new Error('no then')
    },
  }
  const answer = context => {
    assert.equal(context.signal.aborted, false)
    return throwing
  }
  const timeout = new Timeout({ timeoutMs: 10, clock })
  await assert.rejects(timeout.execute(answer, { signal }), /no then/)
  assert.equal(timeout.explain().inFlight, 0)
  await clock.advance(20)
  assert.equal(timeout.explain().timedOut, 0)
  const hedge = new Hedge({ delayMs: 10, clock })
  await assert.rejects(hedge.execute(answer, { signal }), /no then/)
  assert.equal(hedge.explain().inFlight, 0)
  for (const parts of [{}, { breaker: {} }, { bulkhead: { maxConcurrent: 1 } }, { retry: {} }]) {
    await assert.rejects(policy(parts).execute(answer, { signal }), /no then/)
  }
  assert.equal(getEventListeners(signal, 'abort').length, 0)
})

test('a `then` that settles twice settles one try', async () => {
  const clock = new VirtualClock()
  const hedge = new Hedge({ delayMs: 10, clock })
  const twice = {
    // biome-ignore lint/suspicious/noThenProperty: what is tried
    then(_, reject) {
      reject(new Error('one'))
      reject(new Error('two'))
    },
  }
  const late = Promise.withResolvers()
  const call = hedge.execute(({ attempt }) => (attempt === 1 ? late.promise : twice))
  await clock.advance(11)
  late.resolve('first')
  assert.equal(await call, 'first')
})

test('a function that aborts the signal of its own call ends it', async () => {
  const controller = new AbortController()
  const call = new Timeout({ timeoutMs: 60_000, clock: new VirtualClock() }).execute(
    () => {
      controller.abort(new Error('mine'))
      return forever()
    },
    { signal: controller.signal },
  )
  await assert.rejects(call, /mine/)
})

test('errors that cannot be read are passed on, and every place is given back', async () => {
  class Hostile extends Error {
    get code() {
      throw new Error('code')
    }
    get cause() {
      throw new Error('cause')
    }
  }
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  const thrown = [
    new Hostile('hostile'),
    proxy,
    Object.assign(new Error('null'), { code: Object.create(null) }),
    Object.freeze(new Error('frozen')),
    Symbol('symbol'),
    undefined,
    null,
  ]
  for (const error of thrown) {
    const plan = policy({
      fallback: new Fallback(() => {
        throw error
      }),
      retry: { delayMs: 0 },
      hedge: { delayMs: 1_000 },
      throttle: {},
      breaker: { threshold: 100 },
      timeout: 1_000,
      bulkhead: { maxConcurrent: 1 },
      log: 20,
    })
    const trial = plan.trial({ bulkhead: { maxConcurrent: 1 } })
    const { error: caught } = await plan.tryExecute(() => {
      throw error
    })
    assert.ok(Object.is(caught, error))
    assert.equal(stateOf(plan, 'bulkhead').running, 0)
    assert.equal(trial.report()[0].state.running, 0)
    assert.equal(stateOf(plan, 'breaker').failures, 1)
    plan[Symbol.dispose]()
  }
})

test('callbacks that answer promises which reject are reported, and end no process', async () => {
  const rejects = async () => {
    throw new Error('callback')
  }
  const { warnings, unhandled } = await watched(async () => {
    let calls = 0
    const plan = policy({
      fallback: new Fallback(() => 'instead', { when: rejects, onFallback: rejects }),
      retry: { delayMs: 0, maxAttempts: 2, retryResult: rejects, delayFor: rejects },
      hedge: { delayMs: rejects },
      timeout: { timeoutMs: rejects },
      chaos: { enabled: true, rate: 1, when: rejects, announce: () => {}, result: 'chaos' },
    })
    assert.equal(await plan.execute(() => ++calls), 1, 'a promise is no yes')
    await assert.rejects(
      plan.execute(() => {
        throw refused()
      }),
      /refused/,
    )
    assert.equal(await withRetry(() => 'once', { retryResult: rejects }), 'once')
  })
  assert.deepEqual(unhandled, [])
  for (const where of ['Fallback: when', 'retryResult', 'delayFor', 'Hedge', 'Timeout', 'chaos']) {
    assert.ok(
      warnings.some(text => text.includes(where)),
      where,
    )
  }
})

test('what may not be carried out twice is not hedged', async () => {
  const clock = new VirtualClock()
  const times = async (parts, options) => {
    let calls = 0
    const { promise, resolve } = Promise.withResolvers()
    const call = policy({ hedge: { delayMs: 10 }, clock, ...parts }).execute(() => {
      calls++
      return promise
    }, options)
    await clock.advance(50)
    resolve()
    await call
    return calls
  }
  assert.equal(await times({}), 2)
  assert.equal(await times({}, { idempotent: false }), 1)
  assert.equal(await times({ retry: { idempotent: false } }), 1)
  assert.equal(await times({ retry: { idempotent: false } }, { idempotent: true }), 2)
})

test('a refusal is nobody’s failure, also to gates outside hedges and shared executions', async () => {
  const full = new Bulkhead({ maxConcurrent: 1 })
  const held = await full.acquire()
  const hedged = policy({
    order: ['breaker', 'hedge', 'bulkhead'],
    breaker: { threshold: 1 },
    hedge: { delayMs: 0 },
    bulkhead: full,
  })
  await assert.rejects(
    hedged.execute(() => 1),
    { code: 'SEAWALL_BULKHEAD_FULL' },
  )
  const shared = policy({
    order: ['breaker', 'coalesce', 'bulkhead'],
    breaker: { threshold: 1 },
    coalesce: true,
    bulkhead: full,
  })
  await Promise.all([1, 2].map(() => shared.tryExecute(() => 1, { key: 'k' })))
  held.release()
  for (const plan of [hedged, shared]) {
    assert.equal(stateOf(plan, 'breaker').state, 'closed')
    assert.equal(stateOf(plan, 'breaker').totals.failures, 0)
  }
})

test('the deadline of one who waits for a shared execution ends nobody else’s wait', async () => {
  for (const parts of [{ coalesce: true }, { cache: { ttlMs: 1_000 } }]) {
    const clock = new VirtualClock()
    const plan = policy({ ...parts, timeout: 1_000, clock })
    const load = () => new Promise(resolve => clock.setTimer(() => resolve('value'), 500))
    const first = plan.tryExecute(load, { key: 'k', deadline: 50 })
    const second = plan.tryExecute(load, { key: 'k' })
    await clock.advance(50)
    assert.equal((await first).error.code, 'SEAWALL_TIMEOUT')
    await clock.advance(500)
    assert.deepEqual(await second, { ok: true, value: 'value' })
  }
})

test('what a call brings is looked at before the function is called', async () => {
  const plan = policy({ coalesce: true, breaker: { threshold: 1 }, retry: { delayMs: 0 } })
  const bad = [
    [{ deadline: Number.NaN }, 'deadline'],
    [{ deadline: '100' }, 'deadline'],
    [{ deadline: null }, 'deadline'],
    [{ signal: {} }, 'signal'],
    [{ signal: null }, 'signal'],
    [{ priority: 'bogus' }, 'priority'],
    [{ user: 5 }, 'user'],
    [{ key: 5 }, 'key'],
    [{ idempotent: 'no' }, 'idempotent'],
    [null, 'options'],
    [5, 'options'],
  ]
  for (const [options, option] of bad) {
    const { error } = await plan.tryExecute(() => assert.fail('called'), options)
    assert.ok(error instanceof OptionError, `${option}: ${error}`)
    assert.equal(error.option, option)
    assert.match(error.message, /^policy: `\w+` must be .+, got /)
  }
  for (const fn of [undefined, null, 'fn']) {
    assert.equal((await plan.tryExecute(fn)).error.option, 'fn')
  }
  assert.equal(stateOf(plan, 'breaker').state, 'closed')
  assert.equal(await plan.execute(context => policy({}).execute(() => 'inner', context)), 'inner')
})

test('parts of a wrong kind are refused by name', () => {
  const bulkhead = new Bulkhead({ maxConcurrent: 1 })
  const bad = [
    [undefined, ''],
    [{ timeout: null }, 'timeout'],
    [{ timeout: 'soon' }, 'timeout'],
    [{ coalesce: 'yes' }, 'coalesce'],
    [{ fallback: null }, 'fallback'],
    [{ fallback: {} }, 'fallback'],
    [{ breaker: bulkhead }, 'breaker'],
    [{ timeout: bulkhead }, 'timeout'],
    [{ log: 1e12 }, 'log'],
  ]
  for (const [options, option] of bad) {
    assert.throws(
      () => policy(options),
      error => error instanceof OptionError && error.option === option,
      option,
    )
  }
})

test('errors have their names wherever they are printed', async () => {
  const { error } = await policy({ timeout: 1 }).tryExecute(forever)
  assert.ok(error instanceof TimeoutError)
  assert.equal(error.constructor.name, 'TimeoutError')
  assert.match(inspect(error), /^\[TimeoutError: /)
})

test('why a breaker refused can be asked for after it was disposed of', async () => {
  const breaker = new CircuitBreaker({ threshold: 1 })
  await breaker.tryExecute(() => Promise.reject(refused()))
  const [first, second] = [await breaker.tryExecute(() => 1), await breaker.tryExecute(() => 1)]
  assert.equal(first.error.because.counts.failures, 1)
  const unread = second.error
  breaker[Symbol.dispose]()
  assert.equal(first.error.because.counts.failures, 1)
  assert.equal(unread.because, undefined)
})

test('fake timers hold for a policy that was used before', async () => {
  const plan = policy({ timeout: 60_000 })
  await plan.execute(async () => 1)
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const call = plan.tryExecute(forever)
    mock.timers.tick(60_000)
    await turn()
    const ended = await Promise.race([call, turn().then(() => 'not ended')])
    assert.ok(ended.error instanceof TimeoutError)
  } finally {
    mock.timers.reset()
  }
  assert.equal(await plan.execute(async () => 2), 2)
})

test('an abort ends the wait for a word of `shouldRetry`', async () => {
  const controller = new AbortController()
  const call = withRetry(() => Promise.reject(refused()), {
    shouldRetry: forever,
    signal: controller.signal,
  })
  setImmediate(() => controller.abort(new Error('gone')))
  await assert.rejects(call, /gone/)
  const slow = withRetry(() => Promise.reject(refused()), {
    shouldRetry: async () => false,
    signal: new AbortController().signal,
  })
  await assert.rejects(slow, /refused/)
})

/** Numbers from 0 to 1 that are the same for the same seed. */
function numbers(seed) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

test('model: in any order of parts, whatever happens to calls, nothing stays behind', async () => {
  for (let seed = 1; seed <= 12; seed++) {
    const next = numbers(seed)
    const upTo = most => Math.floor(next() * most)
    const maybe = parts => (next() < 0.5 ? parts : {})
    const clock = new VirtualClock()
    const budget = new RetryBudget({ clock })
    const parts = {
      ...maybe({ fallback: () => 'instead' }),
      ...maybe({ coalesce: true }),
      ...maybe({ deadlineMs: 150 }),
      retry: { delayMs: 5, ...maybe({ onRefusal: 'wait' }) },
      ...maybe({ hedge: { delayMs: 10, maxHedges: 2 } }),
      ...maybe({ rateLimit: { limit: 50, perMs: 100, maxWaitMs: 20 } }),
      ...maybe({ throttle: {} }),
      ...maybe({ breaker: { threshold: 5, resetTimeMs: 40 } }),
      ...maybe({ timeout: 60 }),
      ...(next() < 0.5
        ? { bulkhead: { maxConcurrent: 2, maxQueue: upTo(4), ...maybe({ queueTimeoutMs: 30 }) } }
        : { adaptive: { initialLimit: 2, maxLimit: 4, maxQueue: upTo(4) } }),
    }
    const plan = shuffled(parts, next, { budget, clock, seed, ...maybe({ log: 100 }) })
    const limiter = parts.bulkhead ? 'bulkhead' : 'adaptive'
    const trial = plan.trial({ [limiter]: parts[limiter] })
    const forAll = new AbortController()
    const own = []
    let running = 0
    const fn = context => {
      const [kind, ms, looks] = [next(), upTo(80), next() < 0.5]
      if (kind < 0.1) throw refused()
      running++
      const { promise, resolve, reject } = Promise.withResolvers()
      if (looks) context.signal.addEventListener('abort', () => reject(context.signal.reason))
      clock.setTimer(() => (kind < 0.5 ? reject(refused()) : resolve(kind)), ms)
      return promise.finally(() => {
        running--
      })
    }
    const calls = []
    for (let step = 0; step < 100; step++) {
      const what = next()
      if (what < 0.6) {
        const one = new AbortController()
        own.push(one)
        calls.push(
          plan.tryExecute(fn, {
            signal: next() < 0.5 ? one.signal : forAll.signal,
            ...maybe({ deadline: clock.now() + upTo(100) }),
            ...maybe({ key: 'k' }),
            ...maybe({ idempotent: false }),
          }),
        )
      } else if (what < 0.8) await clock.advance(upTo(15))
      else if (what < 0.95) own[upTo(own.length)]?.abort(new Error('left'))
      else if (parts.bulkhead) plan.update({ bulkhead: { maxConcurrent: 1 + upTo(3) } })
    }
    await clock.advance(100_000)
    await Promise.all(calls)
    const of = stage => stateOf(plan, stage)
    const { calls: begun, retries } = budget.explain()
    const left = {
      places: [of(limiter).running ?? of(limiter).inFlight, of(limiter).queued],
      onTrial: trial.report()[0].state.queued,
      budget: [begun, retries],
      hedge: of('hedge')?.inFlight ?? 0,
      timed: ['timeout', 'deadlineMs'].map(stage => of(stage)?.inFlight ?? 0),
      shared: of('coalesce')?.keys ?? 0,
      probes: of('breaker')?.isTesting ? 1 : 0,
      running,
      listeners: [forAll, ...own].map(({ signal }) => getEventListeners(signal, 'abort').length),
      timers: clock.pending,
    }
    const order = plan.describe().map(({ stage }) => stage)
    assert.deepEqual(Object.values(left).flat().filter(Boolean), [], inspect({ seed, order, left }))
    plan[Symbol.dispose]()
  }
})

/** A policy of these parts in an order drawn, the first of those drawn that makes sense. */
function shuffled(parts, next, options) {
  for (;;) {
    const order = Object.keys(parts)
      .map(stage => [next(), stage])
      .sort((a, b) => a[0] - b[0])
      .map(([, stage]) => stage)
    try {
      return policy({ ...parts, ...options, order })
    } catch (error) {
      assert.match(error.message, /must stand outside/)
    }
  }
}

test('an abort between the end of a wait and the call gives every place back', async () => {
  const controller = new AbortController()
  const plan = policy({
    // Asked right after the bulkhead has given the place to the call that waits.
    breaker: { isFailureResult: () => controller.abort(new Error('now')) },
    bulkhead: { maxConcurrent: 1, maxQueue: 1 },
  })
  const { promise, resolve } = Promise.withResolvers()
  const first = plan.execute(() => promise)
  const second = plan.execute(() => assert.fail('called'), { signal: controller.signal })
  resolve('done')
  assert.equal(await first, 'done')
  await assert.rejects(second, /now/)
  const { running, queued } = stateOf(plan, 'bulkhead')
  assert.deepEqual([running, queued], [0, 0])
  assert.equal(stateOf(plan, 'breaker').totals.neutral, 1)
  assert.equal(await plan.execute(() => 'free'), 'free')
})

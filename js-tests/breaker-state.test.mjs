// What a circuit breaker tells of itself, and what may be done to it by hand.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CircuitBreaker } from 'seawall'
import { failing, hanging, onClock, outcome, succeeding } from './breaker-tools.mjs'

const reasonOf = async breaker => (await outcome(breaker.execute(async () => 1))).error?.reason
const none = { successes: 0, failures: 0, neutral: 0, slow: 0, late: 0, rejected: 0 }

test('explain: closed and new', () => {
  const { breaker, clock } = onClock({ name: undefined })
  clock.pass(5)
  assert.deepEqual(breaker.explain(), {
    name: undefined,
    state: 'closed',
    mode: 'enforce',
    generation: 0,
    sinceMs: 5,
    changesInMs: undefined,
    calls: 0,
    failures: 0,
    slow: 0,
    opened: undefined,
    openings: 0,
    isTesting: false,
    step: undefined,
    lastFailureMs: undefined,
    lastFailureTime: undefined,
    totals: none,
    causes: [],
  })
})

test('explain: closed with trouble', async t => {
  t.mock.timers.enable({ apis: ['Date'], now: 77_000 })
  const { breaker, clock } = onClock({
    failureRate: 0.9,
    slowCallRate: 1,
    slowCallMs: 10,
    window: { calls: 10 },
  })
  await succeeding(breaker, 2)
  const slow = hanging(breaker)
  clock.pass(11)
  await slow.succeed(1)
  await failing(breaker, 3, Object.assign(new Error('no'), { code: 'ECONNREFUSED' }))
  clock.pass(4)
  const {
    calls,
    failures,
    slow: slowCalls,
    lastFailureMs,
    lastFailureTime,
    causes,
    totals,
    opened,
  } = breaker.explain()
  assert.deepEqual(
    { calls, failures, slowCalls, lastFailureMs, lastFailureTime, opened },
    {
      calls: 6,
      failures: 3,
      slowCalls: 1,
      lastFailureMs: 4,
      lastFailureTime: 77_000,
      opened: undefined,
    },
  )
  assert.deepEqual(causes, [{ cause: 'ECONNREFUSED', count: 3, agoMs: 4 }])
  assert.deepEqual(totals, { ...none, successes: 3, failures: 3, slow: 1 })
})

test('explain: open, with why and until when', async () => {
  const { breaker, clock } = onClock({ threshold: 2, resetTimeMs: 1_000 })
  await failing(breaker, 2)
  clock.pass(300)
  await reasonOf(breaker)
  await reasonOf(breaker)
  const now = breaker.explain()
  assert.equal(now.state, 'open')
  assert.equal(now.sinceMs, 300)
  assert.equal(now.changesInMs, 700.000001)
  assert.deepEqual(now.opened, {
    by: 'consecutive failures',
    calls: 2,
    failures: 2,
    slow: 0,
    forMs: 1_000,
  })
  assert.equal(now.openings, 1)
  assert.equal(now.totals.rejected, 2)
  assert.equal(now.generation, 1)
})

test('explain: half-open, with the lease of its probe', async () => {
  const { breaker, clock } = onClock({ threshold: 1, resetTimeMs: 1_000 })
  await failing(breaker, 1)
  clock.pass(1_001)
  const probe = hanging(breaker)
  clock.pass(400)
  const now = breaker.explain()
  assert.deepEqual(
    [now.state, now.isTesting, now.changesInMs, now.sinceMs],
    ['half-open', true, 600, 400],
  )
  await probe.fail()
  assert.equal(breaker.explain().opened.by, 'failed recovery')
  assert.equal(breaker.explain().openings, 2)
})

test('explain: recovering, with its step', async () => {
  const reclose = { shares: [0.5], stepMs: 500 }
  const { breaker, clock } = onClock({ threshold: 1, resetTimeMs: 10, reclose })
  await failing(breaker, 1)
  clock.pass(11)
  await succeeding(breaker, 1)
  clock.pass(100)
  const now = breaker.explain()
  assert.deepEqual(
    [now.state, now.step, now.changesInMs],
    ['recovering', { index: 0, share: 0.5 }, 400],
  )
})

test('explain: isolated, by nobody knows when', () => {
  const { breaker, clock } = onClock()
  breaker.isolate()
  clock.pass(9)
  const now = breaker.explain()
  assert.deepEqual([now.state, now.sinceMs, now.changesInMs], ['isolated', 9, undefined])
})

test('explain: opened by hand, and by a result', async () => {
  const breaker = new CircuitBreaker({ openFor: () => 5 })
  await breaker.forceOpen()
  assert.equal(breaker.explain().opened.by, 'force')
  await breaker.reset()
  await failing(breaker, 1)
  assert.equal(breaker.explain().opened.by, 'a result')
})

test('explain: the counts of an opening stay after it closed', async () => {
  const { breaker, clock } = onClock({ threshold: 3, resetTimeMs: 1 })
  await failing(breaker, 3)
  clock.pass(2)
  await succeeding(breaker, 1)
  const { opened, openings, failures, causes } = breaker.explain()
  assert.deepEqual([opened.failures, openings, failures, causes], [3, 0, 0, []])
})

test('causes: the latest first, by code, then by name, at most a few', async () => {
  const { breaker, clock } = onClock({ threshold: 100 })
  const errors = [
    Object.assign(new Error('a'), { code: 'EPIPE' }),
    Object.assign(new Error('b'), { code: 1205 }),
    new TypeError('c'),
    new RangeError('d'),
    'a string',
    null,
    { some: 'thing' },
    7,
  ]
  for (const error of errors) {
    clock.pass(10)
    await failing(breaker, 1, error)
  }
  assert.deepEqual(breaker.explain().causes, [
    { cause: 'number', count: 1, agoMs: 0 },
    { cause: 'object', count: 2, agoMs: 10 },
    { cause: 'string', count: 1, agoMs: 30 },
    { cause: 'RangeError', count: 1, agoMs: 40 },
    { cause: 'TypeError', count: 1, agoMs: 50 },
    { cause: '1205', count: 1, agoMs: 60 },
  ])
})

test('causes: an error that cannot be read is one too', async () => {
  const breaker = new CircuitBreaker()
  const thorny = new Proxy(
    {},
    {
      get() {
        throw new Error('hands off')
      },
    },
  )
  assert.deepEqual(
    (
      await outcome(
        breaker.execute(() => {
          throw thorny
        }),
      )
    ).error === thorny,
    true,
  )
  assert.equal(breaker.explain().causes[0].cause, 'unreadable')
})

test('causes: ten thousand different codes cost no more than a few', async () => {
  const breaker = new CircuitBreaker({ threshold: 20_000 })
  for (let i = 0; i < 10_000; i++) await failing(breaker, 1, { code: `E${i}` })
  const { causes, failures } = breaker.explain()
  assert.equal(failures, 10_000)
  assert.ok(causes.length <= 6)
})

test('isolate refuses every call until each holder has let go', async t => {
  const breaker = new CircuitBreaker()
  const fn = t.mock.fn(async () => 1)
  const [one, two] = [breaker.isolate(), breaker.isolate()]
  assert.equal(await reasonOf(breaker), 'isolated')
  const { error } = await outcome(breaker.execute(fn))
  assert.deepEqual(
    [error.message, error.retryAfterMs],
    ['Circuit breaker is held isolated', undefined],
  )
  assert.equal(breaker.getState().state, 'open')
  assert.equal(breaker.isOpen(), true)
  one[Symbol.dispose]()
  one[Symbol.dispose]()
  assert.equal(await reasonOf(breaker), 'isolated')
  two[Symbol.dispose]()
  assert.equal(breaker.isClosed(), true)
  await breaker.execute(fn)
  assert.equal(fn.mock.callCount(), 1)
})

test('neither a reset nor the end of an opening ends an isolation', async () => {
  const { breaker, clock } = onClock({ threshold: 1, resetTimeMs: 10 })
  await failing(breaker, 1)
  const hold = breaker.isolate()
  await breaker.reset()
  assert.equal(await reasonOf(breaker), 'isolated')
  await breaker.forceOpen()
  clock.pass(11)
  assert.equal(await reasonOf(breaker), 'isolated')
  hold[Symbol.dispose]()
  assert.equal(breaker.isClosed(), true)
})

test('calls under way when the isolation began decide nothing', async () => {
  const breaker = new CircuitBreaker({ threshold: 1 })
  const calls = [hanging(breaker), hanging(breaker)]
  const hold = breaker.isolate()
  await calls[0].fail()
  hold[Symbol.dispose]()
  await calls[1].fail()
  assert.equal(breaker.isClosed(), true)
  assert.deepEqual(breaker.explain().totals, { ...none, failures: 2, late: 2 })
})

test('a dry run decides, counts and reports the same, and lets every call through', async () => {
  const changes = []
  const onStateChange = (to, from) => changes.push([from, to])
  const { breaker, clock } = onClock({
    threshold: 2,
    resetTimeMs: 100,
    mode: 'dryRun',
    onStateChange,
  })
  await failing(breaker, 2)
  assert.equal(breaker.getState().state, 'open')
  await succeeding(breaker, 3)
  assert.equal(breaker.explain().totals.rejected, 3)
  clock.pass(101)
  await succeeding(breaker, 1)
  assert.deepEqual(changes, [
    ['closed', 'open'],
    ['open', 'half-open'],
    ['half-open', 'closed'],
  ])
  assert.equal(breaker.isClosed(), true)
})

test('a dry run turned into earnest refuses at once, and the other way round', async () => {
  const breaker = new CircuitBreaker({ threshold: 1, mode: 'dryRun' })
  await failing(breaker, 1)
  await succeeding(breaker, 1)
  breaker.setMode('enforce')
  assert.equal(breaker.explain().mode, 'enforce')
  assert.equal(await reasonOf(breaker), 'open')
  breaker.setMode('dryRun')
  await succeeding(breaker, 1)
  assert.equal(breaker.isOpen(), true)
})

test('a disabled breaker lets every call through and judges none', async () => {
  const breaker = new CircuitBreaker({ threshold: 1 })
  await failing(breaker, 1)
  breaker.setMode('disabled')
  assert.equal(breaker.isClosed(), true)
  await failing(breaker, 10)
  await succeeding(breaker, 10)
  assert.equal(breaker.isClosed(), true)
  const { totals } = breaker.explain()
  assert.deepEqual([totals.successes, totals.failures], [10, 11])
  breaker.setMode('enforce')
  assert.equal(breaker.getState().failures, 0)
  await failing(breaker, 1)
  assert.equal(breaker.isOpen(), true)
})

test('calls under way at the end of being disabled decide nothing', async () => {
  const breaker = new CircuitBreaker({ threshold: 1, mode: 'disabled' })
  await succeeding(breaker, 1)
  const calls = [hanging(breaker), hanging(breaker)]
  await calls[0].succeed(1)
  breaker.setMode('enforce')
  await calls[1].fail()
  assert.equal(breaker.isClosed(), true)
  assert.equal(breaker.explain().totals.late, 1)
})

test('counts are exact whatever came over the fast path', async () => {
  const breaker = new CircuitBreaker({ threshold: 10 })
  const calls = Array.from({ length: 1_000 }, () => hanging(breaker))
  await Promise.all(calls.map((call, i) => (i % 100 === 7 ? call.fail() : call.succeed(i))))
  assert.deepEqual(breaker.explain().totals, { ...none, successes: 990, failures: 10 })
})

const rules = {
  consecutive: { threshold: 3 },
  'failures within a time': { threshold: 3, withinMs: 10_000 },
  'calls of a window': { failureRate: 0.5, window: { calls: 10 }, minimumCalls: 5 },
  'a window of time': { failureRate: 0.5, window: { ms: 10_000 }, minimumCalls: 5 },
}

for (const [rule, options] of Object.entries(rules)) {
  test(`a snapshot of ${rule} goes on in another breaker`, async () => {
    const [from, to] = [onClock(options, 5_000), onClock(options, 900_000)]
    await succeeding(from.breaker, 2)
    await failing(from.breaker, 2)
    from.clock.pass(100)
    const snapshot = structuredClone(JSON.parse(JSON.stringify(from.breaker.snapshot())))
    to.breaker.restore(snapshot)
    assert.equal(to.breaker.isClosed(), true)
    const { failures, calls } = from.breaker.explain()
    assert.deepEqual([to.breaker.explain().failures, to.breaker.explain().calls], [failures, calls])
    assert.equal(failures, 2)
    await failing(to.breaker, 1)
    await failing(from.breaker, 1)
    assert.deepEqual([to.breaker.isOpen(), from.breaker.isOpen()], [true, true])
  })
}

test('a snapshot of an open breaker is open for what was left', async t => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_000 })
  const options = { threshold: 1, resetTimeMs: 1_000 }
  const [from, to] = [onClock(options, 70_000), onClock(options, 3)]
  await failing(from.breaker, 1)
  from.clock.pass(400)
  to.breaker.restore(from.breaker.snapshot())
  const { state, sinceMs, lastFailureMs, lastFailureTime, openings } = to.breaker.explain()
  assert.deepEqual([state, openings, lastFailureTime], ['open', 1, 1_000])
  assert.ok(sinceMs <= 400 && lastFailureMs <= 400)
  to.clock.pass(600)
  assert.equal(await reasonOf(to.breaker), 'open')
  to.clock.pass(0.001)
  await succeeding(to.breaker, 1)
  assert.equal(to.breaker.isClosed(), true)
})

test('a snapshot of a half-open breaker probes at the first call', async () => {
  const options = { threshold: 1, resetTimeMs: 1_000 }
  const [from, to] = [onClock(options), onClock(options)]
  await failing(from.breaker, 1)
  from.clock.pass(1_001)
  const probe = hanging(from.breaker)
  to.breaker.restore(from.breaker.snapshot())
  assert.equal(to.breaker.isOpen(), true)
  await succeeding(to.breaker, 1)
  assert.equal(to.breaker.isClosed(), true)
  await probe.succeed(1)
})

test('restoring tells of the change, and calls from before decide nothing', async () => {
  const heard = []
  const { breaker } = onClock({ threshold: 1, onStateChange: (...states) => heard.push(states) })
  const other = new CircuitBreaker({ threshold: 1 })
  const call = hanging(breaker)
  await other.forceOpen()
  breaker.restore(other.snapshot())
  assert.deepEqual(heard, [['open', 'closed']])
  breaker.restore(new CircuitBreaker().snapshot())
  await call.fail()
  assert.equal(breaker.isClosed(), true)
})

test('memory of another rule is left out', async () => {
  const from = new CircuitBreaker({ threshold: 3 })
  await failing(from, 2)
  const to = new CircuitBreaker({ failureRate: 0.5 })
  to.restore(from.snapshot())
  assert.deepEqual([to.explain().calls, to.explain().failures], [0, 0])
})

test('what is no snapshot is refused and changes nothing', async () => {
  const breaker = new CircuitBreaker({ threshold: 1 })
  await failing(breaker, 1)
  const good = breaker.snapshot()
  for (const [snapshot, option, got] of [
    [undefined, 'snapshot.version', 'undefined'],
    [null, 'snapshot.version', 'undefined'],
    [{}, 'snapshot.version', 'undefined'],
    ['text', 'snapshot.version', 'undefined'],
    [{ ...good, version: 99 }, 'snapshot.version', '99'],
    [{ ...good, state: 9 }, 'snapshot.state', '9'],
  ]) {
    assert.throws(() => breaker.restore(snapshot), {
      name: 'OptionError',
      option,
      message: `CircuitBreaker: \`${option}\` must be one of the documented values, got ${got}`,
    })
  }
  assert.equal(breaker.isOpen(), true)
})

test('a snapshot with nonsense in its numbers restores to something that works', async () => {
  const breaker = new CircuitBreaker({ failureRate: 0.5, window: { ms: 1_000 } })
  const good = breaker.snapshot()
  for (const value of [Number.NaN, -1, 1e300, Number.POSITIVE_INFINITY, 'x', null, undefined]) {
    for (const field of Object.keys(good).filter(name => name !== 'version')) {
      const memory = field === 'memory' ? Array(40).fill(value) : good.memory
      try {
        breaker.restore({ ...good, [field]: field === 'memory' ? memory : value })
      } catch (error) {
        assert.equal(error.code, 'SEAWALL_INVALID_OPTION')
      }
      assert.equal(typeof breaker.explain().state, 'string')
      await outcome(breaker.execute(async () => 1))
    }
  }
  await breaker.reset()
  await succeeding(breaker, 1)
})

test('two holders of a name are one breaker', async () => {
  const options = { name: 'one for two', threshold: 2 }
  const one = new CircuitBreaker(options)
  const two = new CircuitBreaker(options)
  await succeeding(one, 3)
  await succeeding(two, 4)
  await failing(one, 1)
  await failing(two, 1)
  assert.deepEqual([one.isOpen(), two.isOpen()], [true, true])
  assert.equal(await reasonOf(one), 'open')
  for (const breaker of [one, two]) {
    assert.deepEqual(breaker.explain().totals, { ...none, successes: 7, failures: 2, rejected: 1 })
  }
})

test('a name with other options is an error, and free again when nobody holds it', () => {
  const name = 'one set of options'
  const first = new CircuitBreaker({ name, threshold: 2 })
  assert.throws(() => new CircuitBreaker({ name, threshold: 3 }), {
    code: 'SEAWALL_INVALID_OPTION',
    option: 'name',
    message:
      'CircuitBreaker: `name` is in use with other options; one name is one breaker with one set of options, got "one set of options"',
  })
  first[Symbol.dispose]()
  const second = new CircuitBreaker({ name, threshold: 3 })
  assert.equal(second.isClosed(), true)
})

test('breakers without a name share nothing', async () => {
  const [one, two] = [new CircuitBreaker(1), new CircuitBreaker(1)]
  await failing(one, 1)
  assert.deepEqual([one.isOpen(), two.isOpen()], [true, false])
})

test('looking at a breaker changes nothing that it decides', {}, async () => {
  const after = async look => {
    const window = { ms: 100, slices: 2 }
    const { breaker, clock } = onClock({ failureRate: 0.5, window, minimumCalls: 5 })
    await succeeding(breaker, 10)
    clock.pass(60)
    await failing(breaker, 9)
    // The ten successes leave the window here.
    clock.pass(40)
    if (look) breaker.explain()
    await succeeding(breaker, 1)
    return breaker.explain().state
  }
  assert.equal(await after(false), await after(true))
})

test('update goes on with other options in the same state', async () => {
  const { breaker, clock } = onClock({ threshold: 10, resetTimeMs: 1_000 })
  await failing(breaker, 4)
  breaker.update({ threshold: 5 })
  assert.equal(breaker.getState().failures, 4)
  assert.equal(breaker.isClosed(), true)
  await failing(breaker, 1)
  assert.equal(breaker.isOpen(), true)
  breaker.update({ resetTimeMs: 60_000 })
  clock.pass(1_001)
  await succeeding(breaker, 1)
  assert.equal(breaker.isClosed(), true, 'the opening lasted as long as it was to last')
  await failing(breaker, 5)
  clock.pass(1_001)
  await assert.rejects(
    breaker.execute(() => 1),
    { name: 'CircuitBreakerError' },
  )
})

test('update to a rule of another kind counts from then on, also slices of time', async () => {
  const { breaker, clock } = onClock({ threshold: 3 })
  await failing(breaker, 2)
  breaker.update({ threshold: undefined, failureRate: 0.5, window: { ms: 1_000 }, minimumCalls: 4 })
  await succeeding(breaker, 3)
  assert.equal(breaker.explain().calls, 3)
  clock.pass(5_000)
  await succeeding(breaker, 1)
  assert.equal(breaker.explain().calls, 1, 'what is older than the window is gone')
  await failing(breaker, 3)
  assert.equal(breaker.isOpen(), true)
})

test('update refuses what is wrong and what cannot change, and changes nothing then', () => {
  const breaker = new CircuitBreaker({ threshold: 3 })
  assert.throws(() => breaker.update({ threshold: 0 }), {
    name: 'OptionError',
    option: 'threshold',
  })
  assert.throws(() => breaker.update({ treshold: 1 }), { name: 'OptionError' })
  assert.throws(() => breaker.update({ name: 'x' }), { name: 'OptionError', option: 'name' })
  assert.equal(breaker.explain().threshold ?? 3, 3)
})

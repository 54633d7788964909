// What users of @kysera/infra's circuit breaker rely on, and what was wrong with it and is not here.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CircuitBreaker, CircuitBreakerError, DatabaseError, SeawallError } from 'seawall'
import {
  down,
  failing,
  hanging,
  ManualClock,
  onClock,
  outcome,
  succeeding,
} from './breaker-tools.mjs'

const fresh = { state: 'closed', failures: 0, lastFailureTime: undefined, isTestingHalfOpen: false }

test('a new breaker is closed and has seen nothing', () => {
  const breaker = new CircuitBreaker()
  assert.deepEqual(breaker.getState(), fresh)
  assert.equal(breaker.isClosed(), true)
  assert.equal(breaker.isOpen(), false)
})

test('without options: five failures open it, for more than a minute', async () => {
  const { breaker, clock } = onClock()
  await failing(breaker, 4)
  assert.equal(breaker.isClosed(), true)
  await failing(breaker, 1)
  assert.equal(breaker.isOpen(), true)
  clock.pass(60_000)
  assert.equal((await outcome(breaker.execute(async () => 1))).error.reason, 'open')
  clock.pass(0.001)
  assert.deepEqual(await outcome(breaker.execute(async () => 1)), { value: 1 })
})

test('two numbers are the threshold and the reset time', async t => {
  let now = 0
  t.mock.method(performance, 'now', () => now)
  const breaker = new CircuitBreaker(2, 50)
  await failing(breaker, 2)
  assert.equal(breaker.isOpen(), true)
  now = 50
  assert.equal((await outcome(breaker.execute(async () => 1))).error.name, 'CircuitBreakerError')
  now = 51
  assert.deepEqual(await outcome(breaker.execute(async () => 1)), { value: 1 })
})

test('one number is the threshold, with a reset time of a minute', async t => {
  let now = 0
  t.mock.method(performance, 'now', () => now)
  const breaker = new CircuitBreaker(1)
  await failing(breaker, 1)
  now = 60_000
  assert.equal((await outcome(breaker.execute(async () => 1))).error.name, 'CircuitBreakerError')
  now = 60_001
  assert.deepEqual(await outcome(breaker.execute(async () => 1)), { value: 1 })
})

test('while closed, a call answers what its function answers, and the error is the same object', async () => {
  const breaker = new CircuitBreaker()
  const value = {}
  assert.equal(await breaker.execute(async () => value), value)
  assert.equal((await outcome(breaker.execute(() => Promise.reject(down)))).error, down)
})

test('failures are counted, with the wall clock of the last one', async t => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_700_000_000_000 })
  const breaker = new CircuitBreaker(5)
  await failing(breaker, 2)
  assert.deepEqual(breaker.getState(), {
    state: 'closed',
    failures: 2,
    lastFailureTime: 1_700_000_000_000,
    isTestingHalfOpen: false,
  })
})

test('a function that throws at once fails like one that rejects', async () => {
  const breaker = new CircuitBreaker(1)
  const { error } = await outcome(
    breaker.execute(() => {
      throw down
    }),
  )
  assert.equal(error, down)
  assert.equal(breaker.isOpen(), true)
})

test('an open breaker refuses by its error and does not call the function', async t => {
  const breaker = new CircuitBreaker(1)
  await failing(breaker, 1)
  const fn = t.mock.fn(async () => 1)
  const { error } = await outcome(breaker.execute(fn))
  assert.ok(error instanceof CircuitBreakerError)
  assert.ok(
    error instanceof DatabaseError && error instanceof SeawallError && error instanceof Error,
  )
  assert.equal(error.name, 'CircuitBreakerError')
  assert.equal(error.message, 'Circuit breaker is open')
  assert.equal(error.code, 'DB_CONNECTION_FAILED')
  assert.equal(error.detail, undefined)
  assert.deepEqual(error.toJSON(), {
    name: 'CircuitBreakerError',
    message: 'Circuit breaker is open',
    code: 'DB_CONNECTION_FAILED',
    detail: undefined,
  })
  assert.equal(fn.mock.callCount(), 0)
})

test('of three calls at once after the reset time, one runs and two are refused', async t => {
  const { breaker, clock } = onClock({ threshold: 1, resetTimeMs: 100 })
  await failing(breaker, 1)
  clock.pass(101)
  const fn = t.mock.fn(async () => 'up')
  const results = await Promise.all([1, 2, 3].map(() => outcome(breaker.execute(fn))))
  assert.deepEqual(results[0], { value: 'up' })
  for (const { error } of results.slice(1)) {
    assert.equal(error.name, 'CircuitBreakerError')
    assert.equal(error.message, 'Circuit breaker is testing recovery')
  }
  assert.equal(fn.mock.callCount(), 1)
  assert.equal(breaker.isClosed(), true)
})

test('the probe shows while it is under way', async () => {
  const { breaker, clock } = onClock({ threshold: 1, resetTimeMs: 100 })
  await failing(breaker, 1)
  clock.pass(101)
  const probe = hanging(breaker)
  const state = breaker.getState()
  assert.equal(state.state, 'half-open')
  assert.equal(state.isTestingHalfOpen, true)
  assert.equal(breaker.isOpen(), false)
  assert.equal(breaker.isClosed(), false)
  await probe.succeed(1)
  assert.equal(breaker.getState().isTestingHalfOpen, false)
})

test('a probe that succeeds closes; the time of the last failure stays', async () => {
  const { breaker, clock } = onClock({ threshold: 2, resetTimeMs: 100 })
  await failing(breaker, 2)
  const { lastFailureTime } = breaker.getState()
  clock.pass(101)
  await succeeding(breaker, 1)
  assert.deepEqual(breaker.getState(), { ...fresh, lastFailureTime })
  assert.equal(typeof lastFailureTime, 'number')
})

test('a probe that fails opens again, with one failure more', async () => {
  const { breaker, clock } = onClock({ threshold: 2, resetTimeMs: 100 })
  await failing(breaker, 2)
  clock.pass(101)
  assert.equal((await outcome(breaker.execute(() => Promise.reject(down)))).error, down)
  assert.equal(breaker.getState().state, 'open')
  assert.equal(breaker.getState().failures, 3)
  clock.pass(100)
  assert.equal((await outcome(breaker.execute(async () => 1))).error.reason, 'open')
})

test('an open breaker goes on saying open after its time until a call asks', async () => {
  const { breaker, clock } = onClock({ threshold: 1, resetTimeMs: 100 })
  await failing(breaker, 1)
  clock.pass(1_000)
  assert.equal(breaker.isOpen(), true)
  assert.equal(breaker.getState().state, 'open')
  await succeeding(breaker, 1)
  assert.equal(breaker.isOpen(), false)
})

test('reset closes an open breaker and forgets', async () => {
  const breaker = new CircuitBreaker(1)
  await failing(breaker, 1)
  await breaker.reset()
  assert.deepEqual(breaker.getState(), fresh)
  await succeeding(breaker, 1)
})

test('reset while calls are in flight leaves it closed and without failures', async () => {
  const breaker = new CircuitBreaker(3)
  const calls = [1, 2, 3, 4, 5].map(() => hanging(breaker))
  await breaker.reset()
  await Promise.all(calls.map(call => call.fail()))
  assert.deepEqual(breaker.getState(), fresh)
})

test('of resets and calls in a race, refusals are refusals and nothing else is', async () => {
  const { breaker, clock } = onClock({ threshold: 1, resetTimeMs: 1 })
  const results = []
  for (let i = 0; i < 50; i++) {
    clock.pass(1)
    results.push(outcome(breaker.execute(() => Promise.reject(down))))
    if (i % 7 === 0) results.push(outcome(breaker.reset()))
    if (i % 3 === 0) await null
  }
  const errors = (await Promise.all(results)).map(({ error }) => error).filter(Boolean)
  assert.ok(errors.includes(down))
  const others = errors.filter(error => error !== down)
  assert.ok(others.length > 0)
  for (const error of others) assert.equal(error.name, 'CircuitBreakerError')
})

test('forceOpen opens with the threshold as the count of failures, and recovers as usual', async t => {
  t.mock.timers.enable({ apis: ['Date'], now: 5_000 })
  const { breaker, clock } = onClock({ threshold: 7, resetTimeMs: 100 })
  await breaker.forceOpen()
  assert.deepEqual(breaker.getState(), {
    state: 'open',
    failures: 7,
    lastFailureTime: 5_000,
    isTestingHalfOpen: false,
  })
  assert.equal(
    (await outcome(breaker.execute(async () => 1))).error.message,
    'Circuit breaker is open',
  )
  clock.pass(101)
  await succeeding(breaker, 1)
  assert.equal(breaker.isClosed(), true)
})

test('forceOpen of an open breaker begins its time anew', async () => {
  const { breaker, clock } = onClock({ threshold: 1, resetTimeMs: 100 })
  await failing(breaker, 1)
  clock.pass(60)
  await breaker.forceOpen()
  clock.pass(60)
  assert.equal((await outcome(breaker.execute(async () => 1))).error.reason, 'open')
})

test('reset and forceOpen answer promises', () => {
  const breaker = new CircuitBreaker()
  assert.ok(breaker.forceOpen() instanceof Promise)
  assert.ok(breaker.reset() instanceof Promise)
})

test('onStateChange hears each real change, the new state first', async () => {
  const heard = []
  const clock = new ManualClock()
  const onStateChange = (...states) => heard.push([...states, breaker.getState().failures])
  const breaker = new CircuitBreaker({ threshold: 2, resetTimeMs: 10, onStateChange, clock })
  await breaker.reset()
  assert.deepEqual(heard, [])
  await failing(breaker, 2)
  clock.pass(11)
  await failing(breaker, 1)
  clock.pass(11)
  await succeeding(breaker, 1)
  await breaker.forceOpen()
  await breaker.forceOpen()
  await breaker.reset()
  assert.deepEqual(heard, [
    ['open', 'closed', 2],
    ['half-open', 'open', 2],
    ['open', 'half-open', 3],
    ['half-open', 'open', 3],
    // At a closing the count is still the old one.
    ['closed', 'half-open', 3],
    ['open', 'closed', 2],
    ['closed', 'open', 0],
  ])
  assert.equal(breaker.getState().failures, 0)
})

test('onStateChange runs before the call that caused it is answered', async () => {
  const order = []
  const breaker = new CircuitBreaker({ threshold: 1, onStateChange: state => order.push(state) })
  await breaker.execute(() => Promise.reject(down)).catch(() => order.push('answered'))
  assert.deepEqual(order, ['open', 'answered'])
})

test('ten calls at once all run while it is closed', async t => {
  const breaker = new CircuitBreaker(1)
  const fn = t.mock.fn(async () => 1)
  const results = await Promise.all(Array.from({ length: 10 }, () => breaker.execute(fn)))
  assert.deepEqual(results, Array(10).fill(1))
  assert.equal(fn.mock.callCount(), 10)
})

test('ten failures at once open a breaker of five', async () => {
  const breaker = new CircuitBreaker(5)
  await Promise.all(Array.from({ length: 10 }, () => failing(breaker, 1)))
  assert.equal(breaker.isOpen(), true)
  assert.ok(breaker.getState().failures >= 5)
})

// What was wrong with the original.

test('failures count in a row: a success between them begins again', async () => {
  const breaker = new CircuitBreaker(2)
  for (let i = 0; i < 5; i++) {
    await failing(breaker, 1)
    await succeeding(breaker, 1)
  }
  assert.equal(breaker.isClosed(), true)
  assert.equal(breaker.getState().failures, 0)
})

test('a call from before the opening that fails late disturbs no probe', async () => {
  const { breaker, clock } = onClock({ threshold: 1, resetTimeMs: 100 })
  const old = hanging(breaker)
  await failing(breaker, 1)
  clock.pass(101)
  const probe = hanging(breaker)
  await old.fail()
  assert.equal(breaker.getState().state, 'half-open')
  assert.equal(breaker.getState().isTestingHalfOpen, true)
  assert.equal(breaker.getState().failures, 1)
  await probe.succeed(1)
  assert.equal(breaker.isClosed(), true)
})

test('a call from before the opening that succeeds late closes nothing', async () => {
  const { breaker, clock } = onClock({ threshold: 1, resetTimeMs: 100 })
  const [first, second] = [hanging(breaker), hanging(breaker)]
  await failing(breaker, 1)
  await first.succeed(1)
  assert.equal(breaker.isOpen(), true)
  clock.pass(101)
  const probe = hanging(breaker)
  await second.succeed(1)
  assert.equal(breaker.getState().state, 'half-open')
  await probe.fail()
  assert.equal(breaker.isOpen(), true)
})

test('a call from before the opening that fails late does not prolong it', async t => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_000 })
  const { breaker, clock } = onClock({ threshold: 1, resetTimeMs: 100 })
  const old = hanging(breaker)
  await failing(breaker, 1)
  t.mock.timers.setTime(1_090)
  clock.pass(90)
  await old.fail()
  assert.equal(breaker.getState().lastFailureTime, 1_000)
  clock.pass(11)
  await succeeding(breaker, 1)
})

test('failures of one closed time do not count in the next', async () => {
  const breaker = new CircuitBreaker(2)
  const old = [hanging(breaker), hanging(breaker)]
  await breaker.forceOpen()
  await breaker.reset()
  await Promise.all(old.map(call => call.fail()))
  assert.deepEqual(breaker.getState(), fresh)
})

test('a probe that never ends loses its place after the reset time', async () => {
  const { breaker, clock } = onClock({ threshold: 1, resetTimeMs: 100 })
  await failing(breaker, 1)
  clock.pass(101)
  const lost = hanging(breaker)
  clock.pass(99)
  assert.equal((await outcome(breaker.execute(async () => 1))).error.reason, 'probing')
  clock.pass(1)
  assert.deepEqual(await outcome(breaker.execute(async () => 1)), { value: 1 })
  assert.equal(breaker.isClosed(), true)
  await lost.fail()
  assert.deepEqual([breaker.isClosed(), breaker.getState().failures], [true, 0])
})

test('a breaker that opened at second zero of both clocks opens again', async t => {
  t.mock.timers.enable({ apis: ['Date'], now: 0 })
  const { breaker, clock } = onClock({ threshold: 1, resetTimeMs: 100 })
  await failing(breaker, 1)
  assert.equal(breaker.getState().lastFailureTime, 0)
  clock.pass(101)
  await succeeding(breaker, 1)
})

test('the wall clock decides nothing, whichever way it is turned', async t => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_000_000 })
  const { breaker, clock } = onClock({ threshold: 1, resetTimeMs: 100 })
  await failing(breaker, 1)
  t.mock.timers.setTime(9_000_000)
  assert.equal((await outcome(breaker.execute(async () => 1))).error.reason, 'open')
  clock.pass(101)
  t.mock.timers.setTime(10)
  await succeeding(breaker, 1)
})

test('a clock that is turned back an hour keeps the breaker open no longer', async () => {
  const { breaker, clock } = onClock({ threshold: 1, resetTimeMs: 100 }, 3_600_000)
  await failing(breaker, 1)
  clock.set(0)
  assert.equal((await outcome(breaker.execute(async () => 1))).error.reason, 'open')
  clock.pass(101)
  await succeeding(breaker, 1)
})

test('errors that isFailure forgives are neutral and reach the caller', async () => {
  const isFailure = error => error.status !== 404
  const breaker = new CircuitBreaker({ threshold: 1, isFailure })
  const missing = Object.assign(new Error('missing'), { status: 404 })
  assert.equal((await outcome(breaker.execute(() => Promise.reject(missing)))).error, missing)
  assert.equal(breaker.isClosed(), true)
  assert.equal(breaker.explain().totals.neutral, 1)
  await failing(breaker, 1)
  assert.equal(breaker.isOpen(), true)
})

test('a probe that was neutral decides nothing and frees its place', async () => {
  const { breaker, clock } = onClock({
    threshold: 1,
    resetTimeMs: 100,
    isFailure: error => error === down,
  })
  await failing(breaker, 1)
  clock.pass(101)
  await failing(breaker, 1, new Error('the caller was wrong'))
  assert.equal(breaker.getState().state, 'half-open')
  assert.equal(breaker.getState().isTestingHalfOpen, false)
  await succeeding(breaker, 1)
  assert.equal(breaker.isClosed(), true)
})

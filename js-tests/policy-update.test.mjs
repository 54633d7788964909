// Policies in use: other options with what is known kept, and other options on trial.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Bulkhead, CircuitBreaker, OptionError, policy, RetryBudget, Timeout } from 'seawall'
import { VirtualClock } from 'seawall/testing'

const down = async () => {
  throw Object.assign(new Error('down'), { code: 'ECONNREFUSED' })
}
const fails = async (plan, times) => {
  for (let i = 0; i < times; i++) await plan.tryExecute(down)
}
const stateOf = (plan, stage) => plan.describe().find(part => part.stage === stage)?.state

test('update keeps what a part knows', async () => {
  const plan = policy({ breaker: { threshold: 10, resetTimeMs: 1_000 }, clock: new VirtualClock() })
  await fails(plan, 4)
  plan.update({ breaker: { threshold: 5 } })
  assert.equal(stateOf(plan, 'breaker').failures, 4)
  await fails(plan, 1)
  assert.equal(stateOf(plan, 'breaker').state, 'open')
})

test('update adds parts and takes parts away', async () => {
  const plan = policy({ breaker: { threshold: 2 } })
  await fails(plan, 1)
  plan.update({ retry: { maxAttempts: 2, delayMs: 0 } })
  assert.deepEqual(
    plan.describe().map(({ stage }) => stage),
    ['retry', 'breaker'],
  )
  assert.equal(stateOf(plan, 'breaker').failures, 1)
  plan.update({ breaker: undefined })
  let calls = 0
  const answer = plan.tryExecute(() => {
    calls++
    return down()
  })
  await new Promise(setImmediate)
  assert.equal((await answer).ok, false)
  assert.equal(calls, 2)
})

test('an update that is refused changes nothing', async () => {
  const plan = policy({ breaker: { threshold: 3 }, retry: { delayMs: 0, maxAttempts: 2 } })
  await fails(plan, 1)
  const before = plan.describe()
  for (const options of [
    { breaker: { threshold: 0 } },
    { retry: { maxAttempts: 0.5 }, breaker: { threshold: 9 } },
    { order: ['retry'] },
    { unknown: 1 },
  ]) {
    assert.throws(
      () => plan.update(options),
      error => /must|unknown/.test(error.message),
    )
  }
  assert.equal(plan.describe()[1].state.failures, before[1].state.failures)
  assert.equal(plan.describe()[1].state.state, 'closed')
})

test('calls under way end as they began', async () => {
  const plan = policy({ breaker: { threshold: 1 } })
  const { promise, reject } = Promise.withResolvers()
  const call = plan.tryExecute(() => promise)
  plan.update({ breaker: { threshold: 5 } })
  reject(new Error('late'))
  await call
  assert.equal(stateOf(plan, 'breaker').failures, 1)
  assert.equal(stateOf(plan, 'breaker').state, 'closed')
})

test('a trial tells what other options would have changed, and decides nothing', async () => {
  const clock = new VirtualClock()
  const plan = policy({ breaker: { threshold: 10, resetTimeMs: 1_000 }, clock })
  const trial = plan.trial({ breaker: { threshold: 3, resetTimeMs: 1_000 } })
  await fails(plan, 5)
  assert.equal(await plan.execute(() => 'through'), 'through')
  const [report] = trial.report()
  assert.deepEqual(
    { ...report, state: report.state.state },
    { stage: 'breaker', calls: 6, wouldRefuse: 3, wouldAllow: 0, wouldWait: 0, state: 'open' },
  )
  assert.equal(stateOf(plan, 'breaker').state, 'closed')
  trial[Symbol.dispose]()
  await plan.execute(() => 1)
  assert.equal(trial.report()[0].calls, 6)
})

test('a trial also tells of calls that would have gone through', async () => {
  const plan = policy({ breaker: { threshold: 2, resetTimeMs: 60_000 }, clock: new VirtualClock() })
  const trial = plan.trial({ breaker: { threshold: 100 } })
  await fails(plan, 6)
  const [{ wouldAllow, wouldRefuse, state }] = trial.report()
  assert.deepEqual([wouldAllow, wouldRefuse, state.failures], [4, 0, 2])
})

test('a trial of a breaker with a name is not the breaker in use', async () => {
  const name = 'trial of a name'
  const plan = policy({ breaker: { name, threshold: 2 } })
  const trial = plan.trial({ breaker: { name, threshold: 1 } })
  await fails(plan, 1)
  assert.equal(stateOf(plan, 'breaker').state, 'closed')
  assert.equal(trial.report()[0].state.state, 'open')
})

test('what cannot be tried is refused', () => {
  const plan = policy({ breaker: {}, retry: {} })
  assert.throws(() => plan.trial({ retry: {} }), OptionError)
  assert.throws(() => policy({ retry: {} }).trial({ breaker: {} }), OptionError)
  assert.throws(() => plan.trial({ breaker: { threshold: -1 } }), OptionError)
})

test('update: a number, or an object that others use too, takes the place of options', async () => {
  const plan = policy({ timeout: 1_000, breaker: { threshold: 1 }, bulkhead: { maxConcurrent: 1 } })
  plan.update({ timeout: 500 })
  assert.equal(stateOf(plan, 'timeout').timeoutMs, 500)
  plan.update({ timeout: new Timeout({ timeoutMs: 30 }) })
  assert.equal(stateOf(plan, 'timeout').timeoutMs, 30)
  const breaker = new CircuitBreaker({ threshold: 5 })
  const bulkhead = new Bulkhead({ maxConcurrent: 3 })
  plan.update({ breaker, bulkhead })
  await fails(plan, 1)
  assert.equal(breaker.explain().failures, 1)
  assert.equal(stateOf(plan, 'bulkhead').maxConcurrent, 3)
  plan.update({ breaker: { threshold: 2 } })
  plan[Symbol.dispose]()
  assert.equal(breaker.explain().failures, 1, 'not ours to dispose of')
})

test('update: what is wrong for one part changes none', () => {
  const plan = policy({
    rateLimit: { limit: 10 },
    breaker: { threshold: 5 },
    bulkhead: { maxConcurrent: 1 },
    retry: { delayMs: 0 },
    budget: {},
  })
  for (const bad of [
    { breaker: { threshold: 3, seed: 7 } },
    { breaker: { failureRate: 0.5 } },
    { bulkhead: { maxConcurrent: 2, name: 'new' } },
    { budget: { ratio: 7 } },
    { breaker: new Bulkhead({ maxConcurrent: 1 }) },
    { seed: 1 },
    { log: 5 },
    { name: 'new' },
    { clock: new VirtualClock() },
  ]) {
    assert.throws(() => plan.update({ rateLimit: { limit: 99 }, ...bad }), OptionError)
    assert.equal(stateOf(plan, 'rateLimit').limit, 10)
    assert.equal(stateOf(plan, 'bulkhead').maxConcurrent, 1)
  }
  for (const nothing of [undefined, null, 5]) {
    assert.throws(() => plan.update(nothing), OptionError)
  }
})

test('update: options that are as they were may be named again', () => {
  const name = 'named again'
  const plan = policy({
    breaker: { name, threshold: 5, seed: 3 },
    bulkhead: { name, maxConcurrent: 1 },
  })
  plan.update({ breaker: { name, threshold: 4, seed: 3 }, bulkhead: { name, maxConcurrent: 2 } })
  assert.equal(stateOf(plan, 'bulkhead').maxConcurrent, 2)
  plan[Symbol.dispose]()
})

test('update: another budget holds for retries and hedges, and none is none', async () => {
  const [first, second] = [new RetryBudget(), new RetryBudget()]
  const clock = new VirtualClock()
  const slow = () => new Promise(resolve => clock.setTimer(resolve, 50))
  const plan = policy({
    retry: { delayMs: 0, maxAttempts: 2 },
    hedge: { delayMs: 10 },
    budget: first,
    clock,
  })
  const both = async () => {
    const calls = [plan.tryExecute(down), plan.tryExecute(slow)]
    await clock.run()
    await Promise.all(calls)
    return [first.explain().allowed, second.explain().allowed]
  }
  assert.deepEqual(await both(), [2, 0])
  plan.update({ budget: second })
  assert.deepEqual(await both(), [2, 2])
  plan.update({ budget: undefined })
  assert.deepEqual(await both(), [2, 2])
  for (const budget of [first, second]) {
    const { calls, retries } = budget.explain()
    assert.deepEqual([calls, retries], [0, 0])
  }
})

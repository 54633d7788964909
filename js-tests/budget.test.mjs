// How much may be sent twice.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RetryBudget } from 'seawall'
import { ManualClock } from './breaker-tools.mjs'

function allowed(budget, most = 1000) {
  let count = 0
  while (count < most && budget.allow()) count++
  return count
}

test('in flight: a fifth of the calls, and always three', () => {
  const budget = new RetryBudget()
  assert.equal(allowed(budget), 3)
  for (let i = 0; i < 40; i++) budget.began()
  assert.equal(allowed(budget), 6, 'nine in all, while at most eight are a fifth')
  budget.retryEnded()
  assert.ok(budget.allow())
  for (let i = 0; i < 40; i++) budget.ended()
  assert.ok(!budget.allow())
  for (let i = 0; i < 7; i++) budget.retryEnded()
  assert.equal(allowed(budget), 1, 'two are still under way')
  assert.deepEqual(budget.explain(), {
    name: undefined,
    kind: 'inFlight',
    calls: 0,
    retries: 3,
    tokens: undefined,
    allowed: 11,
    refused: 4,
  })
})

test('tokens: fractions are exact, however many calls there are between two repetitions', () => {
  for (const [ratio, inTen] of [
    [0.1, 1],
    [0.3, 3],
    [0.7, 7],
  ]) {
    const clock = new ManualClock()
    const budget = new RetryBudget({ kind: 'tokens', ratio, perSecond: 0, maxTokens: 1000, clock })
    assert.equal(allowed(budget), 1000)
    for (let i = 0; i < 1000; i++) budget.began()
    assert.equal(allowed(budget), inTen * 100)
    for (let round = 0; round < 1000; round++) {
      let passed = 0
      for (let i = 0; i < 10; i++) {
        budget.began()
        if (budget.allow()) passed++
      }
      assert.equal(passed, inTen)
    }
  }
})

test('tokens: seconds bring a reserve', () => {
  const clock = new ManualClock()
  const budget = new RetryBudget({ kind: 'tokens', perSecond: 2, maxTokens: 5, clock })
  assert.equal(allowed(budget), 5)
  clock.pass(1500)
  assert.equal(allowed(budget), 3)
  clock.pass(3_600_000)
  assert.equal(budget.explain().tokens, 5)
})

test('options change, what is under way stays', () => {
  const budget = new RetryBudget({ minConcurrency: 1 })
  for (let i = 0; i < 10; i++) budget.began()
  assert.equal(allowed(budget), 3)
  budget.update({ ratio: 0.5 })
  assert.equal(allowed(budget), 3)
  assert.throws(() => budget.update({ ratio: 2 }), /`ratio` must be above 0 and at most 1, got 2/)
  const { calls, retries } = budget.explain()
  assert.deepEqual({ calls, retries }, { calls: 10, retries: 6 })
})

test('refusals are told, ends without a beginning are not counted', () => {
  const budget = new RetryBudget({ minConcurrency: 0, name: 'all' })
  budget.ended()
  budget.retryEnded()
  const heard = []
  budget.on('refused', event => heard.push(event))
  assert.ok(budget.allow())
  assert.ok(!budget.allow())
  assert.deepEqual(heard, [{ calls: 0, retries: 1 }])
  assert.equal(budget.explain().name, 'all')
})

test('what is wrong is said', () => {
  assert.throws(() => new RetryBudget({ perSecond: 3 }), /`perSecond`/)
  assert.throws(() => new RetryBudget({ kind: 'tokens', maxTokens: 0 }), /`maxTokens`/)
  assert.throws(() => new RetryBudget({ kind: /** @type {any} */ ('x') }), /one of "inFlight"/)
  const budget = new RetryBudget()
  budget[Symbol.dispose]()
  assert.throws(() => budget.allow(), { code: 'SEAWALL_DISPOSED' })
})

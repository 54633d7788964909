// The memory of the engine grows under what looks at it: on WASM all views become void at once.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Bulkhead, CircuitBreaker, Timeout } from 'seawall'

const answer = async () => 'an answer'

/** More than any page holds. */
const many = () => Array.from({ length: 5_000 }, () => new CircuitBreaker())

for (const [rule, options] of [
  ['consecutive', { threshold: 3 }],
  ['time window', { failureRate: 0.5, minimumCalls: 100, window: { ms: 60_000 } }],
]) {
  test(`${rule}: a breaker counts on when the memory has grown, also the calls under way`, async () => {
    const breaker = new CircuitBreaker(options)
    for (let call = 0; call < 5; call++) await breaker.execute(answer)
    const { promise, resolve } = Promise.withResolvers()
    const slow = breaker.execute(() => promise)
    const others = many()
    resolve('late')
    assert.equal(await slow, 'late')
    for (let call = 0; call < 5; call++) await breaker.execute(answer)
    await breaker.execute(() => Promise.reject(new Error('down'))).catch(() => {})
    const { totals } = breaker.explain()
    assert.equal(totals.successes, 11)
    assert.equal(totals.failures, 1)
    assert.equal(others.length, 5_000)
  })
}

test('the other policies work on the same memory, before and after it has grown', async () => {
  const bulkhead = new Bulkhead({ maxConcurrent: 1, maxQueue: 2 })
  const timeout = new Timeout({ timeoutMs: 1_000 })
  const both = () => Promise.all([bulkhead.execute(answer), bulkhead.execute(answer)])
  await both()
  const others = many()
  assert.deepEqual(await both(), ['an answer', 'an answer'])
  assert.equal(await timeout.execute(answer), 'an answer')
  assert.equal(bulkhead.explain().totals.admitted, 2)
  assert.equal(timeout.explain().timeoutMs, 1_000)
  assert.equal(others.length, 5_000)
})

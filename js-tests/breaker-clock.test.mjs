// When a breaker with a window of time looks at the runtime's clock.
import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { CircuitBreaker } from 'seawall'

const timed = () =>
  new CircuitBreaker({ failureRate: 0.5, window: { ms: 1_000 }, minimumCalls: 1_000_000 })

async function succeed(breaker, calls) {
  for (let i = 0; i < calls; i++) await breaker.execute(async () => i)
}

test("a clock that is not the runtime's is looked at by every call, however little it moves", async () => {
  const breaker = timed()
  await succeed(breaker, 200)
  let now = performance.now()
  const clock = mock.method(performance, 'now', () => {
    now += 0.000_1
    return now
  })
  try {
    const before = clock.mock.callCount()
    await succeed(breaker, 1_000)
    assert.ok(clock.mock.callCount() - before >= 1_000)
  } finally {
    clock.mock.restore()
  }
})

test('what follows a burst of calls, by more than its window, has a window of its own', async () => {
  const breaker = timed()
  await succeed(breaker, 5_000)
  assert.equal(breaker.explain().calls, 5_000)
  const end = performance.now() + 1_200
  await new Promise(resolve => setTimeout(resolve, 1_200))
  while (performance.now() < end);
  await succeed(breaker, 10)
  const { calls } = breaker.explain()
  assert.ok(calls >= 7 && calls <= 10, `${calls} calls`)
})

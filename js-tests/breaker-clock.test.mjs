// When a breaker with a window of time looks at the runtime's clock.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
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
    // What is left of a burst, if the calls above were one.
    await succeed(breaker, 3)
    const before = clock.mock.callCount()
    await succeed(breaker, 1_000)
    assert.ok(clock.mock.callCount() - before >= 1_000)
  } finally {
    clock.mock.restore()
  }
})

test('what follows a burst of calls, by more than its window, has a window of its own', () => {
  // In a process without the hooks of a test runner, which make calls too slow for a burst.
  const program = `
import { setTimeout as sleep } from 'node:timers/promises'
import { CircuitBreaker } from 'seawall'
const rule = { failureRate: 0.5, window: { ms: 1_000 }, minimumCalls: 5, resetTimeMs: 60_000 }
const breaker = new CircuitBreaker(rule)
const succeed = async n => {
  for (let i = 0; i < n; i++) await breaker.execute(async () => i)
}
const fail = () => breaker.tryExecute(async () => Promise.reject(new Error('down')))
await succeed(1_000)
const burst = breaker.explain().calls
await sleep(1_200)
// Three of eight fail: not one of the successes may have got lost.
await succeed(5)
for (let i = 0; i < 3; i++) await fail()
const { calls } = breaker.explain()
console.log(JSON.stringify({ burst, calls, open: breaker.isOpen() }))`
  const args = ['--input-type=module', '-e', program]
  const { stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: import.meta.dirname,
    encoding: 'utf8',
    timeout: 60_000,
  })
  assert.deepEqual(JSON.parse(stdout || '{}'), { burst: 1_000, calls: 8, open: false }, stderr)
})

/** What a program prints about how often a burst of 1,000 calls, and then three calls, look at the clock. */
function looksOf(before, between = '') {
  const program = `
import { setTimeout as sleep } from 'node:timers/promises'
const real = globalThis.setImmediate
${before}
const { CircuitBreaker } = await import('seawall')
const rule = { failureRate: 0.5, window: { ms: 1_000 }, minimumCalls: 1_000_000 }
const burst = async breaker => {
  for (let i = 0; i < 1_000; i++) await breaker.execute(async () => i)
}
const breaker = new CircuitBreaker(rule)
await burst(breaker)
await sleep(1_200)
${between}
await burst(breaker)
await sleep(1_200)
// None of these is lost to a window that was over before they were made.
for (let i = 0; i < 3; i++) await breaker.execute(async () => i)
console.log(breaker.explain().calls)`
  const args = ['--input-type=module', '-e', program]
  const { stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: import.meta.dirname,
    encoding: 'utf8',
    timeout: 60_000,
  })
  assert.equal(stderr, '')
  return Number(stdout)
}

test('without setImmediate, nothing that follows a burst is taken for a part of it', () => {
  assert.equal(looksOf('delete globalThis.setImmediate'), 3)
})

test('nor after a test has given setImmediate back', () => {
  const before = 'globalThis.setImmediate = () => {}'
  assert.equal(looksOf(before, 'globalThis.setImmediate = real'), 3)
})

// The decision log of a policy, and what other options would have made of it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OptionError, policy } from 'seawall'
import { replay, VirtualClock } from 'seawall/testing'

const options = {
  breaker: {
    failureRate: 0.5,
    window: { ms: 5_000 },
    minimumCalls: 5,
    resetBackoff: { delayMs: 500, maxDelayMs: 4_000, jitter: 'full' },
    halfOpen: { permits: 3 },
  },
}

/** A service that is down for a while, called every 40 ms; numbers of our own, not the policy's. */
async function incident(plan, clock) {
  let state = 7
  const draw = () => {
    state = (state * 48271) % 2147483647
    return state / 2147483647
  }
  const running = []
  for (let i = 0; i < 600; i++) {
    const isDown = i > 100 && i < 400
    const ms = 5 + draw() * 60
    const fails = draw() < (isDown ? 0.9 : 0.02)
    running.push(
      plan.tryExecute(
        () =>
          new Promise((resolve, reject) =>
            clock.setTimer(() => {
              if (fails) reject(Object.assign(new Error('no'), { code: 'ECONNRESET' }))
              else resolve('ok')
            }, ms),
          ),
      ),
    )
    await clock.advance(40)
  }
  await clock.run()
  return Promise.all(running)
}

test('a replay with the same options decides the same', async () => {
  const clock = new VirtualClock(123_456)
  const plan = policy({ ...options, clock, seed: 42, log: 10_000 })
  const ends = await incident(plan, clock)
  const refused = ends.filter(
    ({ ok, error }) => !ok && error.code === 'DB_CONNECTION_FAILED',
  ).length
  assert.ok(refused > 50, `the breaker refused ${refused}`)
  const log = JSON.parse(JSON.stringify(plan.log()))
  assert.equal(log.truncated, false)
  assert.equal(log.entries.filter(({ event }) => event === 'refused').length, refused)
  const { report, differences } = await replay(log, options)
  assert.deepEqual(differences, [])
  const [{ calls, wouldRefuse, wouldAllow }] = report
  assert.deepEqual([calls, wouldRefuse, wouldAllow], [600, 0, 0])
})

test('the seed is part of the log, also where nobody gave one', async () => {
  const clock = new VirtualClock()
  const plan = policy({ ...options, clock, log: 10_000 })
  await incident(plan, clock)
  const { differences } = await replay(plan.log(), options)
  assert.deepEqual(differences, [])
})

test('other options differ, and the first differences are named', async () => {
  const clock = new VirtualClock()
  const plan = policy({ ...options, clock, seed: 1, log: 10_000 })
  await incident(plan, clock)
  const strict = await replay(plan.log(), { breaker: { threshold: 1, resetTimeMs: 60_000 } })
  assert.ok(strict.report[0].wouldRefuse > 100)
  const [{ entry, instead }] = strict.differences
  assert.deepEqual([entry.event, instead], ['letThrough', 'refused'])
  const never = await replay(plan.log(), { breaker: { threshold: 1_000_000 } })
  assert.ok(never.report[0].wouldAllow > 50)
})

test('the log is as long as it may be, and says what it has lost', async () => {
  const plan = policy({ breaker: {}, clock: new VirtualClock(), log: 10 })
  for (let i = 0; i < 20; i++) await plan.execute(() => 1)
  const { entries, truncated } = plan.log()
  assert.equal(truncated, true)
  assert.equal(entries.length, 10)
  assert.deepEqual(
    entries.slice(-2).map(({ stage, call, event }) => [stage, call, event]),
    [
      ['breaker', 20, 'letThrough'],
      ['breaker', 20, 'success'],
    ],
  )
})

test('a failure is in the log with its cause', async () => {
  const plan = policy({ breaker: {}, log: 10 })
  await plan.tryExecute(async () => {
    throw Object.assign(new Error('x'), { code: 'EPIPE' })
  })
  const { event, cause, ms } = plan.log().entries.at(-1)
  assert.deepEqual([event, cause], ['failure', 'EPIPE'])
  assert.ok(ms >= 0)
})

test('no log unless asked for', async () => {
  const plan = policy({ breaker: {} })
  await plan.execute(() => 1)
  assert.deepEqual(plan.log().entries, [])
  assert.throws(() => policy({ log: -1 }), OptionError)
  assert.throws(() => policy({ log: 1.5 }), OptionError)
})

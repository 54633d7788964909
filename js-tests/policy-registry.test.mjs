// A policy for each key, bounded.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OptionError, PolicyRegistry, RetryBudget } from 'seawall'
import { VirtualClock } from 'seawall/testing'

const fails = () => Promise.reject(new Error('no'))

test('each key has a policy of its own', async () => {
  const hosts = new PolicyRegistry({ policy: { breaker: { threshold: 1 } } })
  await assert.rejects(hosts.execute('a', fails))
  await assert.rejects(
    hosts.execute('a', () => 1),
    { code: 'DB_CONNECTION_FAILED' },
  )
  assert.equal(await hosts.execute('b', () => 1), 1)
  assert.equal(hosts.size, 2)
  assert.deepEqual(
    [...hosts].map(([key]) => key),
    ['b', 'a'],
  )
  assert.equal(hosts.delete('a'), true)
  assert.equal(await hosts.execute('a', () => 2), 2, 'made anew')
})

test('a million keys seen stay within the cap, and what is in use stays', async () => {
  let evicted = 0
  const keys = new PolicyRegistry({
    max: 100,
    // Longer than the test takes on the slowest machine: it is to find the breaker open.
    policy: { breaker: { threshold: 1, resetTimeMs: 3_600_000 } },
    onEvict: () => {
      evicted++
    },
  })
  await assert.rejects(keys.execute('busy', fails))
  const rounds = 1_000_000
  for (let i = 0; i < rounds; i++) {
    keys.get(`key ${i}`)
    if (i % 50 === 0) keys.get('busy')
  }
  assert.equal(keys.size, 100)
  assert.equal(evicted, rounds + 1 - 100)
  await assert.rejects(
    keys.execute('busy', () => 1),
    { code: 'DB_CONNECTION_FAILED' },
  )
})

test('what nobody used for long is let go', async () => {
  const clock = new VirtualClock()
  const gone = []
  const keys = new PolicyRegistry({
    idleMs: 1_000,
    policy: key => ({ breaker: { threshold: key === 'strict' ? 1 : 9 } }),
    onEvict: key => gone.push(key),
    clock,
  })
  const strict = keys.get('strict')
  keys.get('other')
  await clock.advance(900)
  assert.equal(keys.get('strict'), strict)
  await clock.advance(900)
  assert.equal(keys.get('strict'), strict)
  assert.notEqual(keys.get('other'), undefined)
  assert.deepEqual(gone, ['other'])
})

test('parts given as objects are shared by all keys', async () => {
  const budget = new RetryBudget({ kind: 'tokens', ratio: 0.01, perSecond: 0, maxTokens: 1 })
  const keys = new PolicyRegistry({ policy: { retry: { delayMs: 0 }, budget } })
  const refused = async () => {
    throw Object.assign(new Error('x'), { code: 'ECONNREFUSED' })
  }
  await assert.rejects(keys.execute('a', refused))
  await assert.rejects(keys.execute('b', refused))
  assert.equal(budget.explain().refused, 2)
})

test('bad options', () => {
  for (const options of [
    { policy: {}, max: 0 },
    { policy: {}, max: 1.5 },
    { policy: {}, idleMs: 0 },
    { policy: { breaker: { threshold: 0 } } },
    { policy: {}, size: 3 },
  ]) {
    assert.throws(() => new PolicyRegistry(options), OptionError)
  }
  const keys = new PolicyRegistry({ policy: {} })
  keys[Symbol.dispose]()
  assert.throws(() => keys.get('a'), { code: 'SEAWALL_DISPOSED' })
})

test('a policy that has to go lets its calls end as they began', async () => {
  const keys = new PolicyRegistry({
    max: 1,
    policy: {
      retry: { delayMs: 0 },
      breaker: { threshold: 9 },
      bulkhead: { maxConcurrent: 1, maxQueue: 1 },
    },
  })
  let tries = 0
  const { promise, resolve } = Promise.withResolvers()
  const running = keys.execute('a', async () => {
    await promise
    if (++tries < 2) throw Object.assign(new Error('x'), { code: 'ECONNREFUSED' })
    return 'second try'
  })
  const queued = keys.get('a').execute(() => 'queued')
  const gone = keys.get('a')
  assert.equal(await keys.execute('b', () => 'b'), 'b')
  assert.equal(keys.has('a'), false)
  resolve()
  assert.deepEqual(await Promise.all([running, queued]), ['second try', 'queued'])
  await assert.rejects(
    gone.execute(() => 1),
    { code: 'SEAWALL_DISPOSED' },
  )
})

test('execute rejects, and does not throw', async () => {
  const broken = new PolicyRegistry({
    policy: () => {
      throw new Error('no options')
    },
  })
  await assert.rejects(
    broken.execute('a', () => 1),
    /no options/,
  )
  broken[Symbol.dispose]()
  await assert.rejects(
    broken.execute('a', () => 1),
    { code: 'SEAWALL_DISPOSED' },
  )
})

// A rate limit for each key, bounded in number.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KeyedRateLimiter } from 'seawall'
import { TimerClock } from './timer-clock.mjs'

function keyedOf(options) {
  const clock = new TimerClock()
  return { clock, keys: new KeyedRateLimiter({ clock, ...options }) }
}

test('each key has permits of its own', async () => {
  const { clock, keys } = keyedOf({ limit: 1 })
  assert.ok(keys.tryAcquire('a').ok && keys.tryAcquire('b').ok)
  assert.deepEqual(keys.tryAcquire('a'), { ok: false, rule: 'limit', retryAfterMs: 1000 })
  const outcome = await keys.tryExecute('a', () => 1)
  assert.ok(!outcome.ok)
  assert.equal(await keys.execute('c', () => 1), 1)
  const waiting = keys.acquire('a')
  await clock.pass(1000)
  await waiting
  assert.deepEqual([...keys.keys()], ['a', 'b', 'c'])
  assert.equal(keys.explain('a')?.granted, 2)
  assert.equal(keys.explain('z'), undefined)
})

test('1,000,000 keys seen stay within the cap, and do not help the one in use', () => {
  const { keys } = keyedOf({ limit: 1, max: 1000, onEvict: () => gone++ })
  let gone = 0
  keys.tryAcquire('regular')
  const before = process.memoryUsage().rss
  for (let i = 0; i < 1_000_000; i++) {
    assert.ok(keys.tryAcquire(`key ${i}`).ok)
    if (i % 500 === 0) assert.ok(!keys.tryAcquire('regular').ok)
    if (keys.size > 1000) assert.fail(`${keys.size} keys`)
  }
  assert.equal(gone, 1_000_001 - 1000)
  const grown = process.memoryUsage().rss - before
  assert.ok(grown < 150e6, `${grown} bytes`)
})

test('idle keys go as others come', async () => {
  const { clock, keys } = keyedOf({ limit: 5, idleMs: 10_000 })
  for (let i = 0; i < 10; i++) keys.tryAcquire(`old ${i}`)
  await clock.pass(20_000)
  for (let i = 0; i < 10; i++) keys.tryAcquire(`new ${i}`)
  assert.equal(keys.size, 10)
  assert.ok(!keys.has('old 3') && keys.has('new 3'))
})

test('a key that goes takes its line with it, and its number is not mistaken for another key', async () => {
  const { clock, keys } = keyedOf({ limit: 1, max: 1, learn: true })
  keys.tryAcquire('a')
  const waiting = keys.acquire('a').catch(error => error)
  const { promise, reject } = Promise.withResolvers()
  keys.release('a')
  keys.tryAcquire('b')
  assert.equal((await waiting).rule, 'evicted')
  const running = keys.tryExecute('c', () => promise)
  keys.delete('c')
  assert.ok(keys.tryAcquire('d').ok)
  reject({ status: 429, headers: { 'retry-after': '100' } })
  await running
  await clock.pass(1000)
  assert.ok(keys.tryAcquire('d').ok, 'the hold of c is not one of d')
  assert.ok(!keys.delete('c'))
})

test('holds are of one key, options of all', async () => {
  const { clock, keys } = keyedOf({ limit: 1 })
  keys.hold('a', clock.now() + 500)
  assert.deepEqual(keys.tryAcquire('a'), { ok: false, rule: 'hold', retryAfterMs: 500 })
  assert.ok(keys.tryAcquire('b').ok)
  const waiting = keys.acquire('b')
  keys.update({ limit: 10 })
  await waiting
  assert.equal(keys.explain('b')?.available, 8)
  assert.ok(keys.learn('b', { status: 503, headers: { 'retry-after': '2' } }))
  assert.equal(keys.tryAcquire('b').ok, false)
})

test('events name the key', () => {
  const { keys } = keyedOf({ limit: 1 })
  const heard = []
  keys.on('rejected', ({ key, rule }) => heard.push([key, rule]))
  keys.tryAcquire('a')
  keys.tryAcquire('a')
  assert.deepEqual(heard, [['a', 'limit']])
})

test('what is wrong is said', async () => {
  assert.throws(() => new KeyedRateLimiter({ limit: 1, max: 0 }), /`max` must be a whole number/)
  assert.throws(() => new KeyedRateLimiter({ limit: 1, idleMs: 0 }), /`idleMs` must be/)
  const { keys } = keyedOf({ limit: 1 })
  keys.tryAcquire('a')
  const waiting = assert.rejects(keys.acquire('a'), { code: 'SEAWALL_DISPOSED' })
  keys[Symbol.dispose]()
  await waiting
  assert.throws(() => keys.tryAcquire('a'), { code: 'SEAWALL_DISPOSED' })
  await assert.rejects(
    keys.execute('a', () => 1),
    { code: 'SEAWALL_DISPOSED' },
  )
})

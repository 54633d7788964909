// What policies do where listeners call them back, keys come and go, and options are half given.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  AdaptiveLimiter,
  Bulkhead,
  Cache,
  KeyedRateLimiter,
  RateLimiter,
  RejectedError,
  RetryBudget,
  Throttle,
} from 'seawall'
import { VirtualClock } from 'seawall/testing'

test('update: what is undefined is not given, and stays', async () => {
  const rate = new RateLimiter({ limit: 7, burst: 3, perMs: 500 })
  rate.update({ limit: 9, burst: undefined, perMs: undefined })
  const { burst, perMs, limit } = rate.explain()
  assert.deepEqual([limit, burst, perMs], [9, 3, 500])
  const keys = new KeyedRateLimiter({ limit: 7, burst: 3 })
  keys.tryAcquire('a')
  keys.update({ limit: undefined, burst: undefined })
  assert.equal(keys.explain('a')?.burst, 3)
  const budget = new RetryBudget({ kind: 'tokens', maxTokens: 3 })
  budget.update({ kind: undefined, ratio: 0.5, maxTokens: undefined })
  assert.deepEqual([budget.explain().kind, budget.explain().tokens], ['tokens', 3])
  const throttle = new Throttle({ minimumCalls: 1 })
  throttle.update({ k: 3, minimumCalls: undefined })
  for (let i = 0; i < 9; i++) await throttle.tryExecute(() => Promise.reject(new Error('no')))
  assert.ok(throttle.explain().probability > 0)
  const clock = new VirtualClock()
  const cache = new Cache({ ttlMs: 5, clock })
  cache.update({ ttlMs: undefined, jitter: 0 })
  let fetched = 0
  await cache.execute('a', () => ++fetched)
  await clock.advance(10)
  assert.equal(await cache.execute('a', () => ++fetched), 2)
})

test('rate limiter: a listener of `queued` may dispose of it, or abort the call', async () => {
  const clock = new VirtualClock()
  const disposed = new RateLimiter({ limit: 1, clock })
  disposed.tryAcquire()
  disposed.on('queued', () => disposed[Symbol.dispose]())
  await assert.rejects(disposed.acquire(), { code: 'SEAWALL_DISPOSED' })
  const limiter = new RateLimiter({ limit: 1, clock })
  limiter.tryAcquire()
  const controller = new AbortController()
  limiter.on('queued', () => controller.abort(null))
  await assert.rejects(limiter.acquire(1, controller), error => error === null)
  assert.equal(limiter.explain().queued, 0)
  assert.equal(clock.pending, 0)
})

test('keyed rate limiter: who hears of a key that goes may ask for one, and none is shared', () => {
  const clock = new VirtualClock()
  const keys = new KeyedRateLimiter({
    limit: 5,
    max: 1,
    clock,
    onEvict: key => key === 'a' && keys.tryAcquire('c'),
  })
  keys.tryAcquire('a')
  keys.tryAcquire('b')
  assert.deepEqual([...keys.keys()], ['c'])
  assert.equal(keys.explain('c')?.granted, 1)
})

test('keyed rate limiter: a release makes no key, and lets none go', () => {
  const keys = new KeyedRateLimiter({ limit: 5, max: 1 })
  keys.tryAcquire('a')
  keys.release('b')
  assert.deepEqual([...keys.keys()], ['a'])
})

test('a call waits for a place no longer than its deadline', async () => {
  for (const make of [
    clock => new Bulkhead({ maxConcurrent: 1, maxQueue: 5, clock }),
    clock => new AdaptiveLimiter({ initialLimit: 1, maxLimit: 1, maxQueue: 5, clock }),
  ]) {
    const clock = new VirtualClock()
    const limiter = make(clock)
    const permit = await limiter.acquire()
    let ran = 0
    const deadline = clock.now() + 50
    const first = limiter.tryExecute(() => ++ran, { deadline })
    const second = limiter.tryExecute(() => ++ran)
    await clock.advance(51)
    const { ok, error } = await first
    assert.ok(!ok && error instanceof RejectedError && error.rule === 'queueTimeout')
    assert.equal(limiter.explain().queued, 1)
    permit[Symbol.dispose]()
    assert.ok((await second).ok)
    assert.equal(ran, 1)
    // One that begins before its deadline leaves no timer behind.
    const again = await limiter.acquire()
    const third = limiter.execute(() => ++ran, { deadline: clock.now() + 50 })
    again[Symbol.dispose]()
    await third
    assert.equal(clock.pending, 0)
  }
})

test('cache: a refresh that hangs is not waited for as long as the answer is stale', async () => {
  const clock = new VirtualClock()
  const cache = new Cache({ ttlMs: 10, staleWhileRevalidateMs: 3_600_000, clock })
  await cache.execute('a', () => 1)
  await clock.advance(20)
  let refreshes = 0
  const hang = () => {
    refreshes++
    return new Promise(() => {})
  }
  for (let i = 0; i < 5; i++) await cache.execute('a', hang)
  assert.equal(refreshes, 1)
  await clock.advance(61_000)
  assert.equal(await cache.execute('a', () => 2), 1)
  await clock.advance(1)
  assert.equal(await cache.execute('a', hang), 2)
})

/** A store on several connections: what takes longer arrives later. */
function slowStore(clock, ms) {
  const entries = new Map()
  const after = (operation, act) =>
    new Promise(resolve => clock.setTimer(() => resolve(act()), ms[operation] ?? 0))
  const get = key => entries.has(key) && { value: Buffer.from(entries.get(key)), token: key }
  return {
    entries,
    get: key => after('get', () => get(key) || undefined),
    set: (key, value) => after('set', () => void entries.set(key, value)),
    add: (key, value) => after('add', () => !entries.has(key) && !!entries.set(key, value)),
    delete: key => after('delete', () => entries.delete(key)),
    compareAndSet: async () => false,
  }
}

test('cache: a write on its way does not outlive the delete after it', async () => {
  const clock = new VirtualClock()
  const store = slowStore(clock, { set: 50, delete: 10 })
  const cache = new Cache({ store, clock, wallNow: () => 0 })
  const loaded = cache.execute('a', () => 'old')
  await clock.advance(1)
  assert.equal(await loaded, 'old')
  const deleted = cache.delete('a')
  await clock.advance(100)
  assert.equal(await deleted, true)
  assert.equal(store.entries.size, 0)
  // Nor a later value: what was set last is what stays.
  store.set = (key, value) =>
    new Promise(resolve =>
      clock.setTimer(
        () => resolve(void store.entries.set(key, value)),
        value.includes('1') ? 50 : 5,
      ),
    )
  const both = [cache.set('b', 'value 1'), cache.set('b', 'value 2')]
  await clock.advance(100)
  await Promise.all(both)
  assert.match(store.entries.get('b'), /value 2/)
})

test('cache: an old version that is read while it is deleted is not converted and kept', async () => {
  const clock = new VirtualClock()
  const store = slowStore(clock, { get: 20 })
  const { get } = store
  store.get = async key => {
    const { value } = store.entries.has(key) ? { value: Buffer.from(store.entries.get(key)) } : {}
    await get(key)
    return value && { value, token: key }
  }
  const from = new Cache({ store, clock, wallNow: () => 0, type: 'user', version: 1 })
  const put = from.set('a', 'old')
  await clock.advance(1)
  await put
  const migrate = { from: 1, convert: value => `${value}, converted` }
  const cache = new Cache({ store, clock, wallNow: () => 0, type: 'user', version: 2, migrate })
  const read = cache.execute('a', () => 'new')
  await clock.advance(30)
  const deleted = cache.delete('a')
  await clock.advance(100)
  await Promise.all([read, deleted])
  assert.deepEqual([...store.entries.keys()], [])
})

test('cache: a store that hangs has no queue of writes', async () => {
  const clock = new VirtualClock()
  let writes = 0
  const store = {
    ...slowStore(clock, {}),
    set: () => {
      writes++
      return new Promise(() => {})
    },
  }
  const cache = new Cache({ store, clock, storeTimeoutMs: 100 })
  const all = Array.from({ length: 1000 }, (_, i) => cache.set('a', i))
  await clock.advance(100)
  await clock.advance(100)
  assert.equal((await Promise.all(all)).filter(Boolean).length, 0)
  assert.equal(writes, 2)
  assert.equal(await cache.get('a'), 999)
})

// @ts-check
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { test } from 'node:test'
import { deserialize, serialize } from 'node:v8'
import { Cache } from 'seawall'
import { manual, random, state, turn, VirtualClock } from './cache-tools.mjs'

const down = new Error('down')
const fails = () => Promise.reject(down)
const count = (value = undefined) => {
  const fn = async () => {
    fn.calls++
    return value ?? fn.calls
  }
  fn.calls = 0
  return fn
}

/** A cache on a clock of its own, with the events it told. */
function onClock(options = {}) {
  const clock = new VirtualClock(1000)
  const cache = new Cache({ ttlMs: 100, clock, ...options })
  /** @type {any[]} */
  const events = []
  for (const name of ['stale', 'refreshFailed', 'storeFailed', 'refused', 'evicted']) {
    cache.on(/** @type {any} */ (name), event => events.push({ name, ...event }))
  }
  return { clock, cache, events }
}

test('fresh to the end of its time, then fetched anew', async () => {
  const { clock, cache } = onClock()
  const fn = count()
  assert.equal(await cache.execute('k', fn), 1)
  await clock.pass(99.999)
  assert.equal(await cache.execute('k', fn), 1)
  await clock.pass(0.001)
  assert.equal(await cache.execute('k', fn), 2)
  const { hits, misses, loads, entries } = cache.explain()
  assert.deepEqual({ hits, misses, loads, entries }, { hits: 1, misses: 2, loads: 2, entries: 1 })
})

test('parallel misses are one fetch', async () => {
  const { cache } = onClock()
  const fn = manual()
  const calls = [1, 2, 3].map(() => cache.execute('k', fn))
  assert.equal(fn.calls.length, 1)
  fn.calls[0].resolve('answer')
  assert.deepEqual(await Promise.all(calls), ['answer', 'answer', 'answer'])
  assert.equal(cache.explain().joined, 2)
})

test('failures are not kept', async () => {
  const { cache } = onClock()
  await assert.rejects(cache.execute('k', fails), thrown => thrown === down)
  assert.equal(await cache.execute('k', async () => 'fine'), 'fine')
})

test('nobody can change what another gets, from the first answer on', async () => {
  const { cache } = onClock()
  const made = { list: [1], when: new Date(0) }
  const [first, second] = await Promise.all([
    cache.execute('k', async () => made),
    cache.execute('k', async () => made),
  ])
  const hit = await cache.execute('k', fails)
  assert.notEqual(first, second)
  assert.notEqual(first, made)
  first.list.push(2)
  hit.list.push(3)
  made.list.push(4)
  assert.deepEqual(await cache.execute('k', fails), { list: [1], when: '1970-01-01T00:00:00.000Z' })
  assert.deepEqual(second, await cache.execute('k', fails), 'the first looks like the last')
})

test('given serialize and deserialize: what JSON lacks, and the bytes are counted', async () => {
  const { cache } = onClock({ serialize, deserialize })
  const value = { when: new Date(5), map: new Map([[1n, undefined]]) }
  assert.deepEqual(await cache.execute('k', async () => value), value)
  assert.deepEqual(await cache.execute('k', fails), value)
  assert.equal(cache.explain().bytes, serialize(value).length + 1)
})

test('frozen: the very object for everybody, and nobody can change it', async () => {
  const { cache, events } = onClock({ frozen: true })
  const made = { list: [{ a: 1 }] }
  made.self = made
  const first = await cache.execute('k', async () => ({ list: [{ a: 1 }] }))
  assert.equal(await cache.execute('k', fails), first)
  assert.throws(() => first.list[0].a++, TypeError)
  assert.throws(() => first.list.push(1), TypeError)
  for (const value of [new Date(), { at: new Map() }, { bytes: new Uint8Array(2) }, { fn() {} }]) {
    assert.equal(await cache.execute('other', async () => value), value)
    assert.equal(Object.isFrozen(value), false, 'left as it was')
    assert.equal(await cache.get('other'), undefined)
  }
  assert.deepEqual(
    events.map(({ name }) => name),
    ['refused', 'refused', 'refused', 'refused'],
  )
})

test('bounded in bytes of keys and values; what was used last stays', async () => {
  const { cache, events } = onClock({ maxBytes: 30 })
  const put = (key, text) => cache.execute(key, async () => text)
  await put('a', 'x'.repeat(7))
  await put('b', 'ü'.repeat(3))
  assert.equal(cache.explain().bytes, 10 + 9, 'UTF-8, with the quotes')
  await cache.execute('a', fails)
  await put('c', 'x'.repeat(9))
  assert.equal(await cache.get('b'), undefined)
  assert.equal(await cache.get('a'), 'x'.repeat(7))
  assert.equal(cache.explain().evictions, 1)
  assert.deepEqual(events, [{ name: 'evicted', key: 'b', bytes: 9 }])
  assert.equal(await put('d', 'x'.repeat(40)), 'x'.repeat(40), 'too large: answered and not kept')
  assert.equal(await cache.get('d'), undefined)
  assert.ok(cache.explain().bytes <= 30)
  assert.equal(events[1].name, 'refused')
})

test('a value too large does not leave its forerunner', async () => {
  const { cache } = onClock({ maxBytes: 20 })
  await cache.set('k', 'old')
  assert.equal(await cache.set('k', 'x'.repeat(30)), false)
  assert.equal(await cache.get('k'), undefined)
})

test('sizeOf counts in place of the bytes; one that answers nonsense keeps nothing', async () => {
  const { cache, events } = onClock({ maxBytes: 10, sizeOf: ({ size }) => size })
  await cache.execute('a', async () => ({ size: 8.5 }))
  assert.equal(cache.explain().bytes, 10)
  await cache.execute('b', async () => ({ size: Number.NaN }))
  assert.equal(cache.explain().entries, 1)
  assert.match(events[0].error.message, /sizeOf/)
})

test('what cannot be serialised is handed on and not kept', async () => {
  const { cache, events } = onClock()
  const fn = count({ big: 1n })
  assert.deepEqual(await cache.execute('k', fn), { big: 1n })
  assert.deepEqual(await cache.execute('k', fn), { big: 1n })
  assert.equal(fn.calls, 2)
  assert.equal(events[0].name, 'refused')
  assert.equal(await cache.execute('none', async () => undefined), undefined)
  assert.equal(cache.explain().entries, 0)
})

test('what cannot be read is fetched anew', async () => {
  let broken = false
  const { cache, events } = onClock({
    serialize: JSON.stringify,
    deserialize: text => {
      if (broken) throw new Error('broken')
      return JSON.parse(text)
    },
  })
  const fn = count()
  await cache.execute('k', fn)
  broken = true
  assert.equal(await cache.execute('k', fn), 2, 'as it was fetched')
  assert.ok(events.every(({ name }) => name === 'refused'))
  broken = false
  assert.equal(await cache.execute('k', fn), 3)
})

test('stale while revalidate: the old answer at once, one fetch behind it', async () => {
  const { clock, cache, events } = onClock({ staleWhileRevalidateMs: 50 })
  const fn = manual()
  const first = cache.execute('k', fn)
  fn.calls[0].resolve('old')
  await first
  await clock.pass(100)
  assert.deepEqual(await Promise.all([1, 2].map(() => cache.execute('k', fn))), ['old', 'old'])
  assert.equal(fn.calls.length, 2, 'one fetch')
  assert.equal(fn.calls[1].context.deadline, Infinity)
  fn.calls[1].resolve('new')
  await turn()
  assert.equal(await cache.execute('k', fails), 'new')
  assert.deepEqual(
    events,
    [1, 2].map(() => ({ name: 'stale', key: 'k', ageMs: 100, cause: undefined })),
  )
  await clock.pass(150)
  const after = cache.execute('k', fn)
  assert.equal(await state(after), 'pending', 'past that it has to wait')
  fn.calls[2].resolve('newest')
  assert.equal(await after, 'newest')
  const { stale, refreshes, hits, misses } = cache.explain()
  assert.deepEqual(
    { stale, refreshes, hits, misses },
    { stale: 2, refreshes: 1, hits: 1, misses: 2 },
  )
})

test('a failure in the background is told and thrown to nobody', async () => {
  const { clock, cache, events } = onClock({ staleWhileRevalidateMs: 50 })
  await cache.execute('k', async () => 'old')
  await clock.pass(120)
  assert.equal(await cache.execute('k', fails), 'old')
  await turn()
  assert.deepEqual(events.at(-1), { name: 'refreshFailed', key: 'k', error: down })
  const throwing = () => {
    throw down
  }
  assert.equal(await cache.execute('k', throwing), 'old')
  await turn()
  assert.equal(cache.explain().refreshes, 2)
})

test('a caller who leaves does not abort the fetch in the background', async () => {
  const { clock, cache } = onClock({ staleWhileRevalidateMs: 50 })
  await cache.execute('k', async () => 'old')
  await clock.pass(110)
  const control = new AbortController()
  const fn = manual()
  assert.equal(await cache.execute('k', fn, { signal: control.signal }), 'old')
  control.abort()
  assert.equal(fn.calls[0].context.signal.aborted, false)
  fn.calls[0].resolve('new')
  await turn()
  assert.equal(await cache.get('k'), 'new')
})

test('stale if error: the old answer where a new one cannot be had, with the cause', async () => {
  const { clock, cache, events } = onClock({ staleIfErrorMs: 500 })
  await cache.execute('k', async () => 'old')
  await clock.pass(300)
  const fn = manual()
  const calls = [1, 2].map(() => cache.execute('k', fn))
  assert.equal(fn.calls.length, 1, 'it is tried first')
  fn.calls[0].reject(down)
  assert.deepEqual(await Promise.all(calls), ['old', 'old'])
  const told = { name: 'stale', key: 'k', ageMs: 300, cause: down }
  assert.deepEqual(events, [told, told])
  await clock.pass(299.99)
  assert.equal(await cache.execute('k', fails), 'old')
  await clock.pass(0.01)
  await assert.rejects(cache.execute('k', fails), thrown => thrown === down)
})

test('stale if error: also for a call whose deadline passes, not for one that is aborted', async () => {
  const { clock, cache } = onClock({ staleIfErrorMs: 500 })
  await cache.execute('k', async () => 'old')
  await clock.pass(200)
  const hangs = () => new Promise(() => {})
  const late = cache.execute('k', hangs, { deadline: clock.now() + 50 })
  await clock.pass(50)
  assert.equal(await late, 'old')
  const control = new AbortController()
  const aborted = cache.execute('k', hangs, { signal: control.signal })
  control.abort(down)
  await assert.rejects(aborted, thrown => thrown === down)
})

test('a cancelled leader does not fail its followers; the answer is kept', async () => {
  const { cache } = onClock()
  const control = new AbortController()
  const fn = manual()
  const leader = cache.execute('k', fn, { signal: control.signal })
  const follower = cache.execute('k', fn)
  control.abort(down)
  await assert.rejects(leader, thrown => thrown === down)
  fn.calls[0].resolve('answer')
  assert.equal(await follower, 'answer')
  assert.equal(await cache.execute('k', fails), 'answer')
})

test('ttlMs as a function of the answer; 0, less, NaN and a throw keep nothing', async () => {
  const { clock, cache, events } = onClock({
    ttlMs: ({ ttl }) => {
      if (ttl === 'throw') throw new Error('no time')
      return ttl
    },
  })
  for (const ttl of [0, -5, 'nonsense', undefined, 'throw']) {
    const fn = count({ ttl })
    await cache.execute('k', fn)
    await cache.execute('k', fn)
    assert.equal(fn.calls, 2, String(ttl))
  }
  assert.equal(events.length, 2)
  const fn = count({ ttl: 7 })
  await cache.execute('k', fn)
  await clock.pass(6)
  await cache.execute('k', fn)
  assert.equal(fn.calls, 1)
  await clock.pass(1)
  await cache.execute('k', fn)
  assert.equal(fn.calls, 2)
  await cache.execute('for ever', async () => ({ ttl: Infinity }))
  await clock.pass(1e12)
  assert.deepEqual(await cache.get('for ever'), { ttl: null })
})

test('ttlMs 0: shared by who waits, in copies, and not kept', async () => {
  const { cache } = onClock({ ttlMs: 0, staleIfErrorMs: 1000 })
  const fn = manual()
  const calls = [1, 2].map(() => cache.execute('k', fn))
  fn.calls[0].resolve({ a: 1 })
  const [first, second] = await Promise.all(calls)
  assert.notEqual(first, second)
  assert.equal(cache.explain().entries, 0)
})

test('jitter only shortens, and is the same for the same seed', async () => {
  const lives = async seed => {
    const { clock, cache } = onClock({ ttlMs: 1000, jitter: 0.5, seed })
    const begun = clock.now()
    const found = []
    for (let i = 0; i < 40; i++) await cache.execute(`k${i}`, async () => i)
    for (let ms = 0; ms <= 1000; ms += 10) {
      clock.set(begun + ms)
      for (let i = 0; i < 40; i++) {
        if (found[i] === undefined && (await cache.get(`k${i}`)) === undefined) found[i] = ms
      }
    }
    return found
  }
  const some = await lives(1)
  assert.ok(some.every(ms => ms > 500 && ms <= 1000))
  assert.ok(new Set(some).size > 20)
  assert.deepEqual(await lives(1), some)
  assert.notDeepEqual(await lives(2), some)
})

test('a clock that goes back keeps nothing for ever', async () => {
  const { clock, cache } = onClock({ ttlMs: 100 })
  clock.set(10_000)
  const fn = count()
  await cache.execute('k', fn)
  clock.set(9_950)
  assert.equal(await cache.execute('k', fn), 1, 'a little does no harm')
  clock.set(5_000)
  assert.equal(await cache.execute('k', fn), 2)
})

test('what is deleted or set while it is fetched does not come back', async () => {
  const { cache } = onClock()
  const fn = manual()
  const old = cache.execute('k', fn)
  await cache.delete('k')
  fn.calls[0].resolve('before the change')
  assert.equal(await old, 'before the change')
  assert.equal(await cache.get('k'), undefined)
  const other = cache.execute('k', fn)
  await cache.set('k', 'set')
  fn.calls[1].resolve('before the change')
  await other
  assert.equal(await cache.get('k'), 'set')
  await cache.delete('k')
  const third = cache.execute('k', fn)
  cache.clear()
  const after = cache.execute('k', fn)
  assert.equal(fn.calls.length, 4, 'a call after the change does not wait for what began before')
  fn.calls[3].resolve('new')
  fn.calls[2].resolve('old')
  assert.deepEqual(await Promise.all([third, after]), ['old', 'new'])
  assert.equal(await cache.get('k'), 'new')
})

test('update: other times, what is kept stays; wrong ones change nothing', async () => {
  const { clock, cache } = onClock({ ttlMs: 100 })
  await cache.execute('k', async () => 'old')
  assert.throws(() => cache.update({ ttlMs: -1 }), { option: 'ttlMs' })
  cache.update({ staleIfErrorMs: 1000 })
  await clock.pass(99)
  assert.equal(await cache.execute('k', fails), 'old')
  await clock.pass(500)
  assert.equal(await cache.execute('k', fails), 'old')
  await cache.set('new', 1)
  await clock.pass(100)
  assert.equal(await cache.get('new'), undefined, 'the time to live is as it was')
})

test('AsyncLocalStorage: who waits goes on in its own', async () => {
  const { cache } = onClock()
  const storage = new AsyncLocalStorage()
  const fn = manual()
  const seen = ['A', 'B'].map(tenant =>
    storage.run(tenant, async () => {
      await cache.execute('k', fn)
      return storage.getStore()
    }),
  )
  fn.calls[0].resolve(1)
  assert.deepEqual(await Promise.all(seen), ['A', 'B'])
})

test('a listener that throws changes nothing', async () => {
  const { clock, cache } = onClock({ staleWhileRevalidateMs: 50 })
  cache.on('stale', () => {
    throw new Error('listener')
  })
  const listen = () => {}
  process.on('warning', listen)
  await cache.execute('k', async () => 'old')
  await clock.pass(100)
  assert.equal(await cache.execute('k', fails), 'old')
  await turn()
  process.off('warning', listen)
})

test('options are checked', () => {
  const refused = (options, option) =>
    assert.throws(() => new Cache(/** @type {any} */ (options)), { name: 'OptionError', option })
  refused({ ttl: 1 }, 'ttl')
  refused({ ttlMs: '5' }, 'ttlMs')
  refused({ ttlMs: Number.NaN }, 'ttlMs')
  refused({ ttlMs: -1 }, 'ttlMs')
  refused({ staleIfErrorMs: -1 }, 'staleIfErrorMs')
  refused({ staleWhileRevalidateMs: -1 }, 'staleWhileRevalidateMs')
  refused({ jitter: 1.1 }, 'jitter')
  refused({ maxBytes: 0 }, 'maxBytes')
  refused({ maxBytes: 1.5 }, 'maxBytes')
  refused({ serialize: String }, 'serialize')
  refused({ serialize: String, deserialize: String, frozen: true }, 'frozen')
  refused({ type: 'user' }, 'type')
  refused({ version: 2 }, 'version')
  const store = {}
  refused({ store, type: 'user', version: 2, migrate: { from: 2, convert() {} } }, 'migrate.from')
  refused({ store, type: 'user', version: 2, migrate: { from: 1 } }, 'migrate.convert')
})

test('disposed: no further calls, and an engine handle less', async () => {
  const { cache } = onClock({ staleIfErrorMs: 1000 })
  await cache.execute('k', async () => 1)
  const fn = manual()
  const running = cache.execute('other', fn)
  cache[Symbol.dispose]()
  cache[Symbol.dispose]()
  await assert.rejects(cache.execute('k', fails), { code: 'SEAWALL_DISPOSED' })
  fn.calls[0].resolve(5)
  assert.equal(await running, 5)
  assert.equal(cache.explain().entries, 0)
})

test('model: against a plain list of what was stored when', async () => {
  for (let seed = 0; seed < 40; seed++) {
    const draw = random(seed)
    const [ttl, swr, sie] = [100, 50, 120]
    const times = { ttlMs: ttl, staleWhileRevalidateMs: swr, staleIfErrorMs: sie }
    const { clock, cache } = onClock(times)
    clock.set(1e6)
    /** key -> [value, stored] */
    const kept = new Map()
    let made = 0
    for (let step = 0; step < 200; step++) {
      const key = `k${Math.floor(draw() * 3)}`
      const what = draw()
      if (what < 0.5) {
        const broken = draw() < 0.5
        let called = 0
        const fn = async () => {
          called++
          if (broken) throw down
          return ++made
        }
        const [value, stored] = kept.get(key) ?? []
        const age = stored === undefined ? Infinity : Math.abs(clock.now() - stored)
        const answer = await cache.tryExecute(key, fn)
        await turn()
        const where = `seed ${seed}, step ${step}, age ${age}`
        assert.equal(called, age < ttl ? 0 : 1, where)
        if (age < ttl + swr) assert.deepEqual(answer, { ok: true, value }, where)
        else if (!broken) assert.deepEqual(answer, { ok: true, value: made }, where)
        else if (age < ttl + sie) assert.deepEqual(answer, { ok: true, value }, where)
        else assert.deepEqual(answer, { ok: false, error: down }, where)
        // What is good for nothing is forgotten, should the clock go back or not.
        if (age >= ttl + sie) kept.delete(key)
        if (called && !broken) kept.set(key, [made, clock.now()])
      } else if (what < 0.85) await clock.pass(Math.floor(draw() * 90))
      else if (what < 0.9) clock.set(clock.now() - Math.floor(draw() * 150))
      else if (what < 0.95) {
        await cache.delete(key)
        kept.delete(key)
      } else {
        await cache.set(key, ++made)
        kept.set(key, [made, clock.now()])
      }
    }
  }
})

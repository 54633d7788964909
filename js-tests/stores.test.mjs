// @ts-check
// One contract for all stores, then the second level of a cache.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { deserialize, serialize } from 'node:v8'
import { Redis } from 'ioredis'
import Memcached from 'memcached'
import memjs from 'memjs'
import { createClient } from 'redis'
import { Cache, versionedKey } from 'seawall'
import { memcachedStore, memoryStore, redisStore } from 'seawall/stores'
import { spyStore, turn, VirtualClock } from './cache-tools.mjs'
import { memcached, redis, skipped } from './servers.mjs'

const text = stored => stored && Buffer.from(stored.value).toString()
let unique = 0
const newKey = () => `key-${process.pid}-${++unique}`

/** What every store does. `open` answers with the store, how to reach its server and how to close. */
function contract(name, skip, open) {
  describe(name, { skip }, () => {
    /** @type {any} */
    let it
    before(async () => {
      it = await open()
    })
    after(() => it?.close())

    test('set, get, delete', async () => {
      const { store } = it
      const key = newKey()
      assert.equal(await store.get(key), undefined)
      await store.set(key, 'Straße')
      assert.equal(text(await store.get(key)), 'Straße')
      await store.set(key, '')
      assert.equal(text(await store.get(key)), '')
      assert.equal(await store.delete(key), true)
      assert.equal(await store.delete(key), false)
      assert.equal(await store.get(key), undefined)
    })

    test('any bytes come back as they were', async () => {
      const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
      const key = newKey()
      await it.store.set(key, bytes)
      assert.deepEqual([...(await it.store.get(key)).value], [...bytes])
      const part = bytes.subarray(100, 110)
      await it.store.set(key, part)
      assert.deepEqual([...(await it.store.get(key)).value], [...part])
    })

    test('add only where there is none', async () => {
      const key = newKey()
      assert.equal(await it.store.add(key, 'first'), true)
      assert.equal(await it.store.add(key, 'second'), false)
      assert.equal(text(await it.store.get(key)), 'first')
    })

    test('of many who add at once, one does', async () => {
      const key = newKey()
      const added = await Promise.all(
        Array.from({ length: 20 }, (_, i) => it.store.add(key, `${i}`)),
      )
      assert.equal(added.filter(Boolean).length, 1)
      assert.equal(text(await it.store.get(key)), String(added.indexOf(true)))
    })

    test('compareAndSet only what was read', async () => {
      const key = newKey()
      await it.store.set(key, '1')
      const { token } = await it.store.get(key)
      assert.equal(await it.store.compareAndSet(key, token, '2'), true)
      assert.equal(await it.store.compareAndSet(key, token, '3'), false)
      assert.equal(text(await it.store.get(key)), '2')
      const again = await it.store.get(key)
      await it.store.delete(key)
      assert.equal(await it.store.compareAndSet(key, again.token, '4'), false)
      assert.equal(await it.store.get(key), undefined)
    })

    test('no update is lost among many who compare and set', async () => {
      const key = newKey()
      await it.store.set(key, '0')
      const add = async () => {
        for (;;) {
          const { value, token } = await it.store.get(key)
          const next = String(Number(Buffer.from(value).toString()) + 1)
          if (await it.store.compareAndSet(key, token, next)) return
        }
      }
      await Promise.all(Array.from({ length: 10 }, add))
      assert.equal(text(await it.store.get(key)), '10')
    })

    test('values end when they were told to, and others do not', async () => {
      const [set, added, swapped, stays, lasts] = Array.from({ length: 5 }, newKey)
      await it.store.set(set, 'x', it.least)
      await it.store.add(added, 'x', it.least)
      await it.store.set(swapped, 'x')
      await it.store.compareAndSet(swapped, (await it.store.get(swapped)).token, 'y', it.least)
      await it.store.set(stays, 'x', it.least)
      await it.store.set(stays, 'x')
      await it.store.set(lasts, 'x', it.least + 60_000)
      await it.wait(it.least)
      for (const key of [set, added, swapped]) assert.equal(await it.store.get(key), undefined, key)
      for (const key of [stays, lasts]) assert.equal(text(await it.store.get(key)), 'x', key)
      assert.equal(await it.store.add(added, 'again'), true)
    })

    test('an expiry of 40 days is a span and no time of day', async () => {
      const key = newKey()
      await it.store.set(key, 'x', 40 * 24 * 3_600_000)
      assert.equal(text(await it.store.get(key)), 'x')
    })

    test('an expiry that is none is refused', async () => {
      for (const ms of [0, -1, Number.NaN]) {
        const refused = { code: 'SEAWALL_INVALID_OPTION', option: 'expiryMs' }
        await assert.rejects(it.store.set('k', 'x', ms), refused)
        await assert.rejects(it.store.add('k', 'x', ms), refused)
      }
    })

    test('keys of any length and any characters', async () => {
      const keys = [
        'two words',
        'ключ',
        'k'.repeat(250),
        'k'.repeat(251),
        'k'.repeat(5000),
        'a\r\nb',
      ]
      for (const key of keys) await it.store.set(key, key)
      for (const key of keys) assert.equal(text(await it.store.get(key)), key)
      for (const key of keys) assert.equal(await it.store.delete(key), true)
    })

    test('a value of 1,000,000 bytes', async () => {
      const key = newKey()
      const bytes = new Uint8Array(1e6).fill(7)
      await it.store.set(key, bytes)
      assert.equal((await it.store.get(key)).value.length, 1e6)
      await it.store.delete(key)
    })

    test('a server that dies fails calls, and serves again when it is back', async t => {
      if (!it.server) return t.skip('there is none')
      const key = newKey()
      await it.store.set(key, 'x')
      await it.server.kill()
      await assert.rejects(it.store.get(key))
      await assert.rejects(it.store.set(key, 'y'))
      await it.server.start()
      const deadline = Date.now() + 20_000
      for (;;) {
        try {
          await it.store.set(key, 'z')
          break
        } catch (error) {
          if (Date.now() > deadline) throw error
          await sleep(50)
        }
      }
      assert.equal(text(await it.store.get(key)), 'z')
    })

    test('a cache over a server that dies answers all the same', async t => {
      if (!it.server) return t.skip('there is none')
      const failures = []
      const cache = new Cache({ store: it.store, type: 'page', storeTimeoutMs: 2000 })
      cache.on('storeFailed', ({ operation }) => failures.push(operation))
      const key = newKey()
      await cache.set(key, { a: 1 })
      cache.clear()
      assert.deepEqual(await cache.execute(key, () => Promise.reject(new Error('not needed'))), {
        a: 1,
      })
      cache.clear()
      await it.server.kill()
      assert.deepEqual(await cache.execute(key, async () => ({ a: 2 })), { a: 2 })
      assert.ok(failures.includes('get'))
      await it.server.start()
      assert.deepEqual(await cache.execute(key, () => Promise.reject(new Error('kept'))), { a: 2 })
    })
  })
}

contract('memory', false, async () => {
  const clock = new VirtualClock()
  return { store: memoryStore({ clock }), least: 1, wait: ms => clock.pass(ms), close() {} }
})

contract('redis (node-redis)', skipped('redis'), async () => {
  const server = await redis()
  const client = createClient({
    socket: { port: server.port, host: server.host, reconnectStrategy: 50 },
    disableOfflineQueue: true,
  })
  client.on('error', () => {})
  await client.connect()
  const close = async () => {
    client.destroy()
    await server.remove()
  }
  return { server, store: redisStore(client), least: 30, wait: ms => sleep(ms + 30), close }
})

contract('redis (ioredis)', skipped('redis'), async () => {
  const server = await redis()
  const client = new Redis({
    port: server.port,
    host: server.host,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: true,
    retryStrategy: () => 50,
  })
  client.on('error', () => {})
  const close = async () => {
    client.disconnect()
    await server.remove()
  }
  return { server, store: redisStore(client), least: 30, wait: ms => sleep(ms + 30), close }
})

contract('memcached (memjs)', skipped('memcached'), async () => {
  const server = await memcached()
  const logger = { log() {} }
  const options = { retries: 1, timeout: 1, logger }
  const client = memjs.Client.create(`${server.host}:${server.port}`, /** @type {any} */ (options))
  const close = async () => {
    client.close()
    await server.remove()
  }
  const store = memcachedStore(/** @type {any} */ (client))
  return { server, store, least: 1000, wait: ms => sleep(ms + 1100), close }
})

contract('memcached (memcached)', skipped('memcached'), async () => {
  const server = await memcached()
  const waits = { timeout: 1000, reconnect: 100, retry: 50 }
  // It counts failures by a timer that it keeps when it is closed.
  const options = { ...waits, retries: 0, failures: 100, failuresTimeout: 100 }
  const client = new Memcached(`${server.host}:${server.port}`, options)
  const close = async () => {
    client.end()
    await server.remove()
  }
  return { server, store: memcachedStore(client), least: 1000, wait: ms => sleep(ms + 1100), close }
})

test('memcached: too large a value is refused clearly, before it is sent', async () => {
  const asked = []
  const perform = (...args) => asked.push(args)
  const store = memcachedStore({ seq: 0, incrSeq() {}, perform }, { maxValueBytes: 10 })
  const refused = { code: 'SEAWALL_VALUE_TOO_LARGE', message: /"k".* 11 bytes, at most 10/ }
  await assert.rejects(store.set('k', 'x'.repeat(11)), refused)
  await assert.rejects(store.add('k', 'ü'.repeat(6)), { code: 'SEAWALL_VALUE_TOO_LARGE' })
  await assert.rejects(store.compareAndSet('k', undefined, 'x'.repeat(11)), refused)
  assert.equal(asked.length, 0)
})

test('a store in memory is bounded, and nobody changes its values', async () => {
  const store = memoryStore({ maxBytes: 20 })
  for (const key of ['a', 'b', 'c']) await store.set(key, 'x'.repeat(7))
  assert.equal(await store.get('a'), undefined)
  assert.equal(text(await store.get('c')), 'x'.repeat(7))
  await assert.rejects(store.set('d', 'x'.repeat(30)), { code: 'SEAWALL_VALUE_TOO_LARGE' })
  const bytes = new Uint8Array(3)
  await store.set('e', bytes)
  bytes[0] = 1
  const first = await store.get('e')
  assert.deepEqual([...(first?.value ?? [])], [0, 0, 0])
  assert.throws(() => memoryStore({ maxBytes: 0 }), { option: 'maxBytes' })
})

test('clients that are none are refused', () => {
  for (const client of [undefined, null, {}, { get() {} }]) {
    const refused = { name: 'OptionError', option: 'client' }
    assert.throws(() => redisStore(/** @type {any} */ (client)), refused)
    assert.throws(() => memcachedStore(/** @type {any} */ (client)), refused)
  }
})

test('versioned keys', () => {
  assert.equal(versionedKey('account-info', 1, '7'), 'account-info-v1-7')
  assert.throws(() => versionedKey('a', 1.5, '7'), { option: 'version' })
  assert.throws(() => versionedKey('a', -1, '7'), { option: 'version' })
})

const fails = () => Promise.reject(new Error('down'))

/** A cache over a store, as one process has it. */
function process1(store, options = {}, clock = new VirtualClock(), wall = { now: 1e12 }) {
  /** @type {any[]} */
  const events = []
  const cache = new Cache({ store, clock, wallNow: () => wall.now, ttlMs: 1000, ...options })
  for (const name of ['stale', 'refreshFailed', 'storeFailed', 'refused']) {
    cache.on(/** @type {any} */ (name), event => events.push({ name, ...event }))
  }
  const pass = async ms => {
    wall.now += ms
    await clock.pass(ms)
  }
  return { cache, events, clock, wall, pass }
}

test('two levels: the store serves other processes, with the age of the value', async () => {
  const store = spyStore()
  const one = process1(store)
  await one.cache.execute('k', async () => ({ a: 1 }))
  await turn()
  assert.deepEqual(store.asked, ['get k', 'set k'])
  assert.equal(store.items.get('k').expiryMs, 1000)
  const two = process1(store, {}, new VirtualClock(5e6), { now: one.wall.now + 600 })
  assert.deepEqual(await two.cache.execute('k', fails), { a: 1 })
  assert.deepEqual(await two.cache.execute('k', fails), { a: 1 })
  assert.equal(store.asked.length, 3, 'memory before store')
  await two.pass(399)
  assert.deepEqual(await two.cache.execute('k', fails), { a: 1 })
  await two.pass(1)
  await assert.rejects(two.cache.execute('k', fails), /down/)
  assert.deepEqual(two.cache.explain().storeHits, 1)
})

test('a stale value of the store: at once, and fetched anew behind it', async () => {
  const store = spyStore()
  const times = { staleWhileRevalidateMs: 500, staleIfErrorMs: 5000 }
  const one = process1(store, times)
  await one.cache.execute('k', async () => 'old')
  await turn()
  assert.equal(store.items.get('k').expiryMs, 6000)
  const two = process1(store, times, undefined, { now: one.wall.now + 1200 })
  assert.equal(await two.cache.execute('k', async () => 'new'), 'old')
  await turn()
  await turn()
  assert.equal(await two.cache.execute('k', fails), 'new')
  const three = process1(store, times, undefined, { now: two.wall.now + 3000 })
  assert.equal(await three.cache.execute('k', fails), 'new', 'on error')
  assert.equal(three.events[0].cause.message, 'down')
})

test('a store that is down makes no call fail', async () => {
  const store = spyStore()
  store.broken = true
  const { cache, events } = process1(store)
  assert.equal(await cache.execute('k', async () => 1), 1)
  assert.equal(await cache.execute('k', fails), 1)
  assert.equal(await cache.set('k', 2), false)
  assert.equal(await cache.get('k'), 2, 'memory has it')
  assert.equal(await cache.delete('k'), false, 'whoever deletes must know')
  assert.equal(await cache.get('k'), undefined)
  await turn()
  const operations = events.map(({ operation }) => operation)
  assert.deepEqual(operations, ['get', 'set', 'set', 'delete', 'get'])
  assert.equal(cache.explain().storeFailures, 5)
})

test('a store that hangs is waited for as long as it was given', async () => {
  const store = spyStore()
  store.hanging = true
  const { cache, clock, events } = process1(store, { storeTimeoutMs: 80 })
  const call = cache.execute('k', async () => 1)
  await clock.pass(80)
  assert.equal(await call, 1)
  assert.equal(events[0].error.code, 'SEAWALL_TIMEOUT')
  await clock.pass(80)
  assert.equal(clock.timers.size, 0)
})

test('what somebody else put into the store is not taken for a value', async () => {
  const store = spyStore()
  const { cache, events } = process1(store)
  for (const value of ['', 'x', '{"a":1}', 'seawall1 x y t\n5', 'seawall1 1000000000000 5']) {
    await store.set('k', value)
    cache.clear()
    assert.equal(await cache.execute('k', async () => 'fetched'), 'fetched')
  }
  cache.clear()
  await store.set('k', 'seawall1 1000000000000 1000 t\n{broken')
  assert.equal(await cache.execute('k', async () => 'fetched'), 'fetched')
  assert.equal(events.filter(({ name }) => name === 'refused').length, 1)
})

test('bytes and frozen values pass through the store', async () => {
  const value = { when: new Date(5), list: [1n] }
  const store = spyStore()
  const bytes = { serialize, deserialize }
  await process1(store, bytes).cache.set('k', value)
  assert.deepEqual(await process1(store, bytes).cache.execute('k', fails), value)
  await process1(store, { frozen: true }).cache.set('f', { list: [1] })
  const found = await process1(store, { frozen: true }).cache.execute('f', fails)
  assert.throws(() => found.list.push(2), TypeError)
})

test('versions live side by side', async () => {
  const store = spyStore()
  const old = process1(store, { type: 'user', version: 1 })
  const present = process1(store, { type: 'user', version: 2 })
  await old.cache.set('7', { name: 'Ada L' })
  await present.cache.execute('7', async () => ({ first: 'Ada' }))
  await turn()
  assert.deepEqual([...store.items.keys()], ['user-v1-7', 'user-v2-7'])
  old.cache.clear()
  assert.deepEqual(await old.cache.execute('7', fails), { name: 'Ada L' })
})

test('migration on read: an old entry is converted and written back with its age', async () => {
  const store = spyStore()
  const old = process1(store, { type: 'user', version: 1 })
  await old.cache.set('7', { name: 'Ada Lovelace' })
  const asked = []
  const migrate = {
    from: 1,
    convert: (value, version) => {
      asked.push(version)
      const [first, last] = value.name.split(' ')
      return { first, last }
    },
  }
  const options = { type: 'user', version: 3, migrate }
  const present = process1(store, options, undefined, { now: old.wall.now + 400 })
  const converted = { first: 'Ada', last: 'Lovelace' }
  assert.deepEqual(await present.cache.execute('7', fails), converted)
  assert.deepEqual(asked, [1])
  await turn()
  assert.equal(store.items.get('user-v3-7').expiryMs, 600)
  const next = process1(store, options, undefined, { now: present.wall.now + 599 })
  assert.deepEqual(await next.cache.execute('7', fails), converted)
  assert.deepEqual(asked, [1], 'converted once')
  await next.pass(1)
  await assert.rejects(next.cache.execute('7', fails))
})

test('migration does not overwrite what is newer, nor bring back what was deleted', async () => {
  const store = spyStore()
  const convert = value => ({ ...value, two: true })
  const options = { type: 'user', version: 2, migrate: { from: 1, convert } }
  const old = process1(store, { type: 'user', version: 1 })
  const present = process1(store, options)
  await old.cache.set('7', { old: true })
  assert.deepEqual(await present.cache.execute('7', fails), { old: true, two: true })
  await turn()
  assert.ok(store.asked.includes('add user-v2-7'))
  await present.cache.delete('7')
  assert.equal(store.items.size, 0)
  await assert.rejects(present.cache.execute('7', fails))
})

test('a conversion that throws is a miss', async () => {
  const store = spyStore()
  await process1(store, { type: 'user', version: 1 }).cache.set('7', 'old')
  const convert = () => {
    throw new Error('too old')
  }
  const { cache, events } = process1(store, {
    type: 'user',
    version: 2,
    migrate: { from: 1, convert },
  })
  assert.equal(await cache.execute('7', async () => 'new'), 'new')
  assert.equal(events[0].error.message, 'too old')
})

test('a clock of another process that is ahead keeps nothing for ever', async () => {
  const store = spyStore()
  const ahead = process1(store, {}, undefined, { now: 1e12 + 3_600_000 })
  await ahead.cache.set('k', 'from the future')
  const here = process1(store)
  assert.equal(await here.cache.execute('k', async () => 'here'), 'here')
  const little = process1(store, {}, undefined, { now: 1e12 - 500 })
  assert.equal(await little.cache.execute('k', fails), 'here')
})

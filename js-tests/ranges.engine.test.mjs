// Numbers out of range are refused by every engine, and in the same words.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  BreakerRegistry,
  Cache,
  Coalescer,
  OptionError,
  PolicyRegistry,
  policy,
  randomExit,
} from 'seawall'
import { idempotency } from 'seawall/idempotency'
import { memoryStore } from 'seawall/stores'

const store = memoryStore()
const convert = value => value
const versioned = { store, type: 'user', version: 2 }

const makers = {
  BreakerRegistry: options => new BreakerRegistry(options),
  Cache: options => new Cache(options),
  Coalescer: options => new Coalescer(options),
  PolicyRegistry: options => new PolicyRegistry({ policy: {}, ...options }),
  idempotency: options => idempotency(options),
  memoryStore: options => memoryStore(options),
  policy: options => policy(options),
  randomExit: options => randomExit(options),
}

/** Who refuses what, and what it must be. */
const bad = [
  ['Cache', { maxBytes: 0 }, 'maxBytes', 'a whole number of at least 1, got 0'],
  ['Cache', { maxBytes: -1 }, 'maxBytes', 'a whole number of at least 1, got -1'],
  ['Cache', { maxBytes: 0.5 }, 'maxBytes', 'a whole number, got 0.5'],
  ['Cache', { store, storeTimeoutMs: 0 }, 'storeTimeoutMs', 'a number above 0, got 0'],
  ['Cache', { ...versioned, version: -1 }, 'version', 'a whole number of at least 0, got -1'],
  ['Cache', { ...versioned, migrate: { from: 2, convert } }, 'migrate.from', 'at most 1, got 2'],
  [
    'Cache',
    { ...versioned, migrate: { from: -1, convert } },
    'migrate.from',
    'a whole number of at least 0, got -1',
  ],
  ['Cache', { ttlMs: -1 }, 'ttlMs', 'a number of at least 0, got -1'],
  ['memoryStore', { maxBytes: 0 }, 'maxBytes', 'a whole number of at least 1, got 0'],
  ['Coalescer', { maxKeys: 0 }, 'maxKeys', 'a whole number of at least 1, got 0'],
  ['Coalescer', { maxKeys: 1.5 }, 'maxKeys', 'a whole number of at least 1, got 1.5'],
  [
    'Coalescer',
    { maxKeys: Number.NEGATIVE_INFINITY },
    'maxKeys',
    'a whole number of at least 1, got -Infinity',
  ],
  ['Coalescer', { joinWithinMs: -1 }, 'joinWithinMs', 'a number of at least 0, got -1'],
  ['policy', { log: -1 }, 'log', 'a whole number of at least 0, got -1'],
  ['policy', { log: 10_000_001 }, 'log', 'at most 10000000, got 10000001'],
  ['policy', { log: 1e12 }, 'log', 'at most 10000000, got 1000000000000'],
  ['PolicyRegistry', { max: 0 }, 'max', 'a whole number of at least 1, got 0'],
  ['PolicyRegistry', { max: -1 }, 'max', 'a whole number of at least 1, got -1'],
  ['PolicyRegistry', { max: 2 ** 32 }, 'max', 'at most 4294967295, got 4294967296'],
  ['PolicyRegistry', { idleMs: 0 }, 'idleMs', 'a number above 0, got 0'],
  ['BreakerRegistry', { max: 0 }, 'max', 'a whole number of at least 1, got 0'],
  ['BreakerRegistry', { max: 2 ** 32 }, 'max', 'at most 4294967295, got 4294967296'],
  ['BreakerRegistry', { idleMs: -1 }, 'idleMs', 'a number above 0, got -1'],
  ['idempotency', { storeTimeoutMs: 0 }, 'storeTimeoutMs', 'a number above 0, got 0'],
  ['idempotency', { storeTimeoutMs: -5 }, 'storeTimeoutMs', 'a number above 0, got -5'],
  ['randomExit', { longestMs: -1 }, 'longestMs', 'a number of at least 0, got -1'],
]

for (const [who, options, option, must] of bad) {
  test(`${who}: ${option} must be ${must}`, () => {
    assert.throws(
      () => makers[who](options),
      error => {
        assert.ok(error instanceof OptionError)
        assert.equal(error.message, `${who}: \`${option}\` must be ${must}`)
        assert.equal(error.option, option)
        return true
      },
    )
  })
}

test('inside a policy the parts refuse the same', () => {
  assert.throws(() => policy({ coalesce: { maxKeys: 0 } }), { option: 'maxKeys' })
  assert.throws(() => policy({ cache: { maxBytes: 0 } }), { option: 'maxBytes' })
})

test('the ends of the ranges are inside', () => {
  const shared = new Coalescer({
    maxKeys: Number.POSITIVE_INFINITY,
    joinWithinMs: Number.POSITIVE_INFINITY,
  })
  assert.equal(shared.explain().maxKeys, Number.POSITIVE_INFINITY)
  assert.equal(new Coalescer({ maxKeys: 1, joinWithinMs: 0 }).explain().maxKeys, 1)
  assert.equal(new Coalescer().explain().maxKeys, 10_000)
  assert.equal(new Cache().explain().maxBytes, 16_777_216)
  assert.equal(new Cache({ maxBytes: 1 }).explain().maxBytes, 1)
  assert.equal(new Cache({ maxBytes: 2 ** 40 }).explain().maxBytes, 2 ** 40)
  new Cache({ ...versioned, migrate: { from: 1, convert } })[Symbol.dispose]()
  new Cache({ ...versioned, version: 0 })[Symbol.dispose]()
  policy({ log: 0 })[Symbol.dispose]()
  idempotency({ storeTimeoutMs: 0.001 })[Symbol.dispose]()
  randomExit({ longestMs: 0 }).stop()
  for (const idleMs of [0.5, Number.POSITIVE_INFINITY]) {
    const keys = new PolicyRegistry({ policy: {}, idleMs })
    assert.equal(keys.get('a'), keys.get('a'))
    keys[Symbol.dispose]()
  }
})

test('a registry with room for all there can be takes no memory for it', () => {
  const keys = new PolicyRegistry({ policy: {}, max: 2 ** 32 - 1 })
  keys.get('a')
  assert.equal(keys.size, 1)
  keys[Symbol.dispose]()
})

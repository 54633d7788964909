// A breaker for each key, bounded in number.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BreakerRegistry, CircuitBreaker } from 'seawall'

const fail = () => {
  throw new Error('down')
}

test('a key is one breaker', async () => {
  const registry = new BreakerRegistry({ breaker: { threshold: 1 } })
  assert.equal(registry.get('a'), registry.get('a'))
  assert.notEqual(registry.get('a'), registry.get('b'))
  await registry.execute('a', fail).catch(() => {})
  assert.ok(registry.get('a').isOpen())
  assert.ok(registry.get('b').isClosed())
  assert.deepEqual(
    Array.from(registry, ([key]) => key),
    ['a', 'b'],
  )
})

test('200,000 keys stay within the cap; the one in use and the open one stay', async () => {
  const gone = new Set()
  const registry = new BreakerRegistry({
    max: 50,
    breaker: { threshold: 1 },
    onEvict: key => gone.add(key),
  })
  await registry.execute('open', fail).catch(() => {})
  for (let i = 0; i < 200_000; i++) {
    registry.get(`key ${i}`)
    if (i % 20 === 0) await registry.execute('hot', () => i)
    assert.ok(registry.size <= 50)
  }
  assert.equal(gone.size, 200_002 - 50)
  assert.ok(!gone.has('open') && !gone.has('hot'))
})

test('idle breakers go as others come', context => {
  let now = 0
  context.mock.method(performance, 'now', () => now)
  const registry = new BreakerRegistry({ idleMs: 1000 })
  for (let i = 0; i < 10; i++) registry.get(`old ${i}`)
  now = 2000
  for (let i = 0; i < 10; i++) registry.get(`new ${i}`)
  assert.equal(registry.size, 10)
  assert.ok(!registry.has('old 3'))
})

test('a breaker that was let go works on, and its key gets a new one', async () => {
  const registry = new BreakerRegistry({ max: 1 })
  const first = registry.get('a')
  registry.get('b')
  assert.equal(await first.execute(() => 1), 1)
  assert.notEqual(registry.get('a'), first)
  assert.ok(registry.delete('a'))
  assert.ok(!registry.delete('a'))
  assert.equal(registry.size, 0)
})

test('options may depend on the key, and a name makes each known to the process', () => {
  const registry = new BreakerRegistry({ breaker: key => ({ threshold: key.length }) })
  assert.ok(registry.get('abc') instanceof CircuitBreaker)
  const named = new BreakerRegistry({ breaker: { name: 'host', threshold: 7 } })
  assert.equal(named.get('x').name, 'host:x')
  assert.throws(() => new CircuitBreaker({ name: 'host:x' }), {
    code: 'SEAWALL_INVALID_OPTION',
    option: 'name',
  })
})

test('an onEvict that throws changes nothing', async () => {
  const warned = new Promise(resolve => process.once('warning', resolve))
  const registry = new BreakerRegistry({ max: 1, onEvict: fail })
  registry.get('a')
  assert.ok(registry.get('b'))
  assert.equal((await warned).name, 'SeawallWarning')
})

test('bad options', () => {
  const bad = (options, message) =>
    assert.throws(() => new BreakerRegistry(options), { code: 'SEAWALL_INVALID_OPTION', message })
  bad({ max: 0 }, 'BreakerRegistry: `max` must be a whole number of at least 1, got 0')
  bad({ max: 1.5 }, 'BreakerRegistry: `max` must be a whole number of at least 1, got 1.5')
  bad({ idleMs: 0 }, 'BreakerRegistry: `idleMs` must be a number above 0, got 0')
  bad({ idle: 5 }, /unknown option `idle`/)
  bad(
    { breaker: { treshold: 1 } },
    'CircuitBreaker: unknown option `treshold`; did you mean `threshold`?',
  )
})

test('used after disposal', () => {
  const registry = new BreakerRegistry()
  registry[Symbol.dispose]()
  registry[Symbol.dispose]()
  assert.throws(() => registry.get('a'), { code: 'SEAWALL_DISPOSED' })
})

// Bulkheads and priorities: traps by name, and what a caller sees.
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { getEventListeners } from 'node:events'
import { test as plainTest } from 'node:test'
import { Bulkhead, OptionError, Priorities, RejectedError } from 'seawall'
import { outcome, warnings } from './breaker-tools.mjs'

/** A test that ends, also where a call hangs that must not. */
const test = (name, options, act = options) => plainTest(name, { timeout: 60_000, ...options }, act)

/** Time and timers that are moved by hand. */
class TimerClock {
  time = 0
  timers = new Set()

  now() {
    return this.time
  }

  setTimer(fn, ms) {
    const timer = { fn, at: this.time + ms }
    this.timers.add(timer)
    return timer
  }

  clearTimer(timer) {
    this.timers.delete(timer)
  }

  async pass(ms) {
    this.time += ms
    for (const timer of [...this.timers].sort((a, b) => a.at - b.at)) {
      if (timer.at > this.time || !this.timers.delete(timer)) continue
      timer.fn()
    }
    await settled()
  }
}

const settled = () => new Promise(resolve => setImmediate(resolve))

/** Calls that begin when the bulkhead lets them and end when they are told to. */
function calls(bulkhead) {
  const begun = []
  let running = 0
  let most = 0
  const open = new Map()
  const start = (name, options) => {
    const end = Promise.withResolvers()
    open.set(name, end)
    const result = outcome(
      bulkhead.execute(async context => {
        begun.push(name)
        running++
        most = Math.max(most, running)
        try {
          return await end.promise.then(value => value ?? context.attempt)
        } finally {
          running--
        }
      }, options),
    )
    return result
  }
  return {
    start,
    begun,
    end: async (name, value = name) => {
      open.get(name).resolve(value)
      await settled()
    },
    fail: async (name, error) => {
      open.get(name).reject(error)
      await settled()
    },
    get most() {
      return most
    },
  }
}

test('so many run and no more, the rest in the order they came', async () => {
  const bulkhead = new Bulkhead({ maxConcurrent: 2, maxQueue: 3 })
  const { start, begun, end, fail } = calls(bulkhead)
  const results = ['a', 'b', 'c', 'd', 'e'].map(name => start(name))
  const { error } = await start('f')
  assert.ok(error instanceof RejectedError)
  assert.deepEqual(
    [error.code, error.rule, error.message],
    ['SEAWALL_BULKHEAD_FULL', 'full', 'Bulkhead is full'],
  )
  assert.deepEqual(error.counts, { running: 2, queued: 3, limit: 2, maxQueue: 3 })
  assert.deepEqual(begun, ['a', 'b'])
  await end('b')
  assert.deepEqual(begun, ['a', 'b', 'c'])
  await fail('a', new Error('a call that fails gives its place back'))
  await end('c')
  assert.deepEqual(begun, ['a', 'b', 'c', 'd', 'e'])
  await end('d')
  await end('e')
  const [, b, c] = await Promise.all(results)
  assert.deepEqual([b, c], [{ value: 'b' }, { value: 'c' }])
  assert.equal(bulkhead.explain().running, 0)
})

test('without a queue a call runs or is refused', async () => {
  const bulkhead = new Bulkhead({ maxConcurrent: 1, name: 'reports' })
  const { start, end } = calls(bulkhead)
  const first = start('a')
  const { error } = await start('b')
  assert.deepEqual(
    [error.rule, error.policy, error.stack],
    ['full', 'reports', `RejectedError: ${error.message}`],
  )
  const refused = await bulkhead.tryExecute(async () => 1)
  assert.deepEqual([refused.ok, refused.error.rule], [false, 'full'])
  await end('a')
  assert.deepEqual(await first, { value: 'a' })
  assert.deepEqual(await bulkhead.tryExecute(async () => 1), { ok: true, value: 1 })
})

test('a newcomer never overtakes and a queued call is never refused for it', async () => {
  const bulkhead = new Bulkhead({ maxConcurrent: 1, maxQueue: 1 })
  const order = []
  const job = name => async () => {
    order.push(name)
    await null
  }
  const first = bulkhead.execute(job('first'))
  const queued = bulkhead.execute(job('queued'))
  // Comes in the very microtask in which the place becomes free, and in those around it.
  const newcomers = []
  const come = i => {
    newcomers.push(outcome(bulkhead.execute(job(`newcomer ${i}`))))
    if (i < 8) queueMicrotask(() => come(i + 1))
  }
  come(0)
  await Promise.all([first, queued])
  const results = await Promise.all(newcomers)
  assert.deepEqual(order.slice(0, 2), ['first', 'queued'])
  for (const { error } of results) if (error) assert.equal(error.rule, 'full')
})

test('an aborted call leaves the queue at once, at its own reason', async () => {
  const bulkhead = new Bulkhead({ maxConcurrent: 1, maxQueue: 2 })
  const { start, begun, end } = calls(bulkhead)
  start('a')
  const controller = new AbortController()
  const { signal } = controller
  const aborted = start('b', { signal })
  start('c')
  assert.equal((await start('d')).error.rule, 'full')
  const reason = new Error('the user went away')
  controller.abort(reason)
  assert.equal(bulkhead.explain().queued, 1)
  start('e')
  assert.equal((await aborted).error, reason)
  assert.equal(getEventListeners(signal, 'abort').length, 0)
  await end('a')
  await end('c')
  assert.deepEqual(begun, ['a', 'c', 'e'])
  await end('e')
  const { totals, running, queued } = bulkhead.explain()
  assert.deepEqual([totals.aborted, totals.queued, running, queued], [1, 3, 0, 0])
})

test('the last who waited aborts: newcomers begin again', async () => {
  const bulkhead = new Bulkhead({ maxConcurrent: 2, maxQueue: 1 })
  const { start, begun, end } = calls(bulkhead)
  start('a')
  start('b')
  const controller = new AbortController()
  const gone = start('c', { signal: controller.signal })
  controller.abort()
  await end('a')
  start('d')
  assert.deepEqual(begun, ['a', 'b', 'd'])
  assert.equal((await gone).error.name, 'AbortError')
})

test('a signal aborted before: not called, not queued', async () => {
  const bulkhead = new Bulkhead({ maxConcurrent: 1, maxQueue: 1 })
  const signal = AbortSignal.abort('over')
  assert.deepEqual(await outcome(bulkhead.execute(assert.fail, { signal })), { error: 'over' })
  assert.deepEqual(await outcome(bulkhead.acquire({ signal })), { error: 'over' })
  assert.deepEqual(bulkhead.explain().running, 0)
})

test("aborted in the moment its turn comes: not called, the place is the next one's", async () => {
  const bulkhead = new Bulkhead({ maxConcurrent: 1, maxQueue: 3 })
  const { start, begun } = calls(bulkhead)
  const controller = new AbortController()
  const { signal } = controller
  const permit = await bulkhead.acquire()
  const late = start('late', { signal })
  const held = outcome(bulkhead.acquire({ signal }))
  start('next')
  permit.release()
  controller.abort('too late')
  assert.deepEqual(await Promise.all([late, held]), [{ error: 'too late' }, { error: 'too late' }])
  await settled()
  assert.deepEqual([begun, bulkhead.explain().running], [['next'], 1])
})

test('a place is free when the function has ended, not when its caller gave up', async () => {
  const bulkhead = new Bulkhead({ maxConcurrent: 2 })
  const { start, end } = calls(bulkhead)
  const controller = new AbortController()
  start('deaf', { signal: controller.signal })
  start('b')
  controller.abort()
  await settled()
  assert.equal(bulkhead.explain().running, 2)
  for (let i = 0; i < 20; i++) assert.equal((await start(`more ${i}`)).error.rule, 'full')
  await end('deaf')
  assert.equal(bulkhead.explain().running, 1)
})

test('listeners are gone from a signal that many calls share', async () => {
  const bulkhead = new Bulkhead({ maxConcurrent: 1, maxQueue: 100, queueTimeoutMs: 60_000 })
  const { signal } = new AbortController()
  const listeners = () => getEventListeners(signal, 'abort').length
  const all = Array.from({ length: 100 }, (_, i) =>
    bulkhead.execute(
      async context => {
        assert.equal(context.signal.aborted, false)
        if (i % 2) throw new Error('odd')
      },
      { signal },
    ),
  )
  assert.equal(listeners(), 100)
  await Promise.allSettled(all)
  assert.equal(listeners(), 0)
})

test('a call that waits runs in the AsyncLocalStorage context of its own caller', async () => {
  const storage = new AsyncLocalStorage()
  const bulkhead = new Bulkhead({ maxConcurrent: 1, maxQueue: 10 })
  const seen = []
  const tenants = ['a', 'b', 'c', 'd']
  const all = tenants.map(tenant =>
    storage.run(tenant, async () => {
      await bulkhead.execute(async () => {
        await null
        seen.push(storage.getStore())
      })
      seen.push(`${storage.getStore()} after`)
    }),
  )
  const permits = tenants.map(tenant =>
    storage.run(tenant, async () => {
      const permit = await bulkhead.acquire()
      await null
      seen.push(`${storage.getStore()} by hand`)
      permit[Symbol.dispose]()
    }),
  )
  await Promise.all([...all, ...permits])
  for (const suffix of ['', ' after', ' by hand']) {
    const wanted = tenants.map(tenant => tenant + suffix)
    assert.deepEqual(
      seen.filter(name => wanted.includes(name)),
      wanted,
    )
  }
})

test('who waits too long is refused, by one timer that is there while somebody waits', async () => {
  const clock = new TimerClock()
  const bulkhead = new Bulkhead({ maxConcurrent: 1, maxQueue: 5, queueTimeoutMs: 100, clock })
  const { start, begun, end } = calls(bulkhead)
  start('a')
  assert.equal(clock.timers.size, 0)
  const b = start('b')
  await clock.pass(60)
  const c = start('c')
  assert.equal(clock.timers.size, 1)
  assert.deepEqual(
    [bulkhead.explain().oldestWaitMs, bulkhead.explain().expiresInMs, bulkhead.explain().outlook],
    [60, 40, 'queue'],
  )
  await clock.pass(40)
  const { error } = await b
  assert.deepEqual([error.code, error.rule], ['SEAWALL_BULKHEAD_FULL', 'queueTimeout'])
  assert.equal(error.counts.queueTimeoutMs, 100)
  assert.equal(clock.timers.size, 1)
  await end('a')
  assert.deepEqual([begun, clock.timers.size], [['a', 'c'], 0])
  const d = start('d')
  await clock.pass(99)
  assert.equal(bulkhead.explain().queued, 1)
  await clock.pass(1)
  assert.equal((await d).error.rule, 'queueTimeout')
  await end('c')
  assert.deepEqual([await c, clock.timers.size], [{ value: 'c' }, 0])
  assert.equal(bulkhead.explain().totals.queueTimeout, 2)
})

test('a timer that is late lets nobody in who has waited too long', async () => {
  const clock = new TimerClock()
  const bulkhead = new Bulkhead({ maxConcurrent: 1, maxQueue: 1, queueTimeoutMs: 100, clock })
  const { start, begun, end } = calls(bulkhead)
  start('a')
  const b = start('b')
  // The loop was blocked: time has passed and no timer fired.
  clock.time = 100
  const c = start('c')
  assert.equal((await b).error.rule, 'queueTimeout')
  clock.time = 200
  await end('a')
  assert.equal((await c).error.rule, 'queueTimeout')
  assert.deepEqual([begun, clock.timers.size, bulkhead.explain().running], [['a'], 0, 0])
  start('d')
  assert.deepEqual(begun, ['a', 'd'])
})

test('a timer that is early by the clock proves its time all the same', async () => {
  const clock = new TimerClock()
  const bulkhead = new Bulkhead({ maxConcurrent: 1, maxQueue: 1, queueTimeoutMs: 100, clock })
  const { start } = calls(bulkhead)
  start('a')
  const b = start('b')
  const [timer] = clock.timers
  clock.time = 99.9
  clock.timers.delete(timer)
  timer.fn()
  assert.equal((await b).error.rule, 'queueTimeout')
  assert.equal(clock.timers.size, 0)
})

test('acquire: aborted between the end of the wait and the caller, the place is free again', async () => {
  const bulkhead = new Bulkhead({ maxConcurrent: 1, maxQueue: 1 })
  const held = await bulkhead.acquire()
  const controller = new AbortController()
  const waiting = bulkhead.acquire({ signal: controller.signal })
  held.release()
  controller.abort(new Error('gone'))
  await assert.rejects(waiting, /gone/)
  assert.equal(bulkhead.explain().running, 0)
})

test('while nobody waits, the end of a call does not ask who is next', async () => {
  let looks = 0
  const clock = new TimerClock()
  const now = clock.now.bind(clock)
  clock.now = () => {
    looks++
    return now()
  }
  const bulkhead = new Bulkhead({ maxConcurrent: 2, maxQueue: 1, clock })
  const before = looks
  await Promise.all([1, 2].map(name => bulkhead.execute(async () => name)))
  assert.equal(looks, before)
})

test('update keeps what runs and waits; growing lets in at once', async () => {
  const clock = new TimerClock()
  const bulkhead = new Bulkhead({ maxConcurrent: 1, maxQueue: 4, clock })
  const { start, begun, end } = calls(bulkhead)
  const results = ['a', 'b', 'c', 'd'].map(name => start(name))
  bulkhead.update({ maxConcurrent: 3 })
  await settled()
  assert.deepEqual(begun, ['a', 'b', 'c'])
  bulkhead.update({ maxConcurrent: 1, maxQueue: 0 })
  assert.equal((await start('e')).error.counts.maxQueue, 0)
  assert.deepEqual([bulkhead.explain().running, bulkhead.explain().queued], [3, 1])
  await end('a')
  await end('b')
  assert.deepEqual(begun, ['a', 'b', 'c'])
  assert.equal(clock.timers.size, 0)
  bulkhead.update({ queueTimeoutMs: 50 })
  assert.equal(clock.timers.size, 1)
  bulkhead.update({ queueTimeoutMs: 20, maxQueue: undefined })
  await clock.pass(20)
  assert.equal((await results[3]).error.rule, 'queueTimeout')
  await end('c')
  assert.equal(bulkhead.explain().running, 0)
  bulkhead.update({ queueTimeoutMs: Number.POSITIVE_INFINITY })
  assert.equal(bulkhead.explain().queueTimeoutMs, undefined)
  assert.throws(() => bulkhead.update({ maxConcurrent: 0 }), {
    message: 'Bulkhead: `maxConcurrent` must be a whole number of at least 1, got 0',
  })
  assert.throws(() => bulkhead.update({ name: 'other' }), OptionError)
  assert.equal(bulkhead.explain().maxConcurrent, 1)
})

test('permits: once back is back', async () => {
  const bulkhead = new Bulkhead({ maxConcurrent: 1, maxQueue: 2 })
  const first = await bulkhead.acquire()
  const second = bulkhead.acquire()
  const third = bulkhead.acquire()
  assert.equal((await outcome(bulkhead.acquire())).error.rule, 'full')
  first.release()
  first.release()
  first[Symbol.dispose]()
  const held = await second
  assert.deepEqual([bulkhead.explain().running, bulkhead.explain().queued], [1, 1])
  held[Symbol.dispose]()
  ;(await third).release()
  assert.equal(bulkhead.explain().running, 0)
})

test('functions that throw, answer thenables or values, or call the bulkhead again', async () => {
  const bulkhead = new Bulkhead({ maxConcurrent: 2, maxQueue: 2 })
  const error = new Error('thrown')
  const throwing = () => {
    throw error
  }
  for (const options of [undefined, {}]) {
    assert.deepEqual(await outcome(bulkhead.execute(throwing, options)), { error })
    assert.equal(await bulkhead.execute(() => 5, options), 5)
    // biome-ignore lint/suspicious/noThenProperty: what is tested
    assert.equal(await bulkhead.execute(() => ({ then: done => done(6) }), options), 6)
    assert.equal(await bulkhead.execute(() => bulkhead.execute(async () => 7), options), 7)
  }
  assert.equal(bulkhead.explain().running, 0)
})

test('a function is told of its call', async () => {
  const bulkhead = new Bulkhead({ maxConcurrent: 1, maxQueue: 1 })
  const look = context => {
    assert.equal(context.signal, context.signal)
    assert.equal(context.remaining() > 0, true)
    return [context.attempt, context.deadline, context.signal.aborted]
  }
  assert.deepEqual(await bulkhead.execute(look), [1, Number.POSITIVE_INFINITY, false])
  const controller = new AbortController()
  const options = { deadline: 1e9, signal: controller.signal }
  assert.deepEqual(await bulkhead.execute(look, options), [1, 1e9, false])
  const rest = (...args) => args[0].attempt
  assert.equal(await bulkhead.execute(rest), 1)
})

test('listeners hear of it, and what they throw changes nothing', async () => {
  const bulkhead = new Bulkhead({ maxConcurrent: 1, maxQueue: 1 })
  const heard = []
  bulkhead.on('queued', ({ queued }) => heard.push(`queued ${queued}`))
  const stop = bulkhead.on('rejected', ({ error, bulkhead: self }) => {
    heard.push(error.rule)
    assert.equal(self, bulkhead)
    throw new Error('a listener that throws')
  })
  const { start, end } = calls(bulkhead)
  const said = await warnings(async () => {
    start('a')
    const b = start('b')
    assert.equal((await start('c')).error.rule, 'full')
    stop()
    assert.equal((await start('d')).error.rule, 'full')
    await end('a')
    await end('b')
    assert.deepEqual(await b, { value: 'b' })
  })
  assert.deepEqual(heard, ['queued 1', 'full'])
  assert.match(said.join(), /^Bulkhead: a listener of 'rejected' threw/)
})

test('a listener that disposes of the bulkhead in the midst of it', async () => {
  const clock = new TimerClock()
  const bulkhead = new Bulkhead({ maxConcurrent: 1, maxQueue: 3, queueTimeoutMs: 10, clock })
  const { start, end } = calls(bulkhead)
  start('a')
  const waiting = ['b', 'c', 'd'].map(name => start(name))
  bulkhead.on('rejected', () => bulkhead[Symbol.dispose]())
  await clock.pass(10)
  const errors = (await Promise.all(waiting)).map(({ error }) => error.code)
  assert.deepEqual(errors, ['SEAWALL_BULKHEAD_FULL', 'SEAWALL_DISPOSED', 'SEAWALL_DISPOSED'])
  assert.equal(clock.timers.size, 0)
  await end('a')
})

test('disposed of: who waits is refused, who runs ends, nobody begins', async () => {
  const clock = new TimerClock()
  const bulkhead = new Bulkhead({ maxConcurrent: 1, maxQueue: 3, queueTimeoutMs: 10, clock })
  const { start, end } = calls(bulkhead)
  const { signal } = new AbortController()
  const a = start('a')
  const b = start('b', { signal })
  bulkhead[Symbol.dispose]()
  bulkhead[Symbol.dispose]()
  assert.equal((await b).error.code, 'SEAWALL_DISPOSED')
  assert.deepEqual([clock.timers.size, getEventListeners(signal, 'abort').length], [0, 0])
  await end('a')
  assert.deepEqual(await a, { value: 'a' })
  assert.equal((await start('c')).error.code, 'SEAWALL_DISPOSED')
  assert.throws(() => bulkhead.explain(), { code: 'SEAWALL_DISPOSED' })
  assert.throws(() => bulkhead.update({ maxConcurrent: 2 }), { code: 'SEAWALL_DISPOSED' })
})

test('options out of order are refused by name', () => {
  const refused = options => {
    try {
      new Bulkhead(options)
    } catch (error) {
      assert.ok(error instanceof OptionError)
      return error.option
    }
    return 'nothing'
  }
  assert.equal(refused({}), 'maxConcurrent')
  assert.equal(refused(undefined), '')
  assert.equal(refused({ maxConcurrent: '3' }), 'maxConcurrent')
  for (const wrong of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.equal(refused({ maxConcurrent: wrong }), 'maxConcurrent', String(wrong))
  }
  assert.equal(refused({ maxConcurrent: 1, maxQueue: -1 }), 'maxQueue')
  assert.equal(refused({ maxConcurrent: 1, maxQueue: 2 ** 20 + 1 }), 'maxQueue')
  assert.equal(refused({ maxConcurrent: 1, queueTimeoutMs: 0 }), 'queueTimeoutMs')
  assert.equal(refused({ maxConcurrent: 1, priorities: 'yes' }), 'priorities')
  assert.equal(refused({ maxConcurrent: 1, queue: 5 }), 'queue')
  assert.equal(refused({ maxConcurrent: 2 ** 30 - 1, maxQueue: 2 ** 20 }), 'nothing')
})

test('what the caller changes in its options later changes nothing', async () => {
  const options = { maxConcurrent: 1, maxQueue: 1 }
  const bulkhead = new Bulkhead(options)
  options.maxConcurrent = 5
  bulkhead.update({ maxQueue: 2 })
  assert.deepEqual([bulkhead.explain().maxConcurrent, bulkhead.explain().maxQueue], [1, 2])
})

test('the largest numbers survive the way through the engine', async () => {
  const bulkhead = new Bulkhead({ maxConcurrent: 2 ** 30 - 1, maxQueue: 2 ** 20 })
  assert.equal(await bulkhead.execute(async () => 1), 1)
  bulkhead.update({ maxConcurrent: 1 })
  const { start, begun, end } = calls(bulkhead)
  start('a')
  start('b')
  start('c')
  bulkhead.update({ maxConcurrent: 2 ** 30 - 1 })
  await settled()
  start('d')
  assert.deepEqual(begun, ['a', 'b', 'c', 'd'])
  await Promise.all(['a', 'b', 'c', 'd'].map(name => end(name)))
  assert.equal(bulkhead.explain().running, 0)
})

test('random calls agree with a naive bulkhead', async () => {
  let seed = 7
  const random = n => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
    return Math.floor((seed / 2 ** 31) * n)
  }
  for (let round = 0; round < 30; round++) {
    let limits = { maxConcurrent: 1 + random(4), maxQueue: random(6) }
    const bulkhead = new Bulkhead(limits)
    const { start, begun, end } = calls(bulkhead)
    let running = []
    let waiting = []
    const wanted = []
    const controllers = new Map()
    const admit = () => {
      while (running.length < limits.maxConcurrent && waiting.length > 0) {
        const name = waiting.shift()
        running.push(name)
        wanted.push(name)
      }
    }
    for (let i = 0; i < 120; i++) {
      const dice = random(10)
      if (dice < 5) {
        const controller = new AbortController()
        controllers.set(i, controller)
        const result = start(i, random(2) ? { signal: controller.signal } : undefined)
        if (running.length < limits.maxConcurrent && waiting.length === 0) {
          running.push(i)
          wanted.push(i)
        } else if (waiting.length < limits.maxQueue) {
          waiting.push(i)
          result.then(() => {})
        } else assert.equal((await result).error.rule, 'full')
      } else if (dice < 8 && running.length > 0) {
        const [name] = running.splice(random(running.length), 1)
        admit()
        await end(name)
      } else if (dice < 9 && waiting.length > 0) {
        const name = waiting[random(waiting.length)]
        controllers.get(name).abort()
        await settled()
        const { queued } = bulkhead.explain()
        // Some were not given the signal.
        if (queued < waiting.length) waiting = waiting.filter(other => other !== name)
      } else {
        limits = { maxConcurrent: 1 + random(4), maxQueue: random(6) }
        bulkhead.update(limits)
        admit()
      }
      await settled()
      assert.deepEqual(begun, wanted)
      const now = bulkhead.explain()
      assert.deepEqual([now.running, now.queued], [running.length, waiting.length])
    }
    running = []
  }
})

const coarse = process.platform === 'win32' && 'its clock of processor time is too coarse'

test('100,000 calls in the queue cost no more each than 1,000', { skip: coarse }, async () => {
  // The processor's time, which a busy machine does not lengthen.
  const spent = () => process.cpuUsage().user + process.cpuUsage().system
  const perCall = async count => {
    const bulkhead = new Bulkhead({ maxConcurrent: 1, maxQueue: count, queueTimeoutMs: 1e9 })
    const permit = await bulkhead.acquire()
    const start = spent()
    const all = Array.from({ length: count }, () => bulkhead.execute(async () => 1))
    permit.release()
    await Promise.all(all)
    return (spent() - start) / count
  }
  const best = async (count, rounds) => {
    let least = Number.POSITIVE_INFINITY
    for (let i = 0; i < rounds; i++) least = Math.min(least, await perCall(count))
    return least
  }
  await best(1_000, 10)
  const [long, short] = [await best(100_000, 2), await best(1_000, 20)]
  // Garbage collection of so many promises costs something, a search would cost a hundredfold.
  assert.ok(long < short * 8, `${(short * 1e3).toFixed(0)} ns, then ${(long * 1e3).toFixed(0)} ns`)
})

test('10,000 idle bulkheads start no timer', () => {
  // Node waits for other things as well: for what it has to do once garbage was collected.
  const timers = () => process.getActiveResourcesInfo().filter(each => each === 'Timeout').length
  const before = timers()
  const held = Array.from({ length: 10_000 }, () => new Bulkhead({ maxConcurrent: 1, maxQueue: 1 }))
  assert.equal(timers(), before)
  for (const bulkhead of held) bulkhead[Symbol.dispose]()
})

test('priorities: when the queue fills, the less important are turned away first', async () => {
  const bulkhead = new Bulkhead({ maxConcurrent: 10, priorities: true, seed: 1 })
  assert.equal(bulkhead.explain().maxQueue, 30)
  const never = () => new Promise(() => {})
  const shed = { veryLow: 0, veryHigh: 0 }
  const enter = priority => bulkhead.tryExecute(never, { priority })
  for (let i = 0; i < 30; i++) enter(i % 2 ? 'veryLow' : 'veryHigh')
  assert.deepEqual([bulkhead.explain().running, bulkhead.explain().queued], [10, 20])
  enter('veryHigh')
  enter('veryHigh')
  for (let i = 0; i < 10; i++) {
    const { queued } = bulkhead.explain()
    const result = enter('veryLow')
    if (bulkhead.explain().queued > queued) continue
    const { ok, error } = await result
    shed.veryLow++
    assert.deepEqual([ok, error.code, error.rule], [false, 'SEAWALL_BULKHEAD_FULL', 'priority'])
    const { level, threshold, limit } = error.counts
    assert.ok(level < 100 && level < threshold && threshold < 500 && limit === 10)
  }
  assert.ok(shed.veryLow > 0)
  let refusals = 0
  while (bulkhead.explain().queued < 30 && refusals++ < 1_000) enter('veryHigh')
  assert.equal((await enter('veryHigh')).error.rule, 'full')
})

test('priorities: levels, unknown words and numbers out of range', async () => {
  const priorities = new Priorities({ seed: 1 })
  const bulkhead = new Bulkhead({ maxConcurrent: 1, maxQueue: 1_000, priorities })
  await bulkhead.acquire()
  const level = async priority => {
    const { calls } = priorities.explain()
    bulkhead.execute(assert.fail, { priority }).catch(() => {})
    const explained = priorities.explain(1)
    assert.equal(explained.calls, calls + 1)
    return explained.threshold
  }
  // The threshold at the rate 1 is the highest level there was.
  assert.equal(await level(Number.NEGATIVE_INFINITY), 0)
  assert.equal(await level(-5), 0)
  assert.equal(await level(123), 123)
  const drawn = await level('no such class')
  assert.ok(drawn >= 200 && drawn < 300, String(drawn))
  assert.equal(await level(1_000), 499)
})

test('priorities: the user who asks most is turned away first, in every bulkhead that shares them', async () => {
  const priorities = new Priorities({ seed: 3 })
  const make = () => new Bulkhead({ maxConcurrent: 10, priorities })
  const full = make()
  for (let i = 0; i < 10; i++) await full.acquire()
  const never = () => assert.fail('nothing runs')
  const controllers = []
  for (let i = 0; i < 500; i++) {
    const controller = new AbortController()
    controllers.push(controller)
    const user = i % 20 === 0 ? `light ${i % 3}` : 'heavy'
    full.tryExecute(never, { user, signal: controller.signal })
    if (full.explain().queued > 15) controllers.shift().abort()
  }
  assert.equal(priorities.explain().users, 4)
  const other = make()
  for (let i = 0; i < 10; i++) await other.acquire()
  for (let i = 0; i < 24; i++) other.tryExecute(never, { priority: 'veryHigh' })
  const refused = { heavy: 0, light: 0 }
  for (let i = 0; i < 50; i++) {
    for (const user of ['heavy', 'light 1']) {
      const controller = new AbortController()
      const { queued } = other.explain()
      const result = other.tryExecute(never, { user, signal: controller.signal })
      if (other.explain().queued === queued) refused[user.split(' ')[0]]++
      else controller.abort()
      await result
    }
  }
  assert.ok(refused.heavy > refused.light + 10, JSON.stringify(refused))
})

test('priorities disposed of: all calls are alike', async () => {
  const priorities = new Priorities()
  const bulkhead = new Bulkhead({ maxConcurrent: 1, maxQueue: 3, priorities })
  priorities[Symbol.dispose]()
  priorities[Symbol.dispose]()
  await bulkhead.acquire()
  const waiting = [1, 2, 3].map(() => bulkhead.tryExecute(assert.fail, { priority: 'veryLow' }))
  assert.equal(bulkhead.explain().queued, 3)
  bulkhead[Symbol.dispose]()
  for (const { error } of await Promise.all(waiting)) assert.equal(error.code, 'SEAWALL_DISPOSED')
})

test('priorities outlive a bulkhead that they were given to', async () => {
  const shared = new Priorities({ seed: 1 })
  const first = new Bulkhead({ maxConcurrent: 1, priorities: shared })
  first[Symbol.dispose]()
  const second = new Bulkhead({ maxConcurrent: 1, maxQueue: 30, priorities: shared })
  await second.acquire()
  const waiting = Array.from({ length: 30 }, (_, i) =>
    second.tryExecute(assert.fail, { priority: i % 2 ? 'veryLow' : 'veryHigh' }),
  )
  assert.ok(second.explain().totals.priority > 0, 'they still turn calls away')
  second[Symbol.dispose]()
  await Promise.all(waiting)
})

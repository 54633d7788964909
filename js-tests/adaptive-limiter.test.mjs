// @ts-check
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { test } from 'node:test'
import { AdaptiveLimiter, OptionError, Priorities, RejectedError } from 'seawall'
import { outcome, warnings } from './breaker-tools.mjs'

/** Time and timers that stand still until they are moved. */
class Clock {
  #now
  #timers = new Map()
  #next = 1

  constructor(now = 0) {
    this.#now = now
  }

  now() {
    return this.#now
  }

  setTimer(fn, ms) {
    this.#timers.set(this.#next, { fn, at: this.#now + ms })
    return this.#next++
  }

  clearTimer(timer) {
    this.#timers.delete(timer)
  }

  async pass(ms) {
    const end = this.#now + ms
    for (;;) {
      const due = [...this.#timers].filter(([, { at }]) => at <= end)
      const [first] = due.sort(([, a], [, b]) => a.at - b.at)
      if (!first) break
      this.#timers.delete(first[0])
      this.#now = Math.max(this.#now, first[1].at)
      first[1].fn()
      await settled()
    }
    this.#now = end
    await settled()
  }

  /** Without looking at the timers. */
  set(now) {
    this.#now = now
  }
}

const settled = () => new Promise(resolve => setImmediate(resolve))

function make(options = {}) {
  const clock = new Clock()
  return { clock, limiter: new AdaptiveLimiter({ clock, seed: 1, ...options }) }
}

/** A call that ends when it is told to. */
function hanging(limiter, options) {
  const { promise, resolve, reject } = Promise.withResolvers()
  const call = { started: false, result: undefined, resolve, reject }
  const fn = () => {
    call.started = true
    return promise
  }
  promise.catch(() => {})
  call.result = outcome(limiter.execute(fn, options))
  return call
}

/** Windows of a second in which `calls` at a time take `latency` ms. */
async function windows(limiter, clock, count, calls, latency, fail = false) {
  const rounds = Math.ceil(1000 / latency)
  for (let i = 0; i < count * rounds; i++) {
    const begun = Array.from({ length: calls }, () => hanging(limiter))
    await settled()
    await clock.pass(latency)
    for (const call of begun) fail ? call.reject(new Error('slow')) : call.resolve(1)
    await Promise.all(begun.map(call => call.result))
  }
}

test('calls within the limit go through, with what they answer and throw', async () => {
  const { limiter } = make()
  assert.equal(await limiter.execute(async () => 'answer'), 'answer')
  assert.equal(await limiter.execute(() => 'at once'), 'at once')
  const boom = new Error('boom')
  await assert.rejects(
    limiter.execute(() => {
      throw boom
    }),
    thrown => thrown === boom,
  )
  assert.deepEqual(await limiter.tryExecute(async () => 7), { ok: true, value: 7 })
  assert.deepEqual(await limiter.tryExecute(async () => Promise.reject(boom)), {
    ok: false,
    error: boom,
  })
  assert.equal(limiter.explain().inFlight, 0)
})

test('past the limit a call is refused with the counts behind it', async () => {
  const { limiter, clock } = make({ initialLimit: 2, name: 'orders' })
  const heard = []
  limiter.on('rejected', ({ error }) => heard.push(error))
  const calls = [hanging(limiter), hanging(limiter)]
  let called = false
  const { error } = await outcome(
    limiter.execute(async () => {
      called = true
    }),
  )
  assert.equal(called, false)
  assert.ok(error instanceof RejectedError)
  assert.equal(error.code, 'SEAWALL_OVERLOADED')
  assert.equal(error.rule, 'full')
  assert.equal(error.policy, 'orders')
  assert.deepEqual({ ...error.counts }, { limit: 2, inFlight: 2, queued: 0, maxQueue: 0 })
  assert.equal(error.retryAfterMs, undefined, 'nothing was measured yet')
  assert.deepEqual(heard, [error])
  assert.equal(String(error.stack).split('\n').length, 1)
  for (const call of calls) call.resolve(1)
  await settled()
  await windows(limiter, clock, 3, 2, 25)
  for (let i = 0; i < 2; i++) calls.push(hanging(limiter))
  const refused = await limiter.tryExecute(async () => 1)
  assert.equal(refused.ok, false)
  assert.equal(refused.error.retryAfterMs, 25)
})

test('calls wait in their order, each in the context of its caller, and start the clock anew', async () => {
  const { limiter, clock } = make({ initialLimit: 1, maxQueue: 2, minSamples: 1 })
  const context = new AsyncLocalStorage()
  const first = hanging(limiter)
  const seen = []
  const waiting = ['a', 'b'].map(name =>
    context.run(name, () => limiter.execute(async () => seen.push([name, context.getStore()]))),
  )
  assert.equal(limiter.explain().queued, 2)
  const full = await limiter.tryExecute(async () => 1)
  assert.equal(full.error.counts.queued, 2)
  await clock.pass(5000)
  first.resolve(1)
  await Promise.all(waiting)
  assert.deepEqual(seen, [
    ['a', 'a'],
    ['b', 'b'],
  ])
  assert.equal(limiter.explain().inFlight, 0)
  // The wait is not latency: the first took 5 s, the others nothing.
  await clock.pass(11_000)
  await limiter.execute(() => 1)
  assert.ok((limiter.explain().latencyMs ?? 9999) < 1, `${limiter.explain().latencyMs}`)
})

test('a call may give up waiting, and wait too long', async () => {
  const { limiter, clock } = make({ initialLimit: 1, maxQueue: 5, queueTimeoutMs: 100 })
  const first = hanging(limiter)
  const controller = new AbortController()
  const abandoned = hanging(limiter, { signal: controller.signal })
  const late = hanging(limiter)
  const reason = new Error('no more')
  controller.abort(reason)
  assert.equal((await abandoned.result).error, reason)
  assert.equal(limiter.explain().queued, 1)
  await clock.pass(100)
  const { error } = await late.result
  assert.equal(error.code, 'SEAWALL_OVERLOADED')
  assert.equal(error.rule, 'queueTimeout')
  first.resolve(1)
  await first.result
  assert.deepEqual([abandoned.started, late.started], [false, false])
  assert.equal(await limiter.execute(() => 'free again'), 'free again')
})

test('priorities decide who waits', async () => {
  const { limiter } = make({
    initialLimit: 1,
    maxQueue: 30,
    priorities: new Priorities({ seed: 1 }),
  })
  const first = hanging(limiter)
  const calls = []
  for (let i = 0; i < 60; i++) {
    calls.push(hanging(limiter, { priority: i % 2 === 0 ? 'veryLow' : 'veryHigh' }))
  }
  await settled()
  first.resolve(1)
  for (const call of calls) call.resolve(1)
  const ends = await Promise.all(calls.map(call => call.result))
  const refused = ends.map(({ error }) => error?.rule)
  const low = refused.filter((rule, i) => i % 2 === 0 && rule).length
  const high = refused.filter((rule, i) => i % 2 === 1 && rule).length
  assert.ok(low > high, `${low} of low and ${high} of high priority refused`)
  assert.ok(refused.includes('priority'))
})

test('the limit grows while latency stays, sinks when it rises, and says why', async () => {
  const { limiter, clock } = make()
  const heard = []
  limiter.on('limitChange', ({ from, to, reason }) => heard.push({ from, to, reason }))
  await windows(limiter, clock, 14, 20, 50)
  const grown = limiter.limit
  assert.ok(grown > 20, `${grown}`)
  assert.deepEqual(heard[0], { from: 20, to: 21, reason: 'room' })
  const before = limiter.explain()
  assert.equal(before.reason, 'room')
  assert.ok(Math.abs((before.baselineMs ?? 0) - 50) < 5)
  await windows(limiter, clock, 12, 40, 500)
  assert.ok(limiter.limit < grown, `${limiter.limit} after ${grown}`)
  assert.ok(heard.some(({ reason, from, to }) => reason === 'queue' && to < from))
})

test('at three times the capacity goodput is the capacity, and calls wait little', async () => {
  const { limiter, clock } = make()
  let state = 7
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return (state + 1) / 2 ** 32
  }
  const servers = 20
  // What is done at which time, soonest first; the servers work through a queue.
  const busy = []
  const queue = []
  const latencies = []
  let succeeded = 0
  const begin = job => {
    job.at = clock.now() - 50 * Math.log(random())
    const place = busy.findLastIndex(({ at }) => at <= job.at)
    busy.splice(place + 1, 0, job)
  }
  const done = async at => {
    while (busy.length > 0 && busy[0].at <= at) {
      const job = busy.shift()
      clock.set(job.at)
      job.resolve()
      await job.call
      if (queue.length > 0) begin(queue.shift())
    }
    clock.set(at)
  }
  const load = async (from, until, rate) => {
    const gap = () => (-1000 / rate) * Math.log(random())
    let at = from + gap()
    while (at < until) {
      await done(at)
      const job = {}
      const since = at
      job.call = limiter
        .tryExecute(() => {
          const { promise, resolve } = Promise.withResolvers()
          job.resolve = resolve
          if (busy.length < servers) begin(job)
          else queue.push(job)
          return promise
        })
        .then(({ ok }) => {
          if (!ok) return
          succeeded++
          latencies.push(clock.now() - since)
        })
      at += gap()
    }
  }
  await load(0, 30_000, 280)
  succeeded = 0
  latencies.length = 0
  await load(30_000, 60_000, 1200)
  latencies.sort((a, b) => a - b)
  const p99 = latencies[Math.floor(latencies.length * 0.99)] ?? 0
  assert.ok(succeeded / 30 >= 360, `${succeeded / 30} calls a second of 400`)
  assert.ok(p99 <= 2.5 * 230, `p99 ${p99}`)
})

test('constant time-outs do not grow the limit', async () => {
  const { limiter, clock } = make()
  await windows(limiter, clock, 60, 20, 1000, true)
  assert.equal(limiter.limit, 20)
  const later = make()
  await windows(later.limiter, later.clock, 15, 20, 50)
  const grown = later.limiter.limit
  await windows(later.limiter, later.clock, 60, 20, 1000, true)
  assert.ok(later.limiter.limit < grown, `${later.limiter.limit} after ${grown}`)
})

test('cancelled calls and fast failures are not sampled', async () => {
  const { limiter, clock } = make()
  await windows(limiter, clock, 2, 20, 50)
  const { samples } = limiter.explain()
  const controller = new AbortController()
  const call = hanging(limiter, { signal: controller.signal })
  await clock.pass(700)
  controller.abort(new Error('cancelled'))
  call.reject(new Error('cancelled'))
  await call.result
  const permit = await limiter.acquire()
  permit.neutral()
  assert.equal(limiter.explain().samples, samples)
  assert.equal(limiter.explain().inFlight, 0)
})

test('a permit by hand counts once', async () => {
  const { limiter } = make({ initialLimit: 1 })
  const permit = await limiter.acquire()
  await assert.rejects(limiter.acquire(), { code: 'SEAWALL_OVERLOADED' })
  const { samples } = limiter.explain()
  permit.success()
  permit.failure()
  permit[Symbol.dispose]()
  assert.equal(limiter.explain().inFlight, 0)
  assert.equal(limiter.explain().samples, samples + 1)
  const dropped = await limiter.acquire()
  dropped[Symbol.dispose]()
  assert.equal(limiter.explain().samples, samples + 1)
  const aborted = AbortSignal.abort(new Error('before'))
  await assert.rejects(limiter.acquire({ signal: aborted }), /before/)
})

test('never more in flight than the limit, also where it sinks', async () => {
  const { limiter, clock } = make({ maxQueue: 1000 })
  let running = 0
  let most = 0
  const call = () =>
    limiter.execute(async () => {
      running++
      most = Math.max(most, running - limiter.limit)
      await settled()
      running--
    })
  const calls = Array.from({ length: 300 }, call)
  limiter.update({ maxLimit: 7 })
  assert.equal(limiter.limit, 7)
  await settled()
  most = 0
  limiter.update({ maxLimit: 9, minLimit: 9 })
  await Promise.all(calls)
  assert.equal(most, 0)
  assert.equal(running, 0)
  clock.set(clock.now() - 50)
  await call()
  assert.equal(limiter.explain().inFlight, 0)
})

test('an update changes all or nothing, and keeps what was measured', async () => {
  const { limiter, clock } = make({ maxQueue: 3 })
  await windows(limiter, clock, 5, 20, 50)
  const before = limiter.explain()
  assert.throws(() => limiter.update({ maxQueue: 9, minLimit: 0 }), OptionError)
  assert.throws(() => limiter.update({ maxLimit: 9, maxQueue: -1 }), {
    name: 'OptionError',
    option: 'maxQueue',
    message: /^AdaptiveLimiter: `maxQueue`/,
  })
  assert.deepEqual(limiter.explain(), before)
  limiter.update({ maxLimit: 500, maxQueue: 50 })
  const after = limiter.explain()
  assert.deepEqual([after.maxLimit, after.maxQueue, after.limit], [500, 50, before.limit])
  assert.equal(after.baselineMs, before.baselineMs)
  limiter.update({ algorithm: 'aimd', slowAfterMs: 100 })
  assert.equal(limiter.explain().algorithm, 'aimd')
})

test('each algorithm adapts', async () => {
  for (const algorithm of /** @type {const} */ (['correlated', 'gradient2', 'vegas', 'aimd'])) {
    const { limiter, clock } = make({ algorithm })
    await windows(limiter, clock, 15, 20, 50)
    assert.ok(limiter.limit > 20, `${algorithm}: ${limiter.limit}`)
    assert.ok(limiter.limit <= 100, `${algorithm}: ${limiter.limit}`)
  }
})

test('options are checked by name', () => {
  const wrong = options => () => new AdaptiveLimiter(options)
  assert.throws(wrong({ maxLimits: 1 }), /unknown option `maxLimits`; did you mean `maxLimit`/)
  assert.throws(wrong({ algorithm: 'best' }), /must be one of "correlated"/)
  assert.throws(wrong({ minLimit: 0 }), /`minLimit` must be a whole number of at least 1, got 0/)
  assert.throws(wrong({ minLimit: 9, maxLimit: 8 }), /`maxLimit` must not be less than `minLimit`/)
  assert.throws(wrong({ quantile: 1.5 }), /`quantile` must be above 0 and at most 1/)
  assert.throws(wrong({ slowAfterMs: 5 }), /`slowAfterMs` may be set only together with/)
  assert.throws(wrong({ maxQueue: 1.5 }), /^OptionError: AdaptiveLimiter: `maxQueue`/)
  assert.throws(wrong({ priorities: 3 }), /`priorities`/)
  assert.throws(wrong({ minSamples: Number.NaN }), OptionError)
  assert.throws(() => make().limiter.update({ initialLimit: 3 }), /unknown option `initialLimit`/)
  assert.equal(new AdaptiveLimiter({ maxLimit: 8 }).limit, 8)
})

test('a listener that throws changes nothing', async () => {
  const { limiter } = make({ initialLimit: 1 })
  limiter.on('rejected', () => {
    throw new Error('listener')
  })
  const heard = await warnings(async () => {
    const call = hanging(limiter)
    const refused = await limiter.tryExecute(async () => 1)
    assert.equal(refused.error.code, 'SEAWALL_OVERLOADED')
    call.resolve(1)
    await call.result
  })
  assert.equal(heard.length, 1)
})

test('disposed of, it refuses new calls and those who wait; those that run go on', async () => {
  const { limiter } = make({ initialLimit: 1, maxQueue: 1 })
  const running = hanging(limiter)
  const waiting = hanging(limiter)
  limiter[Symbol.dispose]()
  limiter[Symbol.dispose]()
  assert.equal((await waiting.result).error.code, 'SEAWALL_DISPOSED')
  assert.match((await waiting.result).error.message, /^AdaptiveLimiter/)
  running.resolve('done')
  assert.deepEqual(await running.result, { value: 'done' })
  const { error } = await outcome(limiter.execute(() => 1))
  assert.equal(error.code, 'SEAWALL_DISPOSED')
  assert.throws(() => limiter.explain(), { code: 'SEAWALL_DISPOSED' })
})

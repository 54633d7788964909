// @ts-check
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { test } from 'node:test'
import { Hedge, OptionError, Timeout } from 'seawall'
import { warnings } from './breaker-tools.mjs'
import { controlled, listeners, turn, VirtualClock, watched } from './timing-tools.mjs'

/** @param {object} options */
function make(options = {}) {
  const clock = new VirtualClock()
  const hedge = new Hedge({ delayMs: 50, clock, .../** @type {any} */ (options) })
  return { clock, hedge }
}

/** A budget of so many at a time. */
function budgetOf(most) {
  return {
    running: 0,
    allow() {
      if (this.running >= most) return false
      this.running++
      return true
    },
    ended() {
      this.running--
    },
  }
}

test('what is fast has no hedge', async () => {
  const { clock, hedge } = make()
  const { fn, calls } = controlled()
  const call = watched(hedge.execute(fn))
  await clock.pass(49)
  calls[0].resolve('first')
  await call.done
  assert.deepEqual(call.ended, { value: 'first' })
  await clock.pass(1000)
  assert.equal(calls.length, 1)
  assert.equal(clock.timers.size, 0)
  assert.equal(await hedge.execute(() => 5), 5)
  const error = new Error('its own')
  assert.deepEqual(await hedge.tryExecute(() => Promise.reject(error)), { ok: false, error })
  assert.deepEqual(await hedge.tryExecute(async () => 6), { ok: true, value: 6 })
  assert.equal(hedge.explain().inFlight, 0)
})

test('what is slow has one, and the first success counts', async () => {
  const { clock, hedge } = make()
  const events = []
  hedge.on('hedge', event => events.push(event))
  hedge.on('won', event => events.push(event))
  const { fn, calls } = controlled()
  const call = watched(hedge.execute(fn))
  await clock.pass(50)
  assert.deepEqual(
    calls.map(({ context }) => context.attempt),
    [1, 2],
  )
  calls[1].resolve('second')
  await call.done
  assert.deepEqual(call.ended, { value: 'second' })
  assert.deepEqual(events, [{ attempt: 2, delayMs: 50 }, { attempt: 2 }])
  const { hedged, won, inFlight } = hedge.explain()
  assert.deepEqual([hedged, won, inFlight], [1, 1, 0])
  calls[0].resolve('too late')
  await turn()
  assert.deepEqual(call.ended, { value: 'second' })
})

test('trap: hedge waits for losers: they are told, and not waited for', async () => {
  const { clock, hedge } = make({ maxHedges: 2 })
  const { fn, calls } = controlled()
  const call = watched(hedge.execute(fn))
  const { signal } = calls[0].context
  await clock.pass(100)
  assert.equal(calls.length, 3)
  const winner = calls[1].context.signal
  calls[1].resolve('second')
  await turn()
  assert.deepEqual(call.ended, { value: 'second' }, 'though two others never end')
  assert.equal(signal.aborted, true)
  assert.equal(signal.reason.code, 'SEAWALL_OVERTAKEN')
  assert.equal(calls[2].context.signal.aborted, true, 'also where it is looked at later')
  assert.equal(winner.aborted, false, 'the body of its response may still be read')
  calls[0].reject(new Error('nobody hears this'))
  await turn()
})

test('as many as allowed, one delay apart', async () => {
  const { clock, hedge } = make({ maxHedges: 3 })
  const { fn, calls } = controlled()
  watched(hedge.execute(fn))
  const counts = []
  for (let i = 0; i < 6; i++) {
    counts.push(calls.length)
    await clock.pass(50)
  }
  assert.deepEqual(counts, [1, 2, 3, 4, 4, 4])
  const once = make({ delayMs: 0, maxHedges: 2 })
  const all = controlled()
  watched(once.hedge.execute(all.fn))
  assert.equal(all.calls.length, 3, 'no delay: all at once')
})

test('a failure does not end the call while a try is under way, nor begin one', async () => {
  const { clock, hedge } = make()
  const { fn, calls } = controlled()
  const slow = watched(hedge.execute(fn))
  await clock.pass(50)
  calls[0].reject(new Error('first'))
  await turn()
  assert.equal(slow.ended, undefined)
  calls[1].resolve('second')
  await slow.done
  assert.deepEqual(slow.ended, { value: 'second' })
  const fast = watched(hedge.execute(fn))
  calls[2].reject(new Error('at once'))
  await fast.done
  assert.equal(fast.ended.error.message, 'at once')
  await clock.pass(100)
  assert.equal(calls.length, 3)
})

test('if all fail, the first error; one from the other side before one of our own', async () => {
  const { clock, hedge } = make({ maxHedges: 2 })
  const { fn, calls } = controlled()
  const call = watched(hedge.execute(fn))
  await clock.pass(100)
  for (const i of [2, 0, 1]) calls[i].reject(new Error(`try ${i + 1}`))
  await call.done
  assert.equal(call.ended.error.message, 'try 3')
  const inner = new Timeout({ timeoutMs: 60, clock })
  const other = controlled()
  const mixed = watched(hedge.execute(context => inner.execute(other.fn, context)))
  await clock.pass(50)
  await clock.pass(10)
  other.calls[1].reject(new Error('refused by the other side'))
  await clock.pass(200)
  await mixed.done
  assert.equal(mixed.ended.error.message, 'refused by the other side')
})

test('trap: budget refusal: the tries under way finish, and the real error is kept', async () => {
  const budget = budgetOf(1)
  const { clock, hedge } = make({ maxHedges: 2, budget })
  const refused = []
  hedge.on('refused', event => refused.push(event))
  const { fn, calls } = controlled()
  const [a, b] = [watched(hedge.execute(fn)), watched(hedge.execute(fn))]
  await clock.pass(50)
  assert.equal(calls.length, 3, 'one hedge for both')
  assert.deepEqual(refused, [{ attempt: 2 }])
  assert.equal(b.ended, undefined)
  calls[1].reject(new Error('the real one'))
  await b.done
  assert.equal(b.ended.error.message, 'the real one')
  calls[0].resolve('slow, but here')
  await a.done
  assert.deepEqual(a.ended, { value: 'slow, but here' })
  assert.equal(budget.running, 0)
  assert.equal(hedge.explain().refused, 1)
})

test('model: the budget is given back once for each hedge, however calls end', async () => {
  let seed = 3
  const random = n => {
    seed = (seed * 1103515245 + 12345) % 2 ** 31
    return Math.floor(seed / 65536) % n
  }
  const budget = budgetOf(40)
  const { clock, hedge } = make({ maxHedges: 3, budget })
  const all = []
  for (let i = 0; i < 400; i++) {
    const { fn, calls } = controlled()
    const control = new AbortController()
    all.push({ call: watched(hedge.execute(fn, { signal: control.signal })), calls, control })
    await clock.pass(random(20))
    const open = all.filter(({ call }) => !call.ended)
    const begun = open.reduce((sum, { calls }) => sum + calls.length - 1, 0)
    assert.ok(budget.running >= 0 && budget.running <= begun)
    assert.ok(budget.running <= 40)
    for (const one of open) {
      const which = one.calls[random(one.calls.length)]
      const what = random(8)
      if (what === 0) which.resolve(i)
      if (what === 1) which.reject(new Error('no'))
      if (what === 2 && random(4) === 0) one.control.abort()
    }
    await turn()
  }
  for (const { calls } of all) for (const { reject } of calls) reject(new Error('end'))
  await turn()
  assert.ok(all.every(({ call }) => call.ended))
  assert.equal(budget.running, 0)
  assert.ok(hedge.explain().hedged > 100)
  assert.equal(hedge.explain().inFlight, 0)
  assert.ok(all.every(({ control }) => listeners(control.signal) === 0))
  await clock.pass(1000)
  assert.equal(clock.timers.size, 0)
})

test('a budget that throws refuses, and is reported', async () => {
  const budget = {
    allow() {
      throw new Error('broken')
    },
    ended() {},
  }
  const { clock, hedge } = make({ budget })
  const { fn, calls } = controlled()
  const told = await warnings(async () => {
    const call = watched(hedge.execute(fn))
    await clock.pass(100)
    assert.equal(calls.length, 1)
    calls[0].resolve(1)
    await call.done
  })
  assert.equal(told.length, 1)
})

test('an abort by the caller ends all tries with its reason', async () => {
  const { clock, hedge } = make()
  const control = new AbortController()
  const { fn, calls } = controlled()
  const call = watched(hedge.execute(fn, { signal: control.signal }))
  await clock.pass(50)
  const signals = calls.map(({ context }) => context.signal)
  const reason = new Error('the user left')
  control.abort(reason)
  await call.done
  assert.equal(call.ended.error, reason)
  assert.deepEqual(
    signals.map(signal => signal.reason),
    [reason, reason],
  )
  await assert.rejects(hedge.execute(fn, { signal: control.signal }), e => e === reason)
  assert.equal(calls.length, 2)
})

test('trap: abort listener leaks: a long-lived signal has none left', async () => {
  const { clock, hedge } = make()
  const { signal } = new AbortController()
  const { fn, calls } = controlled()
  const all = []
  const looks = context => {
    assert.equal(context.signal.aborted, false)
    return fn(context)
  }
  for (let i = 0; i < 100; i++) all.push(watched(hedge.execute(looks, { signal })))
  await clock.pass(50)
  assert.equal(calls.length, 200)
  for (let i = 0; i < 100; i++) {
    if (i % 3 === 0) calls[i].resolve(i)
    else if (i % 3 === 1) calls[100 + i].resolve(i)
    else {
      calls[i].reject(new Error('no'))
      calls[100 + i].reject(new Error('no'))
    }
  }
  await turn()
  assert.ok(all.every(({ ended }) => ended))
  assert.equal(listeners(signal), 0)
})

test('trap: AsyncLocalStorage of the wrong request: a hedge begins in that of its caller', async () => {
  const store = new AsyncLocalStorage()
  const { clock, hedge } = make({ maxHedges: 2 })
  const seen = []
  const calls = ['a', 'b', 'c'].map(tenant =>
    store.run(tenant, () =>
      hedge.execute(({ attempt }) => {
        seen.push([tenant, store.getStore()])
        return attempt < 3 ? new Promise(() => {}) : tenant
      }),
    ),
  )
  await clock.pass(100)
  assert.deepEqual(await Promise.all(calls), ['a', 'b', 'c'])
  assert.equal(seen.length, 9)
  assert.ok(
    seen.every(([tenant, found]) => tenant === found),
    JSON.stringify(seen),
  )
})

test('a blocked event loop hedges no call whose answer has come', async () => {
  const { clock, hedge } = make()
  const { fn, calls } = controlled()
  const all = Array.from({ length: 20 }, () => watched(hedge.execute(fn)))
  await clock.block(300, () => {
    for (const { resolve } of calls) resolve('was there')
  })
  assert.ok(all.every(({ ended }) => ended?.value === 'was there'))
  assert.equal(calls.length, 20)
})

test('a delay that follows the latencies; too few: none, or the fallback', async () => {
  for (const fallbackMs of [undefined, 30]) {
    const { clock, hedge } = make({ delayMs: { quantile: 0.9 }, minSamples: 10, fallbackMs })
    const taking = async ms => {
      const { fn, calls } = controlled()
      const call = watched(hedge.execute(fn))
      await clock.pass(ms)
      calls[0].resolve(ms)
      await call.done
      return calls.length - 1
    }
    assert.equal(await taking(200), fallbackMs ? 1 : 0)
    assert.equal(hedge.explain().delayMs, fallbackMs)
    for (let i = 0; i < 100; i++) await taking(20)
    const { delayMs, rule, samples } = hedge.explain()
    assert.ok(delayMs > 19 && delayMs < 21, String(delayMs))
    assert.equal(rule, 'quantile')
    assert.equal(samples, 101)
    assert.equal(await taking(18), 0)
    assert.equal(await taking(25), 1)
    await clock.pass(60_000)
    assert.equal(await taking(200), fallbackMs ? 1 : 0, 'old latencies are forgotten')
  }
})

test('a delay that is told for each call, and one the deadline leaves no room for', async () => {
  const delays = [10, 30, Number.NaN, -1]
  const { clock, hedge } = make({ delayMs: () => delays.shift() })
  const begun = []
  const told = await warnings(async () => {
    for (let i = 0; i < 4; i++) {
      const { fn, calls } = controlled()
      watched(hedge.execute(fn))
      begun.push(calls)
    }
    await clock.pass(10)
    assert.deepEqual(
      begun.map(({ length }) => length),
      [2, 1, 1, 1],
    )
    await clock.pass(500)
    assert.deepEqual(
      begun.map(({ length }) => length),
      [2, 2, 1, 1],
    )
  })
  assert.equal(told.length, 2)
  const fixed = make()
  const { fn, calls } = controlled()
  watched(fixed.hedge.execute(fn, { deadline: 50 }))
  await fixed.clock.pass(500)
  assert.equal(calls.length, 1)
  watched(fixed.hedge.execute(fn, { deadline: 551 }))
  await fixed.clock.pass(50)
  assert.equal(calls.length, 3)
  assert.equal(calls[2].context.deadline, 551)
})

test('options change and latencies stay', async () => {
  const { clock, hedge } = make()
  for (let i = 0; i < 30; i++) {
    const { fn, calls } = controlled()
    const call = hedge.execute(fn)
    await clock.pass(40)
    calls[0].resolve(i)
    await call
  }
  hedge.update({ delayMs: { quantile: 0.5 }, maxHedges: 4 })
  const { delayMs, maxHedges, rule } = hedge.explain()
  assert.ok(delayMs > 38 && delayMs < 42)
  assert.deepEqual([maxHedges, rule], [4, 'quantile'])
  assert.throws(() => hedge.update({ maxHedges: 0 }), { option: 'maxHedges' })
  assert.equal(hedge.explain().maxHedges, 4)
})

test('options out of range are named', () => {
  const refused = (options, option, message = /./) =>
    assert.throws(
      () => new Hedge(options),
      error =>
        error instanceof OptionError && error.option === option && message.test(error.message),
    )
  refused({}, 'delayMs', /must be given/)
  refused({ delayMs: -1 }, 'delayMs', /at least 0, got -1/)
  refused({ delayMs: '5' }, 'delayMs')
  refused({ delayMs: {} }, 'delayMs.quantile')
  refused({ delayMs: { quantile: 1.5 } }, 'delayMs.quantile', /at most 1, got 1.5/)
  refused({ delayMs: { quantile: 0.5, minMs: -1 } }, 'delayMs.minMs')
  refused({ delayMs: { quantile: 0.5, min: 1 } }, 'delayMs.min')
  refused({ delayMs: 5, maxHedges: 0 }, 'maxHedges')
  refused({ delayMs: 5, minSamples: 1.5 }, 'minSamples')
  refused({ delayMs: 5, windowMs: 0 }, 'windowMs')
  refused({ delayMs: 5, fallbackMs: -1 }, 'fallbackMs')
  refused({ delayMs: 5, budget: {} }, 'budget.allow')
  refused({ delayMs: 5, maxHedge: 1 }, 'maxHedge', /did you mean `maxHedges`/)
})

test('disposed of: calls under way end, new ones are refused', async () => {
  const { clock, hedge } = make()
  const { fn, calls } = controlled()
  const call = watched(hedge.execute(fn))
  hedge[Symbol.dispose]()
  await clock.pass(100)
  assert.equal(calls.length, 1)
  calls[0].resolve('done')
  await call.done
  assert.deepEqual(call.ended, { value: 'done' })
  await assert.rejects(hedge.execute(fn), { code: 'SEAWALL_DISPOSED' })
})

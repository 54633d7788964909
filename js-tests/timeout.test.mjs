// @ts-check
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { spawnSync } from 'node:child_process'
import { createServer } from 'node:http'
import { mock, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  CircuitBreaker,
  deadlineFrom,
  deadlineHeader,
  deadlineIn,
  OptionError,
  RejectedError,
  Timeout,
  TimeoutError,
} from 'seawall'
import { warnings } from './breaker-tools.mjs'
import { controlled, listeners, turn, VirtualClock, watched } from './timing-tools.mjs'

/** @param {object} options */
function make(options = {}) {
  const clock = new VirtualClock()
  const timeout = new Timeout({ timeoutMs: 100, clock, .../** @type {any} */ (options) })
  return { clock, timeout }
}

test('answers what the function answers, and throws what it throws', async () => {
  for (const mode of ['hard', 'cooperative']) {
    const { clock, timeout } = make({ mode })
    assert.equal(await timeout.execute(async () => 7), 7)
    assert.equal(await timeout.execute(() => 8), 8)
    const error = new Error('its own')
    const thrown = e => e === error
    await assert.rejects(
      timeout.execute(() => Promise.reject(error)),
      thrown,
    )
    await assert.rejects(
      timeout.execute(() => {
        throw error
      }),
      thrown,
    )
    assert.deepEqual(await timeout.tryExecute(async () => 9), { ok: true, value: 9 })
    assert.deepEqual(await timeout.tryExecute(() => Promise.reject(error)), { ok: false, error })
    assert.equal(clock.timers.size, 0)
    assert.equal(timeout.explain().inFlight, 0)
  }
})

test('hard: the caller hears at once, the signal is aborted, what comes late is ignored', async () => {
  const { clock, timeout } = make({ name: 'db' })
  const { fn, calls } = controlled()
  const call = watched(timeout.execute(fn))
  const { signal } = calls[0].context
  await clock.pass(99)
  assert.equal(call.ended, undefined)
  assert.equal(signal.aborted, false)
  await clock.pass(1)
  const { error } = call.ended
  assert.ok(error instanceof TimeoutError)
  assert.equal(error.code, 'SEAWALL_TIMEOUT')
  assert.equal(error.timeoutMs, 100)
  assert.equal(error.policy, 'db')
  assert.equal('blockedMs' in error, false)
  assert.equal(error.message, 'No answer within 100 ms')
  assert.equal(signal.aborted, true)
  assert.equal(signal.reason, error)
  assert.equal(timeout.explain().abandoned, 1)
  calls[0].reject(new Error('late'))
  await turn()
  assert.equal(call.ended.error, error)
  assert.equal(timeout.explain().abandoned, 0)
})

test('cooperative: the call ends when the function does', async () => {
  const { clock, timeout } = make({ mode: 'cooperative' })
  const { fn, calls } = controlled()
  const [obeys, ignores] = [watched(timeout.execute(fn)), watched(timeout.execute(fn))]
  const { signal } = calls[0].context
  await clock.pass(100)
  assert.equal(obeys.ended, undefined)
  assert.equal(signal.aborted, true)
  const cause = new Error('connection closed')
  calls[0].reject(cause)
  calls[1].resolve('late, but here')
  await turn()
  assert.ok(obeys.ended.error instanceof TimeoutError)
  assert.equal(obeys.ended.error.cause, cause)
  assert.equal(ignores.ended.value, 'late, but here')
  assert.equal(timeout.explain().abandoned, 0)
})

test('many calls share one timer, which goes when none is under way', async () => {
  const { clock, timeout } = make()
  const { fn, calls } = controlled()
  const all = []
  for (let i = 0; i < 50; i++) {
    all.push(watched(timeout.execute(fn)))
    await clock.pass(1)
  }
  assert.equal(clock.timers.size, 1)
  for (const i of [0, 49, 20, 21]) calls[i].resolve(i)
  await turn()
  await clock.pass(60)
  const ended = all.map(({ ended }) => (ended ? (ended.error ? 'late' : 'ok') : 'open'))
  const want = all.map((_, i) => ([0, 49, 20, 21].includes(i) ? 'ok' : i <= 10 ? 'late' : 'open'))
  assert.deepEqual(ended, want)
  assert.equal(clock.timers.size, 1)
  await clock.pass(100)
  assert.equal(clock.timers.size, 0)
  assert.equal(timeout.explain().timedOut, 46)
})

test('model: random calls end when they should, each by its own time', async () => {
  let seed = 7
  const random = n => {
    seed = (seed * 1103515245 + 12345) % 2 ** 31
    return seed % n
  }
  const clock = new VirtualClock()
  const timeout = new Timeout({ timeoutMs: () => 1 + random(40), leastMs: 0, clock })
  const own = new Map()
  const open = []
  for (let step = 0; step < 600; step++) {
    if (random(3) > 0) {
      const { fn, calls } = controlled()
      const begun = clock.now()
      const call = watched(timeout.execute(fn))
      const due = calls[0].context.deadline
      own.set(call, due)
      assert.ok(due > begun && due <= begun + 40)
      open.push({ call, due, resolve: calls[0].resolve })
    }
    if (random(3) === 0 && open.length > 0) {
      const [one] = open.splice(random(open.length), 1)
      one.resolve('in time')
      await turn()
      assert.deepEqual(one.call.ended, { value: 'in time' })
    }
    if (random(2) === 0) {
      await clock.pass(random(12))
      for (let i = open.length - 1; i >= 0; i--) {
        const late = open[i].due <= clock.now()
        assert.equal(open[i].call.ended?.error instanceof TimeoutError, late)
        if (late) open.splice(i, 1)
      }
    }
    assert.equal(timeout.explain().inFlight, open.length)
  }
  await clock.pass(100)
  assert.equal(clock.timers.size, 0)
})

test('trap: shared abort controller: one time-out aborts one call, and later calls are not aborted', async () => {
  const { clock, timeout } = make()
  const { fn, calls } = controlled()
  const first = watched(timeout.execute(fn))
  const signals = [calls[0].context.signal]
  await clock.pass(60)
  const second = watched(timeout.execute(fn))
  signals.push(calls[1].context.signal)
  await clock.pass(40)
  assert.ok(first.ended.error instanceof TimeoutError)
  const third = watched(timeout.execute(fn))
  signals.push(calls[2].context.signal)
  assert.deepEqual(
    signals.map(({ aborted }) => aborted),
    [true, false, false],
  )
  calls[1].resolve(2)
  calls[2].resolve(3)
  await Promise.all([second.done, third.done])
  assert.deepEqual([second.ended, third.ended], [{ value: 2 }, { value: 3 }])
})

test('trap: parent abort reported as timeout: the reason of the caller is handed on', async () => {
  for (const mode of ['hard', 'cooperative']) {
    const { clock, timeout } = make({ mode })
    let told = 0
    timeout.on('timeout', () => told++)
    const control = new AbortController()
    const reason = new Error('the user left')
    const call = watched(
      timeout.execute(
        ({ signal }) =>
          new Promise((_, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason))
          }),
        { signal: control.signal },
      ),
    )
    await clock.pass(20)
    control.abort(reason)
    await turn()
    assert.equal(call.ended.error, reason)
    await clock.pass(1000)
    assert.equal(told, 0)
    assert.equal(timeout.explain().timedOut, 0)
    let called = false
    const after = timeout.execute(
      () => {
        called = true
      },
      { signal: control.signal },
    )
    await assert.rejects(after, e => e === reason)
    assert.equal(called, false)
  }
  const { clock, timeout } = make({ mode: 'cooperative' })
  const control = new AbortController()
  const { fn, calls } = controlled()
  const deaf = watched(timeout.execute(fn, { signal: control.signal }))
  control.abort()
  await clock.pass(1000)
  assert.equal(timeout.explain().timedOut, 0, 'nor when the function does not listen')
  calls[0].resolve('done')
  await turn()
  assert.deepEqual(deaf.ended, { value: 'done' })
})

test('hard: an abort by the caller ends the call at once, although the function does not listen', async () => {
  const { clock, timeout } = make()
  const control = new AbortController()
  const { fn, calls } = controlled()
  const call = watched(timeout.execute(fn, { signal: control.signal }))
  control.abort('enough')
  await turn()
  assert.deepEqual(call.ended, { error: 'enough' })
  assert.equal(calls[0].context.signal.aborted, true)
  calls[0].reject(new Error('nobody hears this'))
  await turn()
  assert.equal(clock.timers.size, 0)
  assert.equal(timeout.explain().abandoned, 0)
})

test('trap: abort listener leaks: a long-lived signal has none left, however calls end', async () => {
  for (const mode of ['hard', 'cooperative']) {
    const { clock, timeout } = make({ mode })
    const { signal } = new AbortController()
    const { fn, calls } = controlled()
    const late = []
    const looks = context => {
      late.push(context)
      assert.equal(context.signal.aborted, false)
      return fn(context)
    }
    const ends = []
    for (let i = 0; i < 300; i++) ends.push(watched(timeout.execute(looks, { signal })))
    assert.ok(listeners(signal) >= 300)
    for (let i = 0; i < 100; i++) calls[i].resolve(i)
    for (let i = 100; i < 200; i++) calls[i].reject(new Error('no'))
    await turn()
    await clock.pass(100)
    for (let i = 200; i < 300; i++) calls[i].reject(new Error('late'))
    await turn()
    assert.ok(ends.every(({ ended }) => ended))
    assert.equal(listeners(signal), 0)
    let kept
    await timeout.execute(
      async context => {
        kept = context
      },
      { signal },
    )
    assert.equal(kept.signal.aborted, false, 'first looked at after the call')
    assert.equal(listeners(signal), 0)
  }
})

test('trap: response body after return: it can be read when the time has passed', async () => {
  const server = createServer((_, response) => {
    response.write('first ')
    setTimeout(() => response.end('and last'), 1_300)
  }).listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  try {
    const timeout = new Timeout({ timeoutMs: 1_000 })
    const response = await timeout.execute(({ signal }) =>
      fetch(`http://127.0.0.1:${port}/`, { signal }),
    )
    assert.equal(await response.text(), 'first and last')
  } finally {
    server.closeAllConnections()
    server.close()
  }
})

test('trap: concurrency limit not real: what runs on after its time is counted until it ends', async () => {
  const { clock, timeout } = make()
  const { fn, calls } = controlled()
  let running = 0
  const counted = context => {
    running++
    return fn(context).finally(() => running--)
  }
  for (let i = 0; i < 20; i++) watched(timeout.execute(counted))
  await clock.pass(100)
  assert.equal(timeout.explain().inFlight, 0)
  assert.equal(timeout.explain().abandoned, running)
  for (const { resolve } of calls.slice(0, 12)) resolve(1)
  await turn()
  assert.equal(running, 8)
  assert.equal(timeout.explain().abandoned, 8)
})

test('no AbortController unless the function asks for its signal', async () => {
  const Original = globalThis.AbortController
  let made = 0
  globalThis.AbortController = class extends Original {
    constructor() {
      super()
      made++
    }
  }
  try {
    const { clock, timeout } = make()
    const { signal } = new Original()
    await timeout.execute(async () => 1)
    await timeout.execute(
      async ({ attempt, deadline, remaining }) => [attempt, deadline, remaining],
      {
        signal,
      },
    )
    watched(timeout.execute(() => new Promise(() => {})))
    await clock.pass(100)
    assert.equal(made, 0)
    await timeout.execute(async context => context.signal)
    assert.equal(made, 1)
  } finally {
    globalThis.AbortController = Original
  }
})

test('the deadline of the call comes first, and the function knows what is left', async () => {
  const { clock, timeout } = make({ leastMs: 0 })
  const { fn, calls } = controlled()
  await clock.pass(1000)
  const call = watched(timeout.execute(fn, { deadline: deadlineIn(30, clock) }))
  assert.equal(calls[0].context.deadline, 1030)
  assert.equal(calls[0].context.remaining(), 30)
  await clock.pass(10)
  assert.equal(calls[0].context.remaining(), 20)
  await clock.pass(20)
  assert.equal(call.ended.error.timeoutMs, 30)
  assert.equal(calls[0].context.remaining(), 0)
  watched(timeout.execute(fn, { deadline: deadlineIn(5000, clock) }))
  assert.equal(calls[1].context.remaining(), 100, 'the smaller of both')
  let inner
  await timeout.execute(
    context =>
      timeout.execute(async given => {
        inner = given.remaining()
      }, context),
    { deadline: deadlineIn(7, clock) },
  )
  assert.equal(inner, 7, 'a context is the options of the next policy')
})

test('what cannot finish is not begun, and the reason is told', async () => {
  const { clock, timeout } = make({ minSamples: 5, name: 'search' })
  const refusals = []
  timeout.on('rejected', event => refusals.push(event))
  const deadline = left => ({ deadline: deadlineIn(left, clock) })
  const taking = async ms => {
    const { fn, calls } = controlled()
    const call = timeout.execute(fn, deadline(1000))
    await clock.pass(ms)
    calls[0].resolve(ms)
    await call
  }
  for (let i = 0; i < 5; i++) await taking(50)
  assert.ok(Math.abs((timeout.explain().medianMs ?? 0) - 50) < 3)
  let called = 0
  const fn = async () => {
    called++
  }
  const error = await timeout.execute(fn, deadline(40)).catch(error => error)
  assert.ok(error instanceof RejectedError)
  assert.equal(error.code, 'SEAWALL_DEADLINE')
  assert.equal(error.rule, 'tooShort')
  assert.equal(error.policy, 'search')
  assert.equal(error.counts.remainingMs, 40)
  assert.ok(error.counts.leastMs > 46)
  const passed = await timeout.execute(fn, { deadline: clock.now() - 1 }).catch(error => error)
  assert.equal(passed.rule, 'deadlinePassed')
  assert.equal(called, 0)
  assert.equal(refusals.length, 2)
  assert.equal(timeout.explain().refused, 2)
  await timeout.execute(fn, deadline(60))
  assert.equal(called, 1)
  await clock.pass(60_000)
  await timeout.execute(fn, deadline(5))
  assert.equal(called, 2, 'old latencies forbid nothing')
  const fixed = make({ leastMs: 20 })
  const short = { deadline: deadlineIn(19, fixed.clock) }
  await assert.rejects(fixed.timeout.execute(fn, short), { rule: 'tooShort' })
})

test('a time-out that is told for each call', async () => {
  const seen = []
  const { clock, timeout } = make({
    timeoutMs: context => {
      seen.push(context.remaining())
      return seen.length * 10
    },
    leastMs: 0,
  })
  const { fn } = controlled()
  const [a, b] = [watched(timeout.execute(fn)), watched(timeout.execute(fn, { deadline: 15 }))]
  assert.deepEqual(seen, [Number.POSITIVE_INFINITY, 15])
  await clock.pass(10)
  assert.equal(a.ended.error.timeoutMs, 10)
  assert.equal(b.ended, undefined)
  await clock.pass(5)
  assert.equal(b.ended.error.timeoutMs, 15)
  for (const bad of [() => Number.NaN, () => -1, () => '5', () => assert.fail('thrown')]) {
    const other = make({ timeoutMs: bad, fallbackMs: 40 })
    const told = await warnings(async () => {
      const call = watched(other.timeout.execute(fn))
      await other.clock.pass(39)
      assert.equal(call.ended, undefined)
      await other.clock.pass(1)
      assert.equal(call.ended.error.timeoutMs, 40)
    })
    assert.equal(told.length, 1)
  }
})

test('a time-out that follows the latencies', async () => {
  const timeoutMs = { quantile: 0.9, factor: 2, minMs: 20, maxMs: 400 }
  const { clock, timeout } = make({ timeoutMs, minSamples: 10 })
  const taking = async ms => {
    const { fn, calls } = controlled()
    const call = watched(timeout.execute(fn))
    await clock.pass(ms)
    calls[0].resolve(ms)
    await call.done
    return call.ended
  }
  for (let i = 0; i < 9; i++) await taking(50)
  assert.equal(timeout.explain().timeoutMs, 400, 'too few to follow')
  await taking(50)
  const { timeoutMs: now, rule, samples, quantileMs } = timeout.explain()
  assert.equal(rule, 'quantile')
  assert.equal(samples, 10)
  assert.ok(now > 94 && now < 106, String(now))
  assert.ok(Math.abs((quantileMs ?? 0) * 2 - now) < 1)
  for (let i = 0; i < 40; i++) {
    const ended = await taking(350)
    if (ended.value) break
    assert.ok(ended.error instanceof TimeoutError)
  }
  assert.deepEqual(
    await taking(350),
    { value: 350 },
    'time-outs push it up, so it finds its way back',
  )
  for (let i = 0; i < 900; i++) await taking(1)
  assert.equal(timeout.explain().timeoutMs, 20)
})

test('failures are not measured', async () => {
  const { clock, timeout } = make({ timeoutMs: { quantile: 0.5 }, minSamples: 1 })
  for (let i = 0; i < 50; i++) await timeout.tryExecute(() => Promise.reject(new Error('refused')))
  await clock.pass(1)
  assert.equal(timeout.explain().samples, 0)
})

test('a result that is ready when the loop is free again wins over the late time-out', async () => {
  const { clock, timeout } = make()
  const { fn, calls } = controlled()
  const [ready, not] = [watched(timeout.execute(fn)), watched(timeout.execute(fn))]
  await clock.block(400, () => calls[0].resolve('was there'))
  assert.deepEqual(ready.ended, { value: 'was there' })
  assert.equal(not.ended.error.blockedMs, 300)
  assert.match(not.ended.error.message, /event loop was blocked for 300 ms/)
  const { timedOut, blocked } = timeout.explain()
  assert.deepEqual([timedOut, blocked], [1, 1])
})

test('trap: self-inflicted: a blocked event loop opens no breaker, a slow other side does', async () => {
  const { clock, timeout } = make()
  const breaker = new CircuitBreaker({ threshold: 3, clock })
  const hang = () => watched(breaker.execute(() => timeout.execute(() => new Promise(() => {}))))
  const blocked = Array.from({ length: 50 }, hang)
  await clock.block(500)
  assert.ok(blocked.every(({ ended }) => ended.error.blockedMs === 400))
  assert.equal(breaker.getState().state, 'closed')
  const slow = Array.from({ length: 3 }, hang)
  await clock.pass(100)
  assert.ok(slow.every(({ ended }) => ended.error.code === 'SEAWALL_TIMEOUT'))
  assert.equal(breaker.getState().state, 'open')
})

test('a timer that is a little late blames nobody else', async () => {
  for (const [lateMs, block, want] of [
    [undefined, 150, undefined],
    [undefined, 151, 51],
    [10, 112, 12],
    [0, 106, 6],
  ]) {
    const { clock, timeout } = make({ lateMs })
    const call = watched(timeout.execute(() => new Promise(() => {})))
    await clock.block(block)
    assert.equal(call.ended.error.blockedMs, want)
  }
})

test('trap: self-inflicted: a blocked event loop fails no call whose answer has come', async () => {
  const hang = createServer(() => {}).listen(0, '127.0.0.1')
  await new Promise(resolve => hang.once('listening', resolve))
  const hanging = /** @type {import('node:net').AddressInfo} */ (hang.address()).port
  try {
    const timeout = new Timeout({ timeoutMs: 100 })
    let answer = () => {}
    const ready = watched(
      timeout.execute(
        () =>
          new Promise(resolve => {
            answer = () => resolve('ready')
          }),
      ),
    )
    const never = watched(timeout.execute(() => fetch(`http://127.0.0.1:${hanging}/`)))
    await sleep(5)
    // Ready in the poll phase of the turn after the block, as an answer in a socket is.
    const { port1, port2 } = new MessageChannel()
    port2.onmessage = () => answer()
    port1.postMessage('from outside')
    const end = performance.now() + 300
    while (performance.now() < end);
    await sleep(20)
    port1.close()
    assert.deepEqual(ready.ended, { value: 'ready' })
    const { error } = never.ended
    assert.ok(error.blockedMs > 150 && error.blockedMs < 400, String(error.blockedMs))
  } finally {
    hang.closeAllConnections()
    hang.close()
  }
})

test('options change and latencies stay; calls under way keep their time', async () => {
  const { clock, timeout } = make()
  const { fn } = controlled()
  const before = watched(timeout.execute(fn))
  timeout.update({ timeoutMs: 30 })
  const after = watched(timeout.execute(fn))
  await clock.pass(30)
  assert.equal(before.ended, undefined)
  assert.equal(after.ended.error.timeoutMs, 30)
  await clock.pass(70)
  assert.equal(before.ended.error.timeoutMs, 100)
  assert.throws(() => timeout.update({ timeoutMs: 0 }), { option: 'timeoutMs' })
  assert.equal(timeout.explain().timeoutMs, 30)
  timeout.update({ timeoutMs: Infinity, mode: 'cooperative' })
  const { timeoutMs, mode } = timeout.explain()
  assert.deepEqual([timeoutMs, mode], [Infinity, 'cooperative'])
  const endless = watched(timeout.execute(fn))
  await clock.pass(1e9)
  assert.equal(endless.ended, undefined)
})

test('explains itself', async () => {
  const { clock, timeout } = make({ name: 'db' })
  const { fn } = controlled()
  watched(timeout.execute(fn))
  await clock.pass(40)
  assert.deepEqual(timeout.explain(), {
    rule: 'fixed',
    mode: 'hard',
    name: 'db',
    timeoutMs: 100,
    leastMs: 0,
    samples: 0,
    medianMs: undefined,
    quantileMs: undefined,
    inFlight: 1,
    abandoned: 0,
    timedOut: 0,
    blocked: 0,
    refused: 0,
    nextMs: 60,
  })
})

test('says when the next time is up, also of a call that has less than those before it', async () => {
  const { clock, timeout } = make()
  const { fn } = controlled()
  watched(timeout.execute(fn))
  watched(timeout.execute(fn, { deadline: clock.now() + 30 }))
  await clock.pass(10)
  assert.equal(timeout.explain().nextMs, 20)
  await clock.pass(20)
  assert.equal(timeout.explain().nextMs, 70)
})

test('a listener that throws changes no result', async () => {
  const { clock, timeout } = make()
  const events = []
  timeout.on('timeout', event => {
    events.push(event)
    throw new Error('listener')
  })
  const told = await warnings(async () => {
    const call = watched(timeout.execute(() => new Promise(() => {})))
    await clock.pass(100)
    assert.ok(call.ended.error instanceof TimeoutError)
    assert.deepEqual(events, [{ error: call.ended.error, timeoutMs: 100, blockedMs: undefined }])
  })
  assert.equal(told.length, 1)
})

test('options out of range are named', () => {
  const refused = (options, option, message = /./) =>
    assert.throws(
      () => new Timeout(options),
      error =>
        error instanceof OptionError && error.option === option && message.test(error.message),
    )
  refused({}, 'timeoutMs', /must be given/)
  refused({ timeoutMs: 0 }, 'timeoutMs', /above 0, got 0/)
  refused({ timeoutMs: Number.NaN }, 'timeoutMs')
  refused({ timeoutMs: '5' }, 'timeoutMs')
  refused({ timeoutMs: null }, 'timeoutMs')
  refused({ timeoutMs: {} }, 'timeoutMs.quantile')
  refused({ timeoutMs: { quantile: 2 } }, 'timeoutMs.quantile', /at most 1, got 2/)
  refused({ timeoutMs: { quantile: 0.5, factor: 0 } }, 'timeoutMs.factor')
  refused({ timeoutMs: { quantile: 0.5, minMs: 9, maxMs: 8 } }, 'timeoutMs.maxMs')
  refused({ timeoutMs: { quantile: 0.5, most: 8 } }, 'timeoutMs.most')
  refused({ timeoutMs: 5, mode: 'soft' }, 'mode')
  refused({ timeoutMs: 5, lateMS: 5 }, 'lateMS', /did you mean `lateMs`/)
  refused({ timeoutMs: 5, minSamples: 0 }, 'minSamples')
  refused({ timeoutMs: 5, leastMs: -1 }, 'leastMs')
  refused({ timeoutMs: 5, windowMs: 0 }, 'windowMs')
  refused({ timeoutMs: 5, fallbackMs: 0 }, 'fallbackMs')
})

test('disposed of: calls under way end in time, new ones are refused', async () => {
  const { clock, timeout } = make()
  const call = watched(timeout.execute(() => new Promise(() => {})))
  timeout[Symbol.dispose]()
  timeout[Symbol.dispose]()
  await assert.rejects(
    timeout.execute(async () => 1),
    { code: 'SEAWALL_DISPOSED' },
  )
  assert.throws(() => timeout.explain(), { code: 'SEAWALL_DISPOSED' })
  await clock.pass(100)
  assert.ok(call.ended.error instanceof TimeoutError)
})

test('the caller goes on in its own async context', async () => {
  const store = new AsyncLocalStorage()
  const { clock, timeout } = make()
  const seen = []
  const calls = ['a', 'b', 'c'].map(tenant =>
    store.run(tenant, async () => {
      await timeout.execute(() => new Promise(() => {})).catch(() => {})
      seen.push([tenant, store.getStore()])
    }),
  )
  await clock.pass(100)
  await Promise.all(calls)
  assert.deepEqual(seen, [
    ['a', 'a'],
    ['b', 'b'],
    ['c', 'c'],
  ])
})

test('a process lives as long as a call has time, and no longer', () => {
  const run = code => {
    const script = `import { Timeout } from 'seawall'; ${code}`
    const started = performance.now()
    const { stdout, status, stderr } = spawnSync(
      process.execPath,
      ['--input-type=module', '--eval', script],
      { cwd: import.meta.dirname, encoding: 'utf8' },
    )
    return { stdout: stdout.trim(), status, stderr, ms: performance.now() - started }
  }
  const lost = run(`
    await new Timeout({ timeoutMs: 50 }).execute(() => new Promise(() => {})).catch(e => console.log(e.code))
  `)
  assert.equal(lost.stdout, 'SEAWALL_TIMEOUT', lost.stderr)
  const idle = run(`
    const timeout = new Timeout({ timeoutMs: 30_000 })
    console.log(await timeout.execute(async () => 'done'), process.getActiveResourcesInfo().includes('Timeout'))
  `)
  assert.equal(idle.stdout, 'done false', idle.stderr)
  assert.ok(idle.ms < 15_000)
})

test('works with fake timers, also where the clock is not faked', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const timeout = new Timeout({ timeoutMs: 60_000 })
    const calls = [1, 2].map(() => watched(timeout.execute(() => new Promise(() => {}))))
    mock.timers.tick(59_999)
    await turn()
    assert.equal(calls[0].ended, undefined)
    mock.timers.tick(1)
    await turn()
    assert.equal(calls[0].ended.error.timeoutMs, 60_000)
    mock.timers.tick(10)
    await turn()
    assert.equal(calls[1].ended.error.timeoutMs, 60_000)
  } finally {
    mock.timers.reset()
  }
})

test('a wait beyond the range of timers does not end at once', async () => {
  const { clock, timeout } = make({ timeoutMs: 2 ** 32 })
  const call = watched(timeout.execute(() => new Promise(() => {})))
  await clock.pass(2 ** 32 - 1)
  assert.equal(call.ended, undefined)
  await clock.pass(1)
  assert.equal(call.ended.error.timeoutMs, 2 ** 32)
})

test('a handle is given back once: what is collected takes nothing from others', async () => {
  const { gc } = globalThis
  assert.ok(gc, 'run with --expose-gc')
  const make = dispose => {
    const made = Array.from({ length: 50 }, () => new Timeout({ timeoutMs: { quantile: 0.5 } }))
    if (dispose) for (const timeout of made) timeout[Symbol.dispose]()
  }
  make(true)
  const clock = new VirtualClock()
  const kept = Array.from({ length: 60 }, (_, i) => new Timeout({ timeoutMs: 10 + i, clock }))
  for (let i = 0; i < 5; i++) {
    gc()
    await turn()
  }
  make(false)
  for (const [i, timeout] of kept.entries()) {
    timeout.update({ leastMs: 5 })
    assert.equal(timeout.explain().timeoutMs, 10 + i)
    assert.equal(timeout.explain().leastMs, 5)
  }
})

test('headers carry the time left', () => {
  const clock = new VirtualClock()
  assert.equal(deadlineHeader(1500.9, clock), '1500m')
  assert.equal(deadlineHeader(-5, clock), '0m')
  assert.equal(deadlineHeader(2e9, clock), '2000000S')
  assert.equal(deadlineHeader(Number.MAX_VALUE, clock), '99999999S')
  assert.equal(deadlineHeader(Infinity, clock), undefined)
  assert.equal(deadlineFrom('1500m', { clock }), 1500)
  assert.equal(deadlineFrom('2S', { clock, maxMs: 1000 }), 1000)
  assert.equal(deadlineFrom('250', { clock, maxMs: 1000 }), 250)
  for (const header of [undefined, null, '', '-1m', 'soon', '1e3', '1.5S']) {
    assert.equal(deadlineFrom(header, { clock }), undefined)
    assert.equal(deadlineFrom(header, { clock, maxMs: 70 }), 70)
  }
  assert.throws(() => deadlineIn(-1), OptionError)
  assert.throws(() => deadlineIn(Number.NaN), OptionError)
  assert.equal(deadlineIn(5, clock), 5)
})

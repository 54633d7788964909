// @ts-check
import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { mock, test } from 'node:test'
import {
  connectionSchedule,
  constant,
  createRetryWrapper,
  decorrelated,
  requestSchedule,
  tryRetry,
  withRetry,
} from 'seawall'

const transient = (code = 'ECONNREFUSED') => Object.assign(new Error(code), { code })

/** A function that fails so many times and then answers 'ok'. */
function failing(times, make = () => transient()) {
  const fn = async () => {
    fn.calls++
    if (fn.calls <= times) throw make()
    return 'ok'
  }
  fn.calls = 0
  return fn
}

/** A clock that jumps to each timer and notes the waits. */
function jumping() {
  let now = 0
  const clock = {
    waits: /** @type {number[]} */ ([]),
    cleared: 0,
    now: () => now,
    setTimer(fn, ms) {
      clock.waits.push(ms)
      return setImmediate(() => {
        now += ms
        fn()
      })
    },
    clearTimer(timer) {
      clock.cleared++
      clearImmediate(timer)
    },
  }
  return clock
}

/** Runs `fn` with warnings gathered. */
async function warnings(fn) {
  const texts = []
  const listen = warning => texts.push(String(warning))
  process.on('warning', listen)
  try {
    await fn()
    await new Promise(setImmediate)
  } finally {
    process.off('warning', listen)
  }
  return texts
}

test('the first call is made at once, and a success is passed on', async () => {
  let called = false
  const promise = withRetry(async () => {
    called = true
    return 5
  })
  assert.ok(called)
  assert.equal(await promise, 5)
})

test('waits 100, 200, 400, 500 on the global timer', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const fn = failing(4)
    const promise = withRetry(fn, {
      maxAttempts: 5,
      delayMs: 100,
      maxDelayMs: 500,
      jitterFactor: 0,
    })
    for (const [calls, wait] of [
      [1, 100],
      [2, 200],
      [3, 400],
      [4, 500],
    ]) {
      await new Promise(setImmediate)
      assert.equal(fn.calls, calls)
      mock.timers.tick(wait - 1)
      await new Promise(setImmediate)
      assert.equal(fn.calls, calls, `called before ${wait} ms`)
      mock.timers.tick(1)
    }
    assert.equal(await promise, 'ok')
    assert.equal(fn.calls, 5)
  } finally {
    mock.timers.reset()
  }
})

test('jitter: a quarter more or less, also above the cap; none without backoff', async () => {
  const waits = []
  for (let seed = 0; seed < 300; seed++) {
    const clock = jumping()
    await withRetry(failing(1), { delayMs: 1000, maxDelayMs: 1000, seed, clock })
    waits.push(...clock.waits)
  }
  assert.ok(waits.every(wait => wait >= 750 && wait <= 1250))
  assert.ok(Math.min(...waits) < 800 && Math.max(...waits) > 1200)
  const clock = jumping()
  await withRetry(failing(2), { delayMs: 70, backoff: false, clock })
  assert.deepEqual(clock.waits, [70, 70])
})

test('maxAttempts counts all calls; the very error is handed on', async () => {
  const error = transient()
  const fn = failing(99, () => error)
  const clock = jumping()
  await assert.rejects(withRetry(fn, { clock }), thrown => thrown === error)
  assert.equal(fn.calls, 3)
  const other = failing(99)
  await assert.rejects(withRetry(other, { maxAttempts: 1 }))
  assert.equal(other.calls, 1)
})

test('what is not transient is not repeated; a synchronous throw counts as a failure', async () => {
  const fn = failing(9, () => new Error('no code'))
  await assert.rejects(withRetry(fn), /no code/)
  assert.equal(fn.calls, 1)
  let calls = 0
  const clock = jumping()
  const value = await withRetry(
    () => {
      if (++calls < 3) throw transient()
      return /** @type {any} */ (calls)
    },
    { clock },
  )
  assert.equal(value, 3)
})

test('the two sentences, as rejections, before the function is called', async () => {
  const fn = failing(0)
  const refused = (options, message) => assert.rejects(withRetry(fn, options), { message })
  await refused({ maxAttempts: 0 }, 'maxAttempts must be at least 1, got 0')
  await refused({ maxAttempts: -1 }, 'maxAttempts must be at least 1, got -1')
  await refused(
    { delayMs: 200, maxDelayMs: 100 },
    'maxDelayMs (100) must be greater than or equal to delayMs (200)',
  )
  await refused(
    { maxDelayMs: 100 },
    'maxDelayMs (100) must be greater than or equal to delayMs (1000)',
  )
  assert.equal(fn.calls, 0)
})

test('FIX 9: maxAttempts must be a whole number', async () => {
  const fn = failing(0)
  await assert.rejects(
    withRetry(fn, { maxAttempts: Number.NaN }),
    /maxAttempts must be at least 1, got NaN/,
  )
  await assert.rejects(withRetry(fn, { maxAttempts: 1.5 }), { option: 'maxAttempts' })
  assert.equal(fn.calls, 0)
  assert.equal(await withRetry(fn, { maxAttempts: Infinity }), 'ok')
})

test('FIX 10: a first wait above 30 s needs no maxDelayMs', async () => {
  const clock = jumping()
  await withRetry(failing(1), { delayMs: 60_000, jitterFactor: 0, clock })
  await withRetry(failing(1), { delayMs: 60_000, backoff: false, clock })
  assert.deepEqual(clock.waits, [60_000, 60_000])
})

test('FIX 11: onRetry is told before the wait; what it throws hides nothing', async () => {
  const seen = []
  const clock = jumping()
  const onRetry = (attempt, error) => {
    seen.push([attempt, error.code, clock.waits.length])
    throw new Error('listener')
  }
  const texts = await warnings(async () => {
    assert.equal(await withRetry(failing(2), { onRetry, clock }), 'ok')
  })
  assert.deepEqual(seen, [
    [1, 'ECONNREFUSED', 0],
    [2, 'ECONNREFUSED', 1],
  ])
  assert.equal(texts.filter(text => text.includes('listener')).length, 2)
  const rejecting = await warnings(() =>
    withRetry(failing(1), {
      clock,
      onRetry: /** @type {any} */ (async () => Promise.reject(new Error('late'))),
    }),
  )
  assert.ok(rejecting.some(text => text.includes('late')))
})

test('FIX 11: an asynchronous shouldRetry is awaited; one that throws is no, and is reported', async () => {
  const clock = jumping()
  const no = failing(9)
  await assert.rejects(withRetry(no, { shouldRetry: async () => false, clock }), {
    code: 'ECONNREFUSED',
  })
  assert.equal(no.calls, 1)
  const yes = failing(2, () => new Error('anything'))
  assert.equal(await withRetry(yes, { shouldRetry: async () => true, clock }), 'ok')
  for (const shouldRetry of [
    () => {
      throw new Error('judge')
    },
    async () => {
      throw new Error('judge')
    },
  ]) {
    const fn = failing(9)
    const texts = await warnings(() =>
      assert.rejects(withRetry(fn, { shouldRetry, clock }), { code: 'ECONNREFUSED' }),
    )
    assert.equal(fn.calls, 1)
    assert.ok(texts.some(text => text.includes('judge')))
  }
})

test('shouldRetry is not asked about the last failure', async () => {
  let asked = 0
  const shouldRetry = () => {
    asked++
    return true
  }
  await assert.rejects(withRetry(failing(9), { shouldRetry, clock: jumping() }))
  assert.equal(asked, 2)
})

test('FIX 13: what must not be carried out twice is repeated only if it was surely not carried out', async () => {
  const clock = jumping()
  for (const code of ['ECONNRESET', 'EPIPE', 'ETIMEDOUT']) {
    const once = failing(1, () => transient(code))
    await assert.rejects(withRetry(once, { idempotent: false, clock }), { code })
    assert.equal(once.calls, 1)
    assert.equal(
      await withRetry(
        failing(1, () => transient(code)),
        { clock },
      ),
      'ok',
      'by default it is',
    )
  }
  assert.equal(await withRetry(failing(1), { idempotent: false, clock }), 'ok')
  const unknown = failing(1, () => new Error('unknown'))
  await assert.rejects(withRetry(unknown, { idempotent: false, shouldRetry: () => true, clock }))
  assert.equal(unknown.calls, 1)
})

test('FIX 14: an abort interrupts the wait at once, with its reason, and nothing is called after', async () => {
  const control = new AbortController()
  const fn = failing(9)
  const promise = withRetry(fn, { delayMs: 60_000, signal: control.signal })
  await new Promise(setImmediate)
  const reason = new Error('client left')
  control.abort(reason)
  await assert.rejects(promise, thrown => thrown === reason)
  assert.equal(fn.calls, 1)
  assert.equal(getEventListeners(control.signal, 'abort').length, 0)
})

test('FIX 14: aborted before, nothing is called; aborted during a call, its error is kept', async () => {
  const fn = failing(0)
  const reason = new Error('too late')
  await assert.rejects(
    withRetry(fn, { signal: AbortSignal.abort(reason) }),
    thrown => thrown === reason,
  )
  assert.equal(fn.calls, 0)
  const control = new AbortController()
  const real = transient()
  let calls = 0
  await assert.rejects(
    withRetry(
      async () => {
        calls++
        control.abort()
        throw real
      },
      { signal: control.signal },
    ),
    thrown => thrown === real,
  )
  assert.equal(calls, 1)
  const inListener = new AbortController()
  await assert.rejects(
    withRetry(failing(9), {
      signal: inListener.signal,
      onRetry: () => inListener.abort(reason),
      delayMs: 60_000,
    }),
    thrown => thrown === reason,
  )
})

test('FIX 14: a wait that would end past maxElapsedMs is not begun', async () => {
  const clock = jumping()
  const fn = failing(99)
  await assert.rejects(
    withRetry(fn, { maxAttempts: 99, delayMs: 100, jitterFactor: 0, maxElapsedMs: 700, clock }),
    { code: 'ECONNREFUSED' },
  )
  assert.deepEqual(clock.waits, [100, 200, 400])
  assert.equal(fn.calls, 4)
})

test('no listener leak: 10,000 retries on one long-lived signal leave none', async () => {
  const { signal } = new AbortController()
  const clock = jumping()
  let most = 0
  for (let round = 0; round < 100; round++) {
    await Promise.all(
      Array.from({ length: 100 }, (_, i) => {
        const end = withRetry(failing(i % 3), { signal, clock, delayMs: 1, maxAttempts: 2 }).catch(
          () => {},
        )
        return end
      }),
    )
    most = Math.max(most, getEventListeners(signal, 'abort').length)
  }
  assert.equal(most, 0)
})

test('a Retry-After is the least wait; a longer one than allowed ends the call', async () => {
  const asks = ms =>
    failing(1, () =>
      Object.assign(new Error('busy'), { status: 503, headers: { 'retry-after-ms': String(ms) } }),
    )
  const clock = jumping()
  const options = { delayMs: 100, jitterFactor: 0, shouldRetry: () => true, clock }
  await withRetry(asks(2500), options)
  await withRetry(asks(5), options)
  await withRetry(asks(2500), { ...options, respectRetryAfter: false })
  await withRetry(asks(30_000), options)
  assert.deepEqual(clock.waits, [2500, 100, 100, 30_000])
  await assert.rejects(withRetry(asks(30_001), options))
  await assert.rejects(withRetry(asks(11), { ...options, maxRetryAfterMs: 10 }))
  assert.equal(clock.waits.length, 4)
})

test('backoff takes a schedule or its options; one that ends sets the number of calls', async () => {
  const clock = jumping()
  const request = failing(99)
  await assert.rejects(withRetry(request, { backoff: requestSchedule(), clock }))
  assert.deepEqual(clock.waits, [10, 20, 40])
  const endless = failing(99)
  await assert.rejects(withRetry(endless, { backoff: connectionSchedule(), clock }))
  assert.equal(endless.calls, 3)
  clock.waits.length = 0
  await withRetry(failing(2), {
    backoff: { strategy: 'constant', delayMs: 8, jitter: 'none' },
    clock,
  })
  assert.deepEqual(clock.waits, [8, 8])
  const schedule = constant({ delayMs: 5 })
  await assert.rejects(withRetry(request, { backoff: schedule, delayMs: 5 }), { option: 'delayMs' })
  await assert.rejects(withRetry(request, { backoff: { dleayMs: 5 } }), {
    code: 'SEAWALL_INVALID_OPTION',
  })
})

test('a seeded schedule gives the same waits again, and runs beside each other differ', async () => {
  const run = async () => {
    const clock = jumping()
    const backoff = constant({ delayMs: 1000, jitter: 'full', seed: 4 })
    await withRetry(failing(2), { backoff, clock })
    await withRetry(failing(2), { backoff, clock })
    return clock.waits
  }
  const waits = await run()
  assert.deepEqual(await run(), waits)
  assert.equal(new Set(waits).size, 4)
})

test('options are refused before the function is called', async () => {
  const fn = failing(0)
  const refused = (options, option) =>
    assert.rejects(withRetry(fn, options), { name: 'OptionError', option })
  await refused({ maxAttempt: 3 }, 'maxAttempt')
  await refused({ delayMs: '5' }, 'delayMs')
  await refused({ delayMs: -5 }, 'delayMs')
  await refused({ delayMs: Number.NaN }, 'delayMs')
  await refused({ jitterFactor: -1 }, 'jitterFactor')
  await refused({ maxElapsedMs: -1 }, 'maxElapsedMs')
  await refused({ maxRetryAfterMs: -1 }, 'maxRetryAfterMs')
  await refused({ shouldRetry: true }, 'shouldRetry')
  await refused(null, '')
  assert.equal(fn.calls, 0)
})

test('what passes without the engine passes with it', async () => {
  // The quick look in withRetry must not let through what the engine refuses at the first failure.
  const clock = jumping()
  const values = [0, 1, 2.5, 1e9, Number.MAX_VALUE, Number.MIN_VALUE]
  const texts = await warnings(async () => {
    for (const key of ['delayMs', 'maxElapsedMs', 'jitterFactor', 'maxRetryAfterMs', 'seed']) {
      for (const value of values) {
        await withRetry(failing(1), { [key]: value, shouldRetry: () => true, clock }).catch(
          () => {},
        )
      }
    }
  })
  assert.deepEqual(texts, [])
})

test('a wait beyond the range of timers does not fire at once', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const fn = failing(1)
    const promise = withRetry(fn, { delayMs: 2 ** 31 + 5, backoff: false })
    await new Promise(setImmediate)
    mock.timers.tick(2 ** 31 - 1)
    await new Promise(setImmediate)
    assert.equal(fn.calls, 1)
    mock.timers.tick(6)
    assert.equal(await promise, 'ok')
  } finally {
    mock.timers.reset()
  }
})

test('createRetryWrapper: the same arguments each time, options checked per call', async () => {
  const seen = []
  const clock = jumping()
  const wrapped = createRetryWrapper(
    async (...args) => {
      seen.push(args)
      if (seen.length < 3) throw transient()
      return args.length
    },
    { clock },
  )
  assert.equal(await wrapped('a', 2), 2)
  assert.deepEqual(seen, [
    ['a', 2],
    ['a', 2],
    ['a', 2],
  ])
  const bad = createRetryWrapper(async () => 1, { maxAttempts: 0 })
  await assert.rejects(bad(), /at least 1, got 0/)
})

test('tryRetry answers how it ended', async () => {
  assert.deepEqual(await tryRetry(async () => 7), { ok: true, value: 7 })
  const error = new Error('no')
  assert.deepEqual(await tryRetry(() => Promise.reject(error)), { ok: false, error })
})

test('decorrelated jitter follows the wait before', async () => {
  const clock = jumping()
  const backoff = decorrelated({ delayMs: 10, maxDelayMs: 1e6 })
  await withRetry(failing(12), { maxAttempts: 13, backoff, seed: 3, clock })
  assert.equal(clock.waits.length, 12)
  for (const [i, wait] of clock.waits.entries()) {
    const before = i === 0 ? 10 : clock.waits[i - 1]
    assert.ok(wait >= 10 && wait <= Math.ceil(before * 3), `${before} ms, then ${wait} ms`)
  }
  assert.ok(Math.max(...clock.waits) > 30, 'never more than three times the first')
})

test('a wait of the caller: its own, none at all, or what is none', async () => {
  const clock = jumping()
  const waits = [5, 0, -1, Number.NaN, undefined]
  const delayFor = () => /** @type {number} */ (waits.shift())
  await withRetry(failing(5), { maxAttempts: 6, delayMs: 40, backoff: false, delayFor, clock })
  assert.deepEqual(clock.waits, [5, 0, 40, 40, 40])
})

test('a filter that takes its time leaves no listener on the signal', async () => {
  const { signal } = new AbortController()
  const shouldRetry = /** @type {any} */ (async () => true)
  const options = { maxAttempts: 4, delayMs: 0, shouldRetry, signal }
  assert.equal(await withRetry(failing(3), options), 'ok')
  assert.equal(getEventListeners(signal, 'abort').length, 0)
})

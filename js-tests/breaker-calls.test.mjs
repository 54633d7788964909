// How a circuit breaker treats the functions, promises and callbacks it is given.
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { isNativeError } from 'node:util/types'
import { runInNewContext } from 'node:vm'
import { CircuitBreaker, CircuitBreakerError, SeawallError } from 'seawall'
import {
  down,
  failing,
  hanging,
  ManualClock,
  onClock,
  outcome,
  succeeding,
  warnings,
} from './breaker-tools.mjs'

/** A promise with a habit of its own: it counts how often it is awaited. */
class Counting extends Promise {
  static awaited = 0
  // biome-ignore lint/suspicious/noThenProperty: the point of the test
  then(...handlers) {
    Counting.awaited++
    return super.then(...handlers)
  }
}

/** Starts working when it is first awaited, as query builders do. */
function lazy(work) {
  // biome-ignore lint/suspicious/noThenProperty: the point of the test
  return { then: (ok, err) => work().then(ok, err) }
}

/** The breakers a call may meet: each must treat a call the same. */
const kinds = {
  'on the fast path': async () => {
    const breaker = new CircuitBreaker({ threshold: 50 })
    await breaker.execute(() => 0)
    return breaker
  },
  'that is new': async () => new CircuitBreaker({ threshold: 50 }),
  'that is judged by slow calls': async () =>
    new CircuitBreaker({ slowCallRate: 1, slowCallMs: 60_000, minimumCalls: 50 }),
  'of a window of time': async () => {
    const breaker = new CircuitBreaker({ failureRate: 1, window: { ms: 60_000 }, minimumCalls: 50 })
    await breaker.execute(() => 0)
    return breaker
  },
  'with a filter of results': async () =>
    new CircuitBreaker({ threshold: 50, isFailureResult: () => false }),
  'with a probe due': async () => {
    const halfOpen = { permits: 99, successRate: 0.01 }
    const { breaker, clock } = onClock({ threshold: 50, resetTimeMs: 1, halfOpen })
    await breaker.forceOpen()
    clock.pass(2)
    return breaker
  },
  'in a dry run': async () => new CircuitBreaker({ mode: 'dryRun' }),
  'that is disabled': async () => new CircuitBreaker({ mode: 'disabled' }),
}

for (const [kind, make] of Object.entries(kinds)) {
  test(`a breaker ${kind} answers whatever the function answers`, async () => {
    const breaker = await make()
    const object = {}
    assert.equal(await breaker.execute(async () => object), object)
    assert.equal(await breaker.execute(() => object), object)
    assert.equal(await breaker.execute(() => undefined), undefined)
    assert.equal(await breaker.execute(() => null), null)
    assert.equal(await breaker.execute(() => lazy(async () => object)), object)
    assert.equal(await breaker.execute(() => runInNewContext('Promise.resolve(7)')), 7)
    assert.equal(await breaker.execute(() => new Counting(resolve => resolve(object))), object)
  })

  test(`a breaker ${kind} rejects with whatever the function throws or rejects with`, async () => {
    const breaker = await make()
    const throwing = error => () => {
      throw error
    }
    const thrown = [
      down,
      undefined,
      null,
      'text',
      Object.create(null),
      Object.freeze(new Error('frozen')),
    ]
    for (const error of thrown) {
      assert.deepEqual(await outcome(breaker.execute(throwing(error))), { error })
      assert.deepEqual(await outcome(breaker.execute(() => Promise.reject(error))), { error })
    }
    const then = {
      // biome-ignore lint/suspicious/noThenProperty: the point of the test
      get then() {
        throw down
      },
    }
    assert.equal((await outcome(breaker.execute(() => then))).error, down)
    assert.equal(
      (await outcome(breaker.execute(() => lazy(() => Promise.reject(down))))).error,
      down,
    )
    assert.equal((await outcome(breaker.execute(() => Counting.reject(down)))).error, down)
    const foreign = runInNewContext('Promise.reject(new Error("foreign"))')
    assert.equal((await outcome(breaker.execute(() => foreign))).error.message, 'foreign')
    const { failures } = breaker.explain().totals
    assert.equal(failures, thrown.length * 2 + 4)
  })

  test(`a breaker ${kind} answers a plain promise, whatever promise it was given`, async () => {
    const breaker = await make()
    for (const fn of [
      async () => 1,
      () => 1,
      () => new Counting(resolve => resolve(1)),
      () => lazy(async () => 1),
    ]) {
      const promise = breaker.execute(fn)
      assert.equal(Object.getPrototypeOf(promise), Promise.prototype)
      await promise
    }
  })

  test(`a breaker ${kind} calls the function at once, once, without arguments`, async t => {
    const breaker = await make()
    const fn = t.mock.fn(async () => 1)
    const promise = breaker.execute(fn)
    assert.equal(fn.mock.callCount(), 1)
    assert.equal(fn.mock.calls[0].arguments.length, 0)
    await promise
    const work = t.mock.fn(async () => 1)
    await breaker.execute(() => lazy(work))
    assert.equal(work.mock.callCount(), 1)
    assert.equal(fn.mock.callCount(), 1)
  })

  test(`a breaker ${kind} keeps the AsyncLocalStorage of each call`, async () => {
    const breaker = await make()
    const store = new AsyncLocalStorage()
    const seen = await Promise.all(
      ['a', 'b', 'c'].map(id =>
        store.run(id, async () => {
          const inside = await breaker.execute(async () => {
            const first = store.getStore()
            await null
            return first + (await store.run('x', async () => store.getStore())) + store.getStore()
          })
          return inside + store.getStore()
        }),
      ),
    )
    assert.deepEqual(seen, ['axaa', 'bxbb', 'cxcc'])
  })

  test(`a breaker ${kind} counts each call once`, async () => {
    const breaker = await make()
    const { successes, failures, neutral } = breaker.explain().totals
    await succeeding(breaker, 5)
    await failing(breaker, 3)
    const signal = AbortSignal.abort()
    await outcome(breaker.execute(async () => 1, { signal }))
    const after = breaker.explain().totals
    assert.deepEqual(
      [after.successes - successes, after.failures - failures, after.neutral - neutral],
      [5, 3, 0],
    )
  })

  test(`a breaker ${kind} counts a call as neutral whose signal was aborted meanwhile`, async () => {
    const breaker = await make()
    const { successes, failures, neutral } = breaker.explain().totals
    for (const end of ['succeed', 'fail']) {
      const aborter = new AbortController()
      const call = hanging(breaker, { signal: aborter.signal })
      aborter.abort()
      const result = await call[end](down)
      assert.equal(result.value ?? result.error, down)
    }
    const after = breaker.explain().totals
    assert.deepEqual(
      [after.successes - successes, after.failures - failures, after.neutral - neutral],
      [0, 0, 2],
    )
  })
}

test('the stack of an error shows no frame of the breaker behind the first await', async () => {
  const breaker = new CircuitBreaker()
  async function thrower() {
    await null
    throw new Error('deep')
  }
  const { error } = await outcome(breaker.execute(async () => await thrower()))
  assert.match(error.stack, /thrower/)
  assert.doesNotMatch(error.stack, /execute/)
})

test('a signal aborted before: not called, rejected with its reason, not counted', async t => {
  const breaker = new CircuitBreaker()
  const fn = t.mock.fn()
  const reason = new Error('gone')
  const options = { signal: AbortSignal.abort(reason) }
  assert.equal((await outcome(breaker.execute(fn, options))).error, reason)
  assert.deepEqual(await breaker.tryExecute(fn, options), { ok: false, error: reason })
  await breaker.forceOpen()
  assert.equal((await outcome(breaker.execute(fn, options))).error, reason)
  assert.deepEqual(await breaker.tryExecute(fn, options), { ok: false, error: reason })
  assert.equal(fn.mock.callCount(), 0)
  const { totals } = breaker.explain()
  assert.deepEqual(
    [totals.successes, totals.failures, totals.neutral, totals.rejected],
    [0, 0, 0, 0],
  )
})

test('an aborted probe decides nothing and frees its place', async () => {
  const { breaker, clock } = onClock({ threshold: 1, resetTimeMs: 10 })
  await failing(breaker, 1)
  clock.pass(11)
  const aborter = new AbortController()
  const probe = hanging(breaker, { signal: aborter.signal })
  aborter.abort()
  await probe.fail()
  assert.deepEqual(
    [breaker.getState().state, breaker.getState().isTestingHalfOpen],
    ['half-open', false],
  )
  await succeeding(breaker, 1)
  assert.equal(breaker.isClosed(), true)
})

test('a signal leaves no listener behind', async t => {
  const breaker = new CircuitBreaker()
  const { signal } = new AbortController()
  const add = t.mock.method(signal, 'addEventListener')
  await breaker.execute(async () => 1, { signal })
  assert.equal(add.mock.callCount(), 0)
})

/** Counts `unhandledRejection`s in a process that ends by itself. */
function unhandled(body) {
  const script = `
    import { CircuitBreaker, CircuitBreakerError } from 'seawall'
    let count = 0
    process.on('unhandledRejection', () => count++)
    process.on('exit', () => console.log(count))
    const down = new Error('down')
    ${body}`
  const flags = ['--input-type=module', '-e', script]
  const { stdout, stderr } = spawnSync(process.execPath, flags, {
    cwd: import.meta.dirname,
    encoding: 'utf8',
  })
  assert.equal(stderr, '')
  return Number(stdout)
}

test('an ignored rejection is reported once, a handled one never', () => {
  const makers = {
    failure: 'const breaker = new CircuitBreaker()',
    refusal: 'const breaker = new CircuitBreaker(); await breaker.forceOpen()',
    probe: `let now = 0; const breaker = new CircuitBreaker({ resetTimeMs: 1, clock: { now: () => now } })
      await breaker.forceOpen(); now = 5`,
  }
  for (const [name, make] of Object.entries(makers)) {
    for (const fn of [
      '() => { throw down }',
      '() => Promise.reject(down)',
      'async () => { await null; throw down }',
    ]) {
      assert.equal(unhandled(`${make}; breaker.execute(${fn})`), 1, `${name} ${fn}`)
    }
    const fn = '() => { throw down }'
    assert.equal(unhandled(`${make}; breaker.execute(${fn}).catch(() => {})`), 0, name)
    assert.equal(
      unhandled(`${make}; const p = breaker.execute(${fn}); await null; p.catch(() => {})`),
      0,
      name,
    )
    assert.equal(unhandled(`${make}; breaker.tryExecute(${fn})`), 0, name)
  }
})

test('a refusal is an ordinary error to those who look', async () => {
  const { breaker, clock } = onClock({ threshold: 1, resetTimeMs: 1_000, name: undefined })
  await failing(breaker, 1)
  clock.pass(0.4)
  const { error } = await outcome(breaker.execute(async () => 1))
  assert.ok(isNativeError(error))
  assert.equal(String(error), 'CircuitBreakerError: Circuit breaker is open')
  assert.equal(error.stack, String(error))
  assert.equal(error.retryAfterMs, 1_000)
  assert.equal(error.policy, undefined)
  assert.equal(structuredClone(error).message, error.message)
  assert.equal(Object.keys(error).includes('stack'), false)
  const next = await outcome(breaker.execute(async () => 1))
  assert.notEqual(next.error, error)
})

test('refusals leave the limit of stack traces as it was', async () => {
  const breaker = new CircuitBreaker()
  await breaker.forceOpen()
  const limit = Error.stackTraceLimit
  const refused = [outcome(breaker.execute(() => 1)), breaker.tryExecute(() => 1)]
  assert.equal(Error.stackTraceLimit, limit)
  assert.match(new Error('own').stack, /\n/)
  for (const { error } of await Promise.all(refused))
    assert.equal(error.name, 'CircuitBreakerError')
  assert.equal(Error.stackTraceLimit, limit)
})

test('refusals work where the limit of stack traces is frozen', () => {
  const script = `import { CircuitBreaker, CircuitBreakerError } from 'seawall'
    const breaker = new CircuitBreaker(); await breaker.forceOpen()
    for (let i = 0; i < 2; i++) await breaker.execute(() => 1).catch(error => console.log(String(error)))`
  const flags = ['--frozen-intrinsics', '--no-warnings', '--input-type=module', '-e', script]
  const { stdout, stderr } = spawnSync(process.execPath, flags, {
    cwd: import.meta.dirname,
    encoding: 'utf8',
  })
  assert.equal(stdout, 'CircuitBreakerError: Circuit breaker is open\n'.repeat(2), stderr)
})

test('tryExecute answers values, errors and refusals as results', async () => {
  const { breaker, clock } = onClock({ threshold: 1, resetTimeMs: 1_000, name: undefined })
  assert.deepEqual(await breaker.tryExecute(async () => 7), { ok: true, value: 7 })
  const failed = await breaker.tryExecute(() => Promise.reject(down))
  assert.deepEqual(failed, { ok: false, error: down })
  assert.equal(failed.error, down)
  const refused = await breaker.tryExecute(async () => 7)
  assert.equal(refused.ok, false)
  assert.ok(refused.error instanceof CircuitBreakerError)
  assert.equal(refused.error, refused.error)
  assert.deepEqual([refused.error.reason, refused.error.retryAfterMs], ['open', 1_001])
  clock.pass(1_001)
  assert.deepEqual(await breaker.tryExecute(() => 8), { ok: true, value: 8 })
  assert.deepEqual(breaker.explain().totals, {
    successes: 2,
    failures: 1,
    neutral: 0,
    slow: 0,
    late: 0,
    rejected: 1,
  })
})

test('wrap passes this and arguments on', async () => {
  const breaker = new CircuitBreaker({ threshold: 1 })
  const service = {
    factor: 2,
    times: breaker.wrap(async function (a, b) {
      if (b === 0) throw down
      return this.factor * a * b
    }),
  }
  assert.equal(await service.times(3, 4), 24)
  assert.equal((await outcome(service.times(3, 0))).error, down)
  assert.equal((await outcome(service.times(3, 4))).error.reason, 'open')
})

test('acquire gives leave to one call, settled once', () => {
  const breaker = new CircuitBreaker({ threshold: 2 })
  breaker.acquire().success()
  const twice = breaker.acquire()
  twice.failure(down)
  twice.failure(down)
  twice.success()
  breaker.acquire().neutral()
  breaker.acquire()[Symbol.dispose]()
  const { successes, failures, neutral } = breaker.explain().totals
  assert.deepEqual([successes, failures, neutral], [1, 1, 2])
  assert.equal(breaker.getState().failures, 1)
  breaker.acquire().failure()
  assert.throws(() => breaker.acquire(), { name: 'CircuitBreakerError', reason: 'open' })
})

test('a permit disposed of gives the place of its probe back', async () => {
  const { breaker, clock } = onClock({ threshold: 1, resetTimeMs: 100 })
  await failing(breaker, 1)
  clock.pass(101)
  const permit = breaker.acquire()
  assert.throws(() => breaker.acquire(), { reason: 'probing', retryAfterMs: 100 })
  permit[Symbol.dispose]()
  breaker.acquire().success()
  assert.equal(breaker.isClosed(), true)
})

test('a permit of an earlier time decides nothing', async () => {
  const breaker = new CircuitBreaker({ threshold: 1 })
  const permit = breaker.acquire()
  await breaker.reset()
  permit.failure(down)
  assert.equal(breaker.isClosed(), true)
  assert.equal(breaker.explain().totals.late, 1)
})

test('callbacks that throw or reject are reported and change no result', async () => {
  const bad = [
    () => {
      throw new Error('callback')
    },
    async () => {
      throw new Error('callback')
    },
  ]
  for (const callback of bad) {
    for (const option of ['onStateChange', 'isFailure', 'isFailureResult', 'openFor']) {
      const clock = new ManualClock()
      const breaker = new CircuitBreaker({
        threshold: 1,
        resetTimeMs: 10,
        clock,
        [option]: callback,
      })
      const heard = await warnings(async () => {
        assert.deepEqual(await outcome(breaker.execute(() => Promise.reject(down))), {
          error: down,
        })
        assert.equal(breaker.isOpen(), true, option)
        clock.pass(11)
        assert.deepEqual(await outcome(breaker.execute(async () => 1)), { value: 1 })
        assert.equal(breaker.isClosed(), true, option)
      })
      assert.ok(heard.length > 0, option)
      for (const text of heard) {
        const where = option.startsWith('isFailure') ? 'a filter' : `\`${option}\``
        assert.ok(text.startsWith(`CircuitBreaker: ${where} threw: Error: callback`), text)
      }
    }
  }
})

test('listeners that throw or reject are reported and change no result', async () => {
  const { breaker, clock } = onClock({ threshold: 1, resetTimeMs: 10 })
  const after = []
  for (const event of ['stateChange', 'failure', 'rejected']) {
    breaker.on(event, () => {
      throw new Error(`${event} threw`)
    })
    breaker.on(event, async () => {
      throw new Error(`${event} rejected`)
    })
    breaker.on(event, () => after.push(event))
  }
  const heard = await warnings(async () => {
    assert.equal((await outcome(breaker.execute(() => Promise.reject(down)))).error, down)
    assert.equal((await outcome(breaker.execute(async () => 1))).error.reason, 'open')
    clock.pass(11)
    assert.deepEqual(await outcome(breaker.execute(async () => 1)), { value: 1 })
  })
  assert.deepEqual(after, ['stateChange', 'failure', 'rejected', 'stateChange', 'stateChange'])
  assert.equal(heard.length, 10)
  for (const event of ['stateChange', 'failure', 'rejected']) {
    for (const how of ['threw', 'rejected']) {
      const text = `CircuitBreaker: a listener of '${event}' threw: Error: ${event} ${how}`
      assert.ok(
        heard.some(message => message.startsWith(text)),
        text,
      )
    }
  }
})

test('events tell what happened, until the listener is taken away', async () => {
  const { breaker, clock } = onClock({ threshold: 1, resetTimeMs: 10 })
  const heard = []
  const off = ['stateChange', 'failure', 'rejected'].map(event =>
    breaker.on(event, ({ breaker: source, because: _, ...detail }) => {
      assert.equal(source, breaker)
      heard.push({ event, ...detail })
    }),
  )
  await failing(breaker, 1)
  await outcome(breaker.execute(async () => 1))
  await breaker.tryExecute(async () => 1)
  assert.throws(() => breaker.acquire())
  clock.pass(11)
  const probe = hanging(breaker)
  clock.pass(1)
  await outcome(breaker.execute(async () => 1))
  await probe.succeed(1)
  breaker.isolate()
  await outcome(breaker.execute(async () => 1))
  assert.deepEqual(heard, [
    { event: 'stateChange', from: 'closed', to: 'open' },
    { event: 'failure', error: down },
    ...Array(3).fill({ event: 'rejected', reason: 'open', retryAfterMs: 10.000001 }),
    { event: 'stateChange', from: 'open', to: 'half-open' },
    { event: 'rejected', reason: 'probing', retryAfterMs: 9 },
    { event: 'stateChange', from: 'half-open', to: 'closed' },
    { event: 'stateChange', from: 'closed', to: 'isolated' },
    { event: 'rejected', reason: 'isolated', retryAfterMs: undefined },
  ])
  for (const stop of off) stop()
  await breaker.forceOpen()
  await outcome(breaker.execute(async () => 1))
  assert.equal(heard.length, 10)
})

test('a listener may use the breaker', async () => {
  const breaker = new CircuitBreaker({ threshold: 1 })
  const inside = []
  breaker.on('stateChange', ({ to }) => {
    inside.push([to, breaker.getState().state])
    if (to === 'open') breaker.reset()
  })
  await failing(breaker, 1)
  assert.deepEqual(inside, [
    ['open', 'open'],
    ['closed', 'closed'],
  ])
  assert.equal(breaker.isClosed(), true)
})

test('a probe whose breaker a listener closes under it decides nothing', async () => {
  const clock = new ManualClock()
  const onStateChange = state => {
    if (state === 'half-open') breaker.reset()
  }
  const breaker = new CircuitBreaker({ threshold: 1, resetTimeMs: 10, clock, onStateChange })
  await failing(breaker, 1)
  clock.pass(11)
  const probe = hanging(breaker)
  assert.equal(breaker.isClosed(), true)
  await probe.succeed(1)
  assert.equal(breaker.explain().totals.late, 1)
})

test('two holders of a name hear of each other at their next call', async () => {
  const options = { name: 'heard by both', threshold: 1, clock: new ManualClock() }
  const one = new CircuitBreaker(options)
  const heard = []
  const other = new CircuitBreaker({ ...options, onStateChange: (...states) => heard.push(states) })
  await succeeding(other, 1)
  await failing(one, 1)
  assert.equal(other.isOpen(), true)
  assert.deepEqual(heard, [])
  await outcome(other.execute(async () => 1))
  assert.deepEqual(heard.splice(0), [['open', 'closed']])
  await one.reset()
  await succeeding(other, 1)
  assert.deepEqual(heard.splice(0), [['closed', 'open']])
  await failing(one, 1)
  await other.tryExecute(async () => 1)
  assert.deepEqual(heard, [['open', 'closed']])
})

test('a disposed breaker refuses to be used, and lets calls in flight end', async () => {
  const breaker = new CircuitBreaker({ threshold: 1 })
  await succeeding(breaker, 1)
  const calls = [
    hanging(breaker),
    hanging(breaker),
    hanging(breaker, { signal: new AbortController().signal }),
  ]
  const permit = breaker.acquire()
  const hold = breaker.isolate()
  breaker[Symbol.dispose]()
  breaker[Symbol.dispose]()
  assert.deepEqual(await calls[0].succeed(1), { value: 1 })
  assert.deepEqual(await calls[1].fail(), { error: down })
  assert.deepEqual(await calls[2].succeed(2), { value: 2 })
  permit.failure(down)
  hold[Symbol.dispose]()
  const gone = {
    name: 'SeawallError',
    code: 'SEAWALL_DISPOSED',
    message: 'CircuitBreaker: used after it was disposed',
  }
  for (const use of [
    'acquire',
    'getState',
    'isOpen',
    'isClosed',
    'explain',
    'isolate',
    'snapshot',
  ]) {
    assert.throws(() => breaker[use](), gone, use)
  }
  assert.throws(() => breaker.setMode('dryRun'), gone)
  for (const use of ['execute', 'reset', 'forceOpen'])
    await assert.rejects(
      breaker[use](() => 1),
      gone,
      use,
    )
  const { ok, error } = await breaker.tryExecute(() => 1)
  assert.equal(ok, false)
  assert.ok(error instanceof SeawallError)
  assert.equal(error.code, 'SEAWALL_DISPOSED')
})

test('a call in flight ends well when its breaker is gone and another has its place', async () => {
  const first = new CircuitBreaker({ threshold: 1 })
  await succeeding(first, 1)
  const calls = [hanging(first), hanging(first)]
  first[Symbol.dispose]()
  const second = new CircuitBreaker({ threshold: 1 })
  await calls[0].succeed(1)
  await calls[1].fail()
  assert.deepEqual(second.explain().totals, {
    successes: 0,
    failures: 0,
    neutral: 0,
    slow: 0,
    late: 0,
    rejected: 0,
  })
})

test('a refusal and a change of state say why', async () => {
  const { breaker, clock } = onClock({ failureRate: 0.5, window: { calls: 10 }, minimumCalls: 4 })
  const changes = []
  breaker.on('stateChange', ({ because }) => changes.push(because))
  await succeeding(breaker, 2)
  await failing(breaker, 2, Object.assign(new Error('x'), { code: 'ECONNRESET' }))
  const { error } = await outcome(breaker.execute(() => 1))
  assert.deepEqual(error.because, {
    rule: 'failure rate',
    counts: { calls: 4, failures: 2, slow: 0 },
    generation: 1,
    causes: [{ cause: 'ECONNRESET', count: 2 }],
  })
  assert.equal(error.because, error.because)
  assert.equal((await breaker.tryExecute(() => 1)).error.because.generation, 1)
  assert.equal(changes[0].opened.by, 'failure rate')
  clock.pass(1)
  const isolated = breaker.isolate()
  assert.equal((await outcome(breaker.execute(() => 1))).error.because.rule, 'failure rate')
  isolated[Symbol.dispose]()
  assert.equal(new CircuitBreakerError().because, undefined)
})

test('openFor: no time at all opens as well, what is no time does not', async () => {
  for (const [ms, by] of [
    [0, 'a result'],
    [-1, undefined],
    [Number.NaN, undefined],
    [null, undefined],
  ]) {
    const { breaker } = onClock({ openFor: () => ms })
    await failing(breaker, 1)
    assert.equal(breaker.explain().opened?.by, by, String(ms))
  }
})

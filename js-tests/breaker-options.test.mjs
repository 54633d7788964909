// What each option of a circuit breaker does, and what is said of one that cannot be.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CircuitBreaker, OptionError } from 'seawall'
import { failing, hanging, onClock, outcome, succeeding } from './breaker-tools.mjs'

const rejects = (breaker, reason) =>
  outcome(breaker.execute(async () => 1)).then(({ error }) => assert.equal(error?.reason, reason))

test('threshold counts failures in a row', async () => {
  const breaker = new CircuitBreaker({ threshold: 3 })
  await failing(breaker, 2)
  assert.equal(breaker.isClosed(), true)
  await failing(breaker, 1)
  assert.equal(breaker.explain().opened.by, 'consecutive failures')
})

test('withinMs makes threshold count within a time, whatever succeeded between', async () => {
  const { breaker, clock } = onClock({ threshold: 3, withinMs: 1_000 })
  for (let i = 0; i < 4; i++) {
    await failing(breaker, 1)
    await succeeding(breaker, 3)
    clock.pass(501)
  }
  assert.equal(breaker.isClosed(), true, 'never three within a second')
  clock.pass(-1)
  await failing(breaker, 1)
  await succeeding(breaker, 1)
  clock.pass(400)
  await failing(breaker, 1)
  assert.equal(breaker.explain().opened.by, 'failures within a time')
  assert.equal(breaker.explain().opened.failures, 3)
})

test('failureRate opens at a share of the last calls, once there are enough', async () => {
  const breaker = new CircuitBreaker({ failureRate: 0.5, window: { calls: 10 }, minimumCalls: 6 })
  await failing(breaker, 5)
  assert.equal(breaker.isClosed(), true)
  await succeeding(breaker, 1)
  assert.deepEqual(breaker.explain().opened, {
    by: 'failure rate',
    calls: 6,
    failures: 5,
    slow: 0,
    forMs: 60_000,
  })
})

test('a success that completes the minimum may open: it is judged', async () => {
  const breaker = new CircuitBreaker({ failureRate: 0.5, window: { calls: 100 }, minimumCalls: 10 })
  await failing(breaker, 6)
  await succeeding(breaker, 3)
  assert.equal(breaker.isClosed(), true)
  await succeeding(breaker, 1)
  assert.equal(breaker.isOpen(), true)
})

test('a window of calls forgets the oldest', async () => {
  const breaker = new CircuitBreaker({ failureRate: 0.5, window: { calls: 10 }, minimumCalls: 10 })
  await succeeding(breaker, 6)
  await failing(breaker, 4)
  await succeeding(breaker, 100_000)
  assert.deepEqual([breaker.explain().calls, breaker.explain().failures], [10, 0])
  await failing(breaker, 4)
  assert.equal(breaker.isClosed(), true)
  await failing(breaker, 1)
  assert.equal(breaker.isOpen(), true)
})

test('without a window: a hundred calls, judged from twenty on', async () => {
  const breaker = new CircuitBreaker({ failureRate: 1 })
  await failing(breaker, 19)
  assert.equal(breaker.isClosed(), true)
  await failing(breaker, 1)
  assert.equal(breaker.isOpen(), true)
  const calm = new CircuitBreaker({ failureRate: 1 })
  await failing(calm, 1)
  await succeeding(calm, 99)
  assert.deepEqual([calm.explain().calls, calm.explain().failures], [100, 1])
  await succeeding(calm, 1)
  assert.deepEqual([calm.explain().calls, calm.explain().failures], [100, 0])
})

test('a small window is its own minimum', async () => {
  const breaker = new CircuitBreaker({ failureRate: 0.5, window: { calls: 4 } })
  await failing(breaker, 3)
  assert.equal(breaker.isClosed(), true)
  await succeeding(breaker, 1)
  assert.equal(breaker.isOpen(), true)
})

test('a window of time slides in slices', async () => {
  const window = { ms: 1_000, slices: 4 }
  const { breaker, clock } = onClock({ failureRate: 0.5, window, minimumCalls: 4 })
  await failing(breaker, 3)
  clock.pass(999)
  assert.equal(breaker.explain().failures, 3)
  clock.pass(1)
  assert.equal(breaker.explain().failures, 0)
  await failing(breaker, 3)
  assert.equal(breaker.isClosed(), true)
  clock.pass(750)
  await failing(breaker, 1)
  assert.equal(breaker.explain().opened.by, 'failure rate')
})

test('successes count in the slice in which they ended', async () => {
  const window = { ms: 1_000, slices: 10 }
  const { breaker, clock } = onClock({ failureRate: 1, window, minimumCalls: 50 })
  for (let i = 0; i < 20; i++) {
    await succeeding(breaker, 2)
    clock.pass(100)
  }
  // Slices of the last nine, and the empty one under way.
  assert.equal(breaker.explain().calls, 18)
  assert.equal(breaker.explain().totals.successes, 40)
})

test('a window of time forgets all after an idle hour', async () => {
  const { breaker, clock } = onClock({ failureRate: 0.5, window: { ms: 10_000 }, minimumCalls: 5 })
  await failing(breaker, 4)
  clock.pass(3_600_000)
  await failing(breaker, 1)
  assert.equal(breaker.isClosed(), true)
  assert.equal(breaker.explain().failures, 1)
})

test('slowCallRate opens on calls that took longer than slowCallMs, failed or not', async () => {
  const options = { slowCallRate: 0.5, slowCallMs: 100, window: { calls: 4 } }
  const { breaker, clock } = onClock(options)
  for (const ms of [100, 101, 100]) {
    const call = hanging(breaker)
    clock.pass(ms)
    await call.succeed(1)
  }
  assert.equal(breaker.isClosed(), true)
  assert.equal(breaker.explain().slow, 1)
  const call = hanging(breaker)
  clock.pass(101)
  await call.fail()
  assert.deepEqual(breaker.explain().opened, {
    by: 'slow-call rate',
    calls: 4,
    failures: 1,
    slow: 2,
    forMs: 60_000,
  })
  assert.equal(breaker.explain().totals.slow, 2)
})

test('both rates may be set', async () => {
  const options = { failureRate: 0.5, slowCallRate: 1, slowCallMs: 100, window: { calls: 2 } }
  const { breaker } = onClock(options)
  await failing(breaker, 1)
  await succeeding(breaker, 1)
  assert.equal(breaker.explain().opened.by, 'failure rate')
})

test('resetTimeMs 0 waits for any time at all', async () => {
  const { breaker, clock } = onClock({ threshold: 1, resetTimeMs: 0 })
  await failing(breaker, 1)
  await rejects(breaker, 'open')
  clock.pass(0.001)
  await succeeding(breaker, 1)
})

test('resetTimeMs Infinity waits for a person', async () => {
  const { breaker, clock } = onClock({ threshold: 1, resetTimeMs: Number.POSITIVE_INFINITY })
  await failing(breaker, 1)
  clock.pass(1e12)
  await rejects(breaker, 'open')
  await breaker.reset()
  await succeeding(breaker, 1)
})

test('resetBackoff is a schedule over the openings, begun anew by a closing', async () => {
  const resetBackoff = { strategy: 'list', delaysMs: [100, 400], repeatLast: true }
  const { breaker, clock } = onClock({ threshold: 1, resetBackoff })
  const waits = []
  await failing(breaker, 1)
  for (let i = 0; i < 3; i++) {
    waits.push(breaker.explain().opened.forMs)
    clock.pass(waits.at(-1))
    await rejects(breaker, 'open')
    clock.pass(0.001)
    await failing(breaker, 1)
    assert.equal(breaker.explain().openings, i + 2)
  }
  assert.deepEqual(waits, [100, 400, 400])
  clock.pass(401)
  await succeeding(breaker, 1)
  assert.equal(breaker.explain().openings, 0)
  await failing(breaker, 1)
  assert.equal(breaker.explain().opened.forMs, 100)
})

test('the seed makes the jitter of resetBackoff the same again', async () => {
  const wait = async seed => {
    const resetBackoff = { strategy: 'exponential', delayMs: 1_000, jitter: 'full' }
    const { breaker } = onClock({ threshold: 1, resetBackoff, seed })
    await failing(breaker, 1)
    return breaker.explain().opened.forMs
  }
  assert.equal(await wait(7), await wait(7))
  assert.notEqual(await wait(7), await wait(8))
})

test('openFor opens at once for as long as the error says', async () => {
  const { breaker, clock } = onClock({ openFor: error => error.waitMs })
  await failing(breaker, 1)
  assert.equal(breaker.isClosed(), true)
  await failing(breaker, 1, Object.assign(new Error('later'), { waitMs: 250 }))
  const { opened } = breaker.explain()
  assert.deepEqual([opened.by, opened.forMs], ['a result', 250])
  clock.pass(251)
  await succeeding(breaker, 1)
})

test('openFor may be for no time, for ever, or say nothing', async () => {
  for (const [said, isOpen] of [
    [0, true],
    [Number.POSITIVE_INFINITY, true],
    [null, false],
    [-1, false],
    [Number.NaN, false],
    ['9', false],
    [undefined, false],
  ]) {
    const { breaker } = onClock({ openFor: () => said })
    await failing(breaker, 1)
    assert.equal(breaker.isOpen(), isOpen, String(said))
  }
})

test('openFor retry-after reads the header of the error', async () => {
  const { breaker } = onClock({ openFor: 'retry-after' })
  const headers = new Headers({ 'retry-after': '7' })
  await failing(breaker, 1, Object.assign(new Error('busy'), { status: 429, headers }))
  assert.equal(breaker.explain().opened?.forMs, 7_000)
})

test('openFor sees values too if isFailureResult is set', async () => {
  const options = {
    isFailureResult: value => value.status >= 500,
    openFor: (_, value) => value?.waitMs,
  }
  const { breaker } = onClock(options)
  const value = { status: 200, waitMs: 30 }
  assert.equal(await breaker.execute(async () => value), value)
  assert.equal(breaker.explain().opened.forMs, 30)
})

test('isFailureResult counts a value as a failure and answers it all the same', async () => {
  const breaker = new CircuitBreaker({
    threshold: 2,
    isFailureResult: ({ status }) => status === 503,
  })
  const busy = { status: 503 }
  assert.equal(await breaker.execute(async () => busy), busy)
  assert.equal(await breaker.execute(() => busy), busy)
  assert.equal(breaker.isOpen(), true)
  assert.deepEqual([breaker.explain().totals.failures, breaker.explain().totals.successes], [2, 0])
})

test('halfOpen.permits lets so many probes run, and successRate says how many must succeed', async () => {
  const halfOpen = { permits: 4, successRate: 0.5 }
  for (const [ends, state] of [
    ['++', 'closed'],
    ['-+-+', 'closed'],
    ['---', 'open'],
    ['-+--', 'open'],
    ['+', 'half-open'],
    ['--', 'half-open'],
  ]) {
    const { breaker, clock } = onClock({ threshold: 1, resetTimeMs: 100, halfOpen })
    await failing(breaker, 1)
    clock.pass(101)
    const probes = Array.from({ length: 4 }, () => hanging(breaker))
    await rejects(breaker, 'probing')
    for (const [i, end] of [...ends].entries())
      await (end === '+' ? probes[i].succeed(1) : probes[i].fail())
    assert.equal(breaker.getState().state, state, ends)
  }
})

test('halfOpen.leaseMs is how long a probe keeps its place', async () => {
  const { breaker, clock } = onClock({
    threshold: 1,
    resetTimeMs: 1_000,
    halfOpen: { leaseMs: 20 },
  })
  await failing(breaker, 1)
  clock.pass(1_001)
  const slow = hanging(breaker)
  clock.pass(19)
  const { error } = await outcome(breaker.execute(async () => 1))
  assert.deepEqual([error.reason, error.retryAfterMs], ['probing', 1])
  clock.pass(1)
  const probe = hanging(breaker)
  await slow.succeed(1)
  assert.equal(breaker.isClosed(), true, 'its result counts all the same')
  await probe.fail(new Error('of an earlier trial'))
  assert.equal(breaker.isClosed(), true)
})

test('reclose closes in steps', async () => {
  const reclose = { shares: [0.25, 0.5], calls: 4, stepMs: 1_000 }
  const { breaker, clock } = onClock({ threshold: 1, resetTimeMs: 100, reclose, seed: 1 })
  await failing(breaker, 1)
  clock.pass(101)
  await succeeding(breaker, 1)
  for (const [index, share] of [
    [0, 0.25],
    [1, 0.5],
  ]) {
    assert.equal(breaker.explain().state, 'recovering')
    assert.deepEqual(breaker.explain().step, { index, share })
    assert.equal(breaker.getState().state, 'half-open')
    let through = 0
    let refused = 0
    while (breaker.explain().step?.index === index) {
      const { error } = await outcome(breaker.execute(async () => 1))
      if (error === undefined) through++
      else {
        refused++
        assert.equal(error.reason, 'recovering')
        assert.equal(error.message, 'Circuit breaker is letting through a share of calls')
      }
    }
    assert.equal(through, 4)
    // Evenly spread: between two calls let through there are as many refused as the share says.
    const most = 4 / share - 4
    assert.ok(refused <= most && refused > most - 1 / share, `${refused} refused`)
  }
  assert.equal(breaker.isClosed(), true)
})

test('a step of the reclose that fails opens again; one without calls passes in its time', async () => {
  const reclose = { shares: [0.5], calls: 10, stepMs: 1_000 }
  const recovering = async () => {
    const { breaker, clock } = onClock({ threshold: 1, resetTimeMs: 100, reclose, seed: 2 ** 40 })
    await failing(breaker, 1)
    clock.pass(101)
    await succeeding(breaker, 1)
    return { breaker, clock }
  }
  const bad = await recovering()
  await failing(bad.breaker, 2)
  assert.equal(bad.breaker.explain().opened.by, 'failed recovery')
  const idle = await recovering()
  assert.equal(idle.breaker.explain().changesInMs, 1_000)
  idle.clock.pass(1_000)
  await succeeding(idle.breaker, 1)
  assert.equal(idle.breaker.isClosed(), true)
})

test('mode may be set from the start', async () => {
  for (const mode of ['dryRun', 'disabled']) {
    const breaker = new CircuitBreaker({ threshold: 1, mode })
    await failing(breaker, 3)
    await succeeding(breaker, 1)
    assert.equal(breaker.explain().mode, mode)
  }
})

test('stack gives refusals the frames of their caller', async () => {
  const stackOf = async options => {
    const breaker = new CircuitBreaker({ threshold: 1, ...options })
    await failing(breaker, 1)
    return (await outcome(breaker.execute(async () => 1))).error.stack
  }
  assert.equal(await stackOf({}), 'CircuitBreakerError: Circuit breaker is open')
  assert.match(
    await stackOf({ stack: true }),
    /^CircuitBreakerError: Circuit breaker is open\n[\s\S]*stackOf/,
  )
})

test('name is in errors and explanations', async () => {
  const breaker = new CircuitBreaker({ name: 'orders database', threshold: 1 })
  await failing(breaker, 1)
  assert.equal(breaker.name, 'orders database')
  assert.equal(breaker.explain().name, 'orders database')
  assert.equal((await outcome(breaker.execute(async () => 1))).error.policy, 'orders database')
  assert.equal(new CircuitBreaker().name, undefined)
})

const known =
  'name, threshold, withinMs, failureRate, slowCallRate, slowCallMs, window, minimumCalls, resetTimeMs, resetBackoff, openFor, halfOpen, reclose, mode, isFailure, isFailureResult, onStateChange, stack, seed, clock'
const rate = { failureRate: 0.5 }

/** Options, the option named, and what is said of it. */
const bad = [
  [{ treshold: 3 }, 'treshold', 'unknown option `treshold`; did you mean `threshold`?'],
  [{ resettimems: 3 }, 'resettimems', 'unknown option `resettimems`; did you mean `resetTimeMs`?'],
  [{ timeout: 3 }, 'timeout', `unknown option \`timeout\`; known are ${known}`],
  [{ toString: 3 }, 'toString', `unknown option \`toString\`; known are ${known}`],
  [
    { window: { cals: 3 } },
    'window.cals',
    'unknown option `window.cals`; did you mean `window.calls`?',
  ],
  [
    { halfOpen: { probes: 3 } },
    'halfOpen.probes',
    'unknown option `halfOpen.probes`; known are permits, successRate, leaseMs',
  ],
  [
    { reclose: { step: 3 } },
    'reclose.step',
    'unknown option `reclose.step`; did you mean `reclose.stepMs`?',
  ],
  [
    { reclose: { steps: [1] } },
    'reclose.steps',
    'unknown option `reclose.steps`; did you mean `reclose.stepMs`?',
  ],
  [{ threshold: '5' }, 'threshold', '`threshold` must be a number, got "5"'],
  [{ threshold: Number.NaN }, 'threshold', '`threshold` must be a number, got NaN'],
  [{ threshold: 0 }, 'threshold', '`threshold` must be a whole number of at least 1, got 0'],
  [{ threshold: -1 }, 'threshold', '`threshold` must be a whole number of at least 1, got -1'],
  [{ threshold: 1.5 }, 'threshold', '`threshold` must be a whole number of at least 1, got 1.5'],
  [{ threshold: 2 ** 32 }, 'threshold', '`threshold` must be at most 4294967295, got 4294967296'],
  [{ threshold: null }, 'threshold', '`threshold` must be a number, got null'],
  [
    { threshold: 3, ...rate },
    'threshold',
    '`threshold` must not be set together with `failureRate`, got 3',
  ],
  [{ withinMs: 0 }, 'withinMs', '`withinMs` must be a number above 0, got 0'],
  [{ withinMs: -1 }, 'withinMs', '`withinMs` must be a number of at least 0, got -1'],
  [
    { withinMs: 9, ...rate },
    'withinMs',
    '`withinMs` must not be set together with `failureRate`, got 9',
  ],
  [{ failureRate: 0 }, 'failureRate', '`failureRate` must be above 0 and at most 1, got 0'],
  [{ failureRate: 50 }, 'failureRate', '`failureRate` must be above 0 and at most 1, got 50'],
  [
    { slowCallRate: 0.5 },
    'slowCallRate',
    '`slowCallRate` may be set only together with `slowCallMs`, got 0.5',
  ],
  [
    { slowCallRate: 2, slowCallMs: 1 },
    'slowCallRate',
    '`slowCallRate` must be above 0 and at most 1, got 2',
  ],
  [
    { slowCallMs: 100 },
    'slowCallMs',
    '`slowCallMs` may be set only together with `slowCallRate`, got 100',
  ],
  [
    { slowCallMs: 100, ...rate },
    'slowCallMs',
    '`slowCallMs` may be set only together with `slowCallRate`, got 100',
  ],
  [
    { slowCallMs: -1, slowCallRate: 1 },
    'slowCallMs',
    '`slowCallMs` must be a number of at least 0, got -1',
  ],
  [{ window: 5 }, 'window', '`window` must be an object, got 5'],
  [
    { window: { calls: 5 } },
    'window.calls',
    '`window.calls` may be set only together with `failureRate`, got 5',
  ],
  [
    { window: { calls: 0 }, ...rate },
    'window.calls',
    '`window.calls` must be a whole number of at least 1, got 0',
  ],
  [
    { window: { calls: 5, ms: 5 }, ...rate },
    'window.calls',
    '`window.calls` must not be set together with `window.ms`, got 5',
  ],
  [
    { window: { calls: 5, slices: 5 }, ...rate },
    'window.slices',
    '`window.slices` may be set only together with `window.ms`, got 5',
  ],
  [{ window: { ms: 0 }, ...rate }, 'window.ms', '`window.ms` must be a number above 0, got 0'],
  [
    { window: { ms: 10, slices: 0 }, ...rate },
    'window.slices',
    '`window.slices` must be a whole number of at least 1, got 0',
  ],
  [
    { window: { calls: 5 }, minimumCalls: 6, ...rate },
    'window.calls',
    '`window.calls` must not be less than `minimumCalls`, got 5',
  ],
  [
    { minimumCalls: 5 },
    'minimumCalls',
    '`minimumCalls` may be set only together with `failureRate`, got 5',
  ],
  [
    { minimumCalls: 0, ...rate },
    'minimumCalls',
    '`minimumCalls` must be a whole number of at least 1, got 0',
  ],
  [{ resetTimeMs: -5 }, 'resetTimeMs', '`resetTimeMs` must be a number of at least 0, got -5'],
  [{ resetTimeMs: 5n }, 'resetTimeMs', '`resetTimeMs` must be a number, got 5'],
  [
    { resetTimeMs: 5, resetBackoff: {} },
    'resetTimeMs',
    '`resetTimeMs` must not be set together with `resetBackoff`, got 5',
  ],
  [
    { resetBackoff: { delay: 5 } },
    'resetBackoff.delay',
    'unknown option `resetBackoff.delay`; did you mean `resetBackoff.delayMs`?',
  ],
  [{ openFor: 5 }, 'openFor', '`openFor` must be "retry-after" or a function, got 5'],
  [
    { openFor: 'retryAfter' },
    'openFor',
    '`openFor` must be "retry-after" or a function, got "retryAfter"',
  ],
  [
    { halfOpen: { permits: 0 } },
    'halfOpen.permits',
    '`halfOpen.permits` must be a whole number of at least 1, got 0',
  ],
  [
    { halfOpen: { successRate: 0 } },
    'halfOpen.successRate',
    '`halfOpen.successRate` must be above 0 and at most 1, got 0',
  ],
  [
    { halfOpen: { leaseMs: 0 } },
    'halfOpen.leaseMs',
    '`halfOpen.leaseMs` must be a number above 0, got 0',
  ],
  [{ reclose: { shares: [] } }, 'reclose.shares', '`reclose.shares` must not be empty, got []'],
  [
    { reclose: { shares: [0.5, 0.2] } },
    'reclose.shares',
    '`reclose.shares` must grow from entry to entry, got [0.5, 0.2]',
  ],
  [
    { reclose: { shares: ['a'] } },
    'reclose.shares',
    '`reclose.shares` must be an array of numbers, got ["a"]',
  ],
  [
    { reclose: { shares: [0.5], calls: 0 } },
    'reclose.calls',
    '`reclose.calls` must be a whole number of at least 1, got 0',
  ],
  [
    { reclose: { shares: [0.5], stepMs: 0 } },
    'reclose.stepMs',
    '`reclose.stepMs` must be a number above 0, got 0',
  ],
  [{ mode: 'off' }, 'mode', '`mode` must be one of "enforce", "dryRun", "disabled", got "off"'],
  [{ isFailure: true }, 'isFailure', '`isFailure` must be a function, got true'],
  [
    { isFailureResult: {} },
    'isFailureResult',
    '`isFailureResult` must be a function, got an object',
  ],
  [{ onStateChange: 'log' }, 'onStateChange', '`onStateChange` must be a function, got "log"'],
  [{ stack: 1 }, 'stack', '`stack` must be a boolean, got 1'],
  [{ seed: 'x' }, 'seed', '`seed` must be a number, got "x"'],
  [{ name: 5 }, 'name', '`name` must be a string, got 5'],
  [{ clock: () => 5 }, 'clock', '`clock` must be an object, got a function'],
  [{ clock: {} }, 'clock.now', '`clock.now` must be a function, got undefined'],
  ['5', '', 'the options must be an object, got "5"'],
  [0, 'threshold', '`threshold` must be a whole number of at least 1, got 0'],
  [Number.NaN, 'threshold', '`threshold` must be a number, got NaN'],
]

for (const [options, option, message] of bad) {
  const input =
    options?.toString === 3
      ? 'toString'
      : JSON.stringify(options, (_, v) =>
          typeof v === 'bigint' || Number.isNaN(v) ? String(v) : v,
        )
  test(`bad: ${input} names ${option || 'what came'}`, () => {
    assert.throws(
      () => new CircuitBreaker(options),
      error => {
        assert.equal(error.message.replace('CircuitBreaker: ', ''), message)
        assert.equal(error.message.startsWith('CircuitBreaker: '), true)
        assert.equal(error.option, option)
        assert.equal(error.code, 'SEAWALL_INVALID_OPTION')
        assert.equal(error.name, 'OptionError')
        return error instanceof OptionError && error instanceof TypeError
      },
    )
  })
}

test('the second number is checked like the option', () => {
  assert.throws(() => new CircuitBreaker(5, '100'), {
    message: 'CircuitBreaker: `resetTimeMs` must be a number, got "100"',
  })
  assert.throws(() => new CircuitBreaker(5, -1), {
    message: 'CircuitBreaker: `resetTimeMs` must be a number of at least 0, got -1',
  })
})

test('undefined and null options are no options', async () => {
  for (const breaker of [
    new CircuitBreaker(undefined),
    new CircuitBreaker(null),
    new CircuitBreaker({ threshold: undefined, window: undefined }),
  ]) {
    await failing(breaker, 4)
    assert.equal(breaker.isClosed(), true)
    await failing(breaker, 1)
    assert.equal(breaker.isOpen(), true)
  }
})

test('a refused construction leaves no breaker behind', async () => {
  const { engineStats } = await import('seawall')
  const before = engineStats().breakers
  for (const [options] of bad) assert.throws(() => new CircuitBreaker(options))
  assert.equal(engineStats().breakers, before)
})

test('modes that are none are refused by setMode too', () => {
  const breaker = new CircuitBreaker()
  for (const [mode, got] of [
    ['off', '"off"'],
    [undefined, 'null'],
    [1, '1'],
  ]) {
    assert.throws(() => breaker.setMode(mode), {
      name: 'OptionError',
      option: 'mode',
      message: `CircuitBreaker: \`mode\` must be one of "enforce", "dryRun", "disabled", got ${got}`,
    })
  }
  assert.equal(breaker.explain().mode, 'enforce')
})

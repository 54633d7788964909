// Policies: parts in one function, in an order that is checked.
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { test } from 'node:test'
import { CircuitBreaker, CircuitBreakerError, OptionError, policy, STAGES } from 'seawall'
import { VirtualClock } from 'seawall/testing'

const boom = () => Object.assign(new Error('boom'), { code: 'ECONNREFUSED' })
const failing = async () => {
  throw boom()
}

test('without any part it calls the function', async () => {
  const bare = policy({})
  assert.equal(await bare.execute(() => 7), 7)
  assert.deepEqual(bare.describe(), [])
  await assert.rejects(bare.execute(failing), /boom/)
})

test('the function is told its try, its deadline and a signal', async () => {
  const clock = new VirtualClock()
  const plan = policy({ retry: { delayMs: 0 }, clock })
  const seen = []
  const controller = new AbortController()
  const answer = plan.execute(
    context => {
      seen.push([context.attempt, context.deadline, context.remaining(), context.signal.aborted])
      if (context.attempt < 3) throw boom()
      return 'third'
    },
    { deadline: 500, signal: controller.signal },
  )
  await clock.run()
  assert.equal(await answer, 'third')
  assert.deepEqual(
    seen.map(([attempt, deadline]) => [attempt, deadline]),
    [
      [1, 500],
      [2, 500],
      [3, 500],
    ],
  )
})

test('a breaker inside a retry sees every try, and its refusal ends the call', async () => {
  const breaker = new CircuitBreaker({ threshold: 2, resetTimeMs: 60_000 })
  const plan = policy({ retry: { maxAttempts: 5, delayMs: 0 }, breaker })
  const refused = []
  plan.on('rejected', ({ error, policy: who }) => refused.push([error.reason, who === plan]))
  let calls = 0
  await assert.rejects(
    plan.execute(() => {
      calls++
      return failing()
    }),
    CircuitBreakerError,
  )
  assert.equal(calls, 2)
  assert.equal(breaker.getState().state, 'open')
  assert.deepEqual(refused, [['open', true]])
})

test('a refusal that is waited for comes back when the breaker lets calls through', async () => {
  const clock = new VirtualClock()
  const plan = policy({
    retry: { maxAttempts: 4, delayMs: 0, onRefusal: 'wait' },
    breaker: { threshold: 1, resetTimeMs: 1_000 },
    clock,
  })
  const waits = []
  plan.on('retry', ({ waitMs }) => waits.push(waitMs))
  let calls = 0
  const answer = plan.execute(() => {
    calls++
    if (calls === 1) throw boom()
    return 'back'
  })
  await clock.run()
  assert.equal(await answer, 'back')
  assert.equal(calls, 2)
  assert.equal(waits.length, 2)
  assert.ok(waits[1] >= 800 && waits[1] <= 1_001, `${waits[1]}`)
})

test('a retry inside a breaker is one outcome', async () => {
  const breaker = new CircuitBreaker({ threshold: 2 })
  const plan = policy({
    retry: { maxAttempts: 3, delayMs: 0 },
    breaker,
    order: ['breaker', 'retry'],
  })
  let calls = 0
  await assert.rejects(
    plan.execute(() => {
      calls++
      throw boom()
    }),
    /boom/,
  )
  assert.equal(calls, 3)
  assert.equal(breaker.getState().failures, 1)
  assert.deepEqual(
    plan.describe().map(({ stage }) => stage),
    ['breaker', 'retry'],
  )
})

test('a call aborted by its caller is held against nobody', async () => {
  const breaker = new CircuitBreaker({ threshold: 1 })
  const plan = policy({ breaker })
  const controller = new AbortController()
  const call = plan.execute(
    ({ signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    { signal: controller.signal },
  )
  const reason = new Error('gone')
  controller.abort(reason)
  await assert.rejects(call, error => error === reason)
  assert.equal(breaker.getState().state, 'closed')
  let called = false
  await assert.rejects(
    plan.execute(
      () => {
        called = true
      },
      { signal: controller.signal },
    ),
    error => error === reason,
  )
  assert.equal(called, false)
})

test('nothing stays on a signal that outlives its calls', async () => {
  const controller = new AbortController()
  const { signal } = controller
  let added = 0
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  signal.addEventListener = (...args) => {
    added++
    return add(...args)
  }
  signal.removeEventListener = (...args) => {
    added--
    return remove(...args)
  }
  const plan = policy({ retry: { delayMs: 0 }, breaker: {} })
  for (let i = 0; i < 20; i++) await plan.execute(context => context.signal.aborted, { signal })
  assert.equal(added, 0)
})

test('answers that are not wanted are asked for again', async () => {
  const plan = policy({
    retry: { maxAttempts: 3, delayMs: 0, retryResult: value => value === 'busy' },
  })
  let calls = 0
  assert.equal(await plan.execute(async () => (++calls < 3 ? 'busy' : 'done')), 'done')
  assert.equal(await plan.execute(async () => 'busy'), 'busy', 'the last answer stays the answer')
})

test('a call that may not be carried out twice is not, whatever the policy says', async () => {
  const plan = policy({ retry: { maxAttempts: 3, delayMs: 0 } })
  let calls = 0
  const reset = () => {
    calls++
    throw Object.assign(new Error('reset'), { code: 'ECONNRESET' })
  }
  await assert.rejects(plan.execute(reset, { idempotent: false }), /reset/)
  assert.equal(calls, 1)
  await assert.rejects(plan.execute(reset), /reset/)
  assert.equal(calls, 4)
})

test('each call keeps the AsyncLocalStorage of its caller, also in later tries', async () => {
  const store = new AsyncLocalStorage()
  const plan = policy({ retry: { maxAttempts: 2, delayMs: 1 }, breaker: { threshold: 1_000 } })
  const seen = await Promise.all(
    ['a', 'b', 'c'].map(tenant =>
      store.run(tenant, () =>
        plan.execute(({ attempt }) => {
          if (attempt === 1) throw boom()
          return [tenant, store.getStore()]
        }),
      ),
    ),
  )
  for (const [tenant, got] of seen) assert.equal(got, tenant)
})

test('listeners that throw change nothing', async () => {
  const plan = policy({ retry: { maxAttempts: 2, delayMs: 0 } })
  const warnings = []
  const warn = warning => warnings.push(warning.message)
  process.on('warning', warn)
  plan.on('retry', () => {
    throw new Error('listener')
  })
  let calls = 0
  assert.equal(
    await plan.execute(() => {
      if (++calls === 1) throw boom()
      return 'yes'
    }),
    'yes',
  )
  await new Promise(setImmediate)
  process.off('warning', warn)
  assert.match(warnings.join(), /listener/)
})

test('chaos strikes only the calls it may', async () => {
  const plan = policy({
    chaos: { enabled: true, rate: 1, announce: () => {}, when: ({ user }) => user === 'tester' },
  })
  await assert.rejects(
    plan.execute(() => 1, { user: 'tester' }),
    /chaos/,
  )
  assert.equal(await plan.execute(() => 1, { user: 'customer' }), 1)
})

test('chaos has a rate for each call, and one that is none spares it', async () => {
  const rates = { tester: 1, customer: 0, odd: 7 }
  const plan = policy({
    chaos: { enabled: true, announce: () => {}, rate: ({ user }) => rates[user] },
  })
  await assert.rejects(
    plan.execute(() => 1, { user: 'tester' }),
    /chaos/,
  )
  for (const user of ['customer', 'odd', 'nobody']) {
    assert.equal(await plan.execute(() => 1, { user }), 1)
  }
})

test('wrap keeps arguments and this', async () => {
  const plan = policy({ breaker: {} })
  const counter = {
    by: 2,
    add: plan.wrap(async function (n) {
      return n + this.by
    }),
  }
  assert.equal(await counter.add(3), 5)
})

test('tryExecute answers a result', async () => {
  const plan = policy({ breaker: {} })
  assert.deepEqual(await plan.tryExecute(() => 1), { ok: true, value: 1 })
  const { ok, error } = await plan.tryExecute(failing)
  assert.equal(ok, false)
  assert.equal(error.message, 'boom')
})

test('a policy lets go of what it made, and of nothing that was given to it', async () => {
  const breaker = new CircuitBreaker()
  const plan = policy({ breaker })
  plan[Symbol.dispose]()
  await assert.rejects(
    plan.execute(() => 1),
    { code: 'SEAWALL_DISPOSED' },
  )
  assert.equal(await breaker.execute(() => 1), 1)
})

test('bad options', () => {
  const refused = (options, pattern) =>
    assert.throws(
      () => policy(options),
      error => error instanceof OptionError && pattern.test(error.message),
    )
  refused({ retries: {} }, /unknown option `retries`/)
  refused({ breaker: { treshold: 1 } }, /unknown option `treshold`; did you mean `threshold`/)
  refused({ retry: { maxAttempts: 'x' } }, /`maxAttempts` must be a number/)
  refused(
    { breaker: {}, order: ['retry'] },
    /`order` must name each part of the policy once \(breaker\)/,
  )
  refused({ breaker: {}, order: 'breaker' }, /`order` must name each part/)
  refused({ breaker: {}, retry: {}, order: ['retry', 'retry'] }, /`order` must name each part/)
})

test('the order of parts is documented as a list', () => {
  assert.deepEqual(
    [...STAGES],
    [
      'fallback',
      'cache',
      'coalesce',
      'deadlineMs',
      'retry',
      'hedge',
      'rateLimit',
      'throttle',
      'breaker',
      'timeout',
      'bulkhead',
      'adaptive',
      'chaos',
    ],
  )
})

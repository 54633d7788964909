// What everybody imports `seawall` for. Each scenario runs on the clock and the timers of its runtime.
import {
  AdaptiveLimiter,
  Bulkhead,
  Cache,
  CircuitBreaker,
  CircuitBreakerError,
  Coalescer,
  chaos,
  classify,
  engineStats,
  every,
  exponential,
  Fallback,
  Hedge,
  KeyedRateLimiter,
  OptionError,
  policy,
  RateLimiter,
  RejectedError,
  SeawallError,
  Throttle,
  Timeout,
  TimeoutError,
  withRetry,
} from 'seawall'
import { failure, hanging, holds, is, pause, refused } from './tools.mjs'

async function breaker() {
  const transitions = []
  const subject = new CircuitBreaker({
    threshold: 2,
    resetTimeMs: 150,
    onStateChange: (now, before) => transitions.push(`${before} > ${now}`),
  })
  const down = () => Promise.reject(failure())
  is(await subject.execute(() => 42), 42, 'a plain value')
  for (let i = 0; i < 2; i++) await refused(subject.execute(down), 'ECONNREFUSED')
  const error = await refused(
    subject.execute(() => 1),
    'DB_CONNECTION_FAILED',
  )
  holds(error instanceof CircuitBreakerError && error instanceof SeawallError, 'the class')
  is(error.reason, 'open', 'the reason')
  // The clock of a Worker counts from 1970: rounded to nanoseconds, it may be one more.
  holds(error.retryAfterMs > 0 && error.retryAfterMs <= 151, `retry after ${error.retryAfterMs}`)
  is(error.because.causes[0].cause, 'ECONNREFUSED', 'the cause')
  is((await subject.tryExecute(() => 1)).ok, false, 'the outcome')
  await pause(180)
  is(await subject.execute(async () => 'probe'), 'probe', 'the probe')
  is(subject.isClosed(), true, 'closed again')
  is(transitions.join(), 'closed > open,open > half-open,half-open > closed', 'transitions')
}

async function windows() {
  const byTime = new CircuitBreaker({ failureRate: 0.5, window: { ms: 60_000 }, minimumCalls: 10 })
  const byCalls = new CircuitBreaker({ failureRate: 0.5, window: { calls: 10 } })
  for (const subject of [byTime, byCalls]) {
    for (let i = 0; i < 10; i++) {
      await subject.tryExecute(() => (i % 2 ? Promise.reject(failure()) : Promise.resolve(i)))
    }
    is(subject.isOpen(), true, 'open at half of the calls')
    is(subject.explain().opened.by, 'failure rate', 'by')
  }
  await burst()
}

/** More calls than anything that waits could end, then a rest longer than the window, then a few. */
async function burst() {
  const rule = { failureRate: 0.5, window: { ms: 2_000 }, minimumCalls: 1_000_000 }
  const subject = new CircuitBreaker(rule)
  const succeed = async n => {
    for (let i = 0; i < n; i++) await subject.execute(async () => i)
  }
  await succeed(5_000)
  is(subject.explain().calls, 5_000, 'all are counted')
  await pause(2_100)
  await succeed(10)
  const { calls } = subject.explain()
  // Where a look at the clock is dear, three may be taken for the end of the burst.
  holds(calls >= 7 && calls <= 10, `${calls} calls in the window`)
}

async function sharedName() {
  const name = `shared ${Math.random()}`
  const [one, two] = [1, 2].map(() => new CircuitBreaker({ name, threshold: 1 }))
  await one.tryExecute(() => Promise.reject(failure()))
  is(two.isOpen(), true, 'the other of the same name')
}

async function snapshots() {
  const open = new CircuitBreaker({ threshold: 1, resetTimeMs: 60_000 })
  await open.tryExecute(() => Promise.reject(failure()))
  const text = JSON.stringify(open.snapshot())
  const restored = new CircuitBreaker({ threshold: 1, resetTimeMs: 60_000 })
  restored.restore(JSON.parse(text))
  is(restored.isOpen(), true, 'restored as open')
  is(restored.explain().openings, 1, 'openings')
}

async function retry() {
  let tries = 0
  const flaky = async () => {
    tries++
    if (tries < 3) throw failure('ECONNRESET')
    return 'third'
  }
  is(await withRetry(flaky, { maxAttempts: 3, delayMs: 2 }), 'third', 'the answer')
  tries = -10
  await refused(withRetry(flaky, { maxAttempts: 2, delayMs: 1 }), 'ECONNRESET')
  is(tries, -8, 'no more than it may')
  is([...exponential({ delayMs: 10, maxAttempts: 4, jitter: 'none' })].join(), '10,20,40', 'waits')
}

async function timeout() {
  const subject = new Timeout({ timeoutMs: 20 })
  let aborted
  const error = await refused(
    subject.execute(context => {
      aborted = context.signal
      return hanging(context)
    }),
    'SEAWALL_TIMEOUT',
  )
  holds(error instanceof TimeoutError, 'the class')
  is(error.timeoutMs, 20, 'the time it was given')
  is(aborted.aborted, true, 'the signal')
  const patient = new Timeout({ timeoutMs: 10_000 })
  const answers = await Promise.all(
    [1, 2, 3].map(number => patient.execute(() => pause(1).then(() => number))),
  )
  is(answers.join(), '1,2,3', 'in time')
}

async function hedge() {
  const subject = new Hedge({ delayMs: 5 })
  const answer = await subject.execute(context =>
    context.attempt === 1 ? hanging(context) : `try ${context.attempt}`,
  )
  is(answer, 'try 2', 'the hedge')
}

async function bulkhead() {
  const subject = new Bulkhead({ maxConcurrent: 1, maxQueue: 2, queueTimeoutMs: 1_000 })
  const order = []
  const act = name => async () => {
    order.push(name)
    await pause(2)
  }
  const running = ['a', 'b', 'c'].map(name => subject.execute(act(name)))
  const error = await refused(subject.execute(act('d')), 'SEAWALL_BULKHEAD_FULL')
  holds(error instanceof RejectedError, 'the class')
  await Promise.all(running)
  is(order.join(''), 'abc', 'the order')
  const impatient = new Bulkhead({ maxConcurrent: 1, maxQueue: 1, queueTimeoutMs: 10 })
  const first = impatient.execute(() => pause(40))
  const late = await refused(
    impatient.execute(() => 1),
    'SEAWALL_BULKHEAD_FULL',
  )
  is(late.rule, 'queueTimeout', 'the rule')
  await first
}

async function adaptive() {
  const subject = new AdaptiveLimiter({ initialLimit: 1, minLimit: 1, maxLimit: 1, maxQueue: 0 })
  const first = subject.execute(() => pause(5))
  await refused(
    subject.execute(() => 1),
    'SEAWALL_OVERLOADED',
  )
  await first
  is(await subject.execute(() => 7), 7, 'the place is free again')
}

async function rateLimit() {
  const subject = new RateLimiter({ limit: 2, perMs: 300 })
  for (let i = 0; i < 2; i++) await subject.execute(() => i)
  const error = await refused(
    subject.execute(() => 1),
    'SEAWALL_RATE_LIMITED',
  )
  holds(error.retryAfterMs > 0 && error.retryAfterMs <= 151, `retry after ${error.retryAfterMs}`)
  await subject.acquire()
  const users = new KeyedRateLimiter({ limit: 1, perMs: 60_000 })
  is(users.tryAcquire('alice').ok, true, 'alice')
  is(users.tryAcquire('alice').ok, false, 'alice again')
  is(users.tryAcquire('bob').ok, true, 'bob')
}

async function throttle() {
  const subject = new Throttle({ minimumCalls: 5, seed: 1 })
  const codes = new Set()
  for (let i = 0; i < 60; i++) {
    const { error } = await subject.tryExecute(() => Promise.reject(failure()))
    codes.add(error.code)
  }
  is([...codes].join(), 'ECONNREFUSED,SEAWALL_THROTTLED', 'what came of the calls')
}

async function cache() {
  const subject = new Cache({ ttlMs: 150 })
  let fetched = 0
  const load = async () => ({ number: ++fetched })
  const both = await Promise.all([subject.execute('key', load), subject.execute('key', load)])
  is(both.map(({ number }) => number).join(), '1,1', 'fetched once')
  is((await subject.execute('key', load)).number, 1, 'a hit')
  await pause(180)
  is((await subject.execute('key', load)).number, 2, 'fetched anew')
}

async function coalesce() {
  const subject = new Coalescer()
  let calls = 0
  const load = async () => {
    calls++
    await pause(2)
    return calls
  }
  const answers = await Promise.all([1, 2, 3].map(() => subject.execute('key', load)))
  is(answers.join(), '1,1,1', 'one call for three')
}

async function fallback() {
  const subject = new Fallback('instead')
  is(await subject.execute(() => Promise.reject(failure())), 'instead', 'the answer')
}

async function composed() {
  const billing = policy({
    deadlineMs: 2_000,
    retry: { maxAttempts: 3, delayMs: 1 },
    budget: { ratio: 0.5 },
    breaker: { threshold: 5 },
    timeout: 500,
    bulkhead: { maxConcurrent: 2, maxQueue: 10 },
    log: 10,
  })
  const answer = await billing.execute(async ({ attempt, signal, remaining }) => {
    holds(signal.aborted === false && typeof remaining === 'function', 'the context')
    if (attempt < 3) throw failure('ECONNRESET')
    return `at try ${attempt}`
  })
  is(answer, 'at try 3', 'the answer')
  is(billing.describe().length, 5, 'its parts')
  const error = await refused(async () => policy({ brekker: {} }), 'SEAWALL_INVALID_OPTION')
  holds(error instanceof OptionError && /breaker/.test(error.message), error.message)
}

async function classification() {
  const reset = classify(failure('ECONNRESET'))
  is(reset.transient, true, 'a reset')
  const response = new Response('', { status: 503, headers: { 'retry-after': '3' } })
  is(classify(response).retryAfterMs, 3_000, 'Retry-After')
  is(classify(Object.assign(new Error('dup'), { code: '23505' }))?.transient ?? false, false, 'SQL')
}

async function periodic() {
  let runs = 0
  const job = every(3, () => void runs++)
  for (let i = 0; i < 1_000 && runs < 2; i++) await pause(3)
  await job.stop()
  holds(runs >= 2, `${runs} runs`)
  const broken = chaos({ enabled: true, rate: 1, announce: () => {} })(async () => 1)
  let thrown
  await broken().catch(error => (thrown = error))
  holds(/chaos/.test(thrown?.message), 'a failure on purpose')
}

async function disposal() {
  const before = engineStats().breakers
  const subjects = [
    new CircuitBreaker(),
    new Timeout({ timeoutMs: 5 }),
    new Bulkhead({ maxConcurrent: 1 }),
    new RateLimiter({ limit: 1 }),
    new Hedge({ delayMs: 1 }),
    new Throttle(),
    new AdaptiveLimiter(),
    new Coalescer(),
    policy({ breaker: {}, timeout: 5 }),
  ]
  for (const subject of subjects) subject[Symbol.dispose]()
  const [first] = subjects
  await refused(
    first.execute(() => 1),
    'SEAWALL_DISPOSED',
  )
  // Disposed of is not given back before it is collected.
  holds(engineStats().breakers >= before, 'breakers')
}

export const policies = {
  breaker,
  'breaker: windows': windows,
  'breaker: shared by name': sharedName,
  'breaker: snapshots': snapshots,
  retry,
  timeout,
  hedge,
  bulkhead,
  'adaptive limit': adaptive,
  'rate limit': rateLimit,
  throttle,
  cache,
  coalesce,
  fallback,
  'composed policy': composed,
  classify: classification,
  'periodic, chaos': periodic,
  dispose: disposal,
}

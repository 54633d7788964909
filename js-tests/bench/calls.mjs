// The price of a call, in ns: every library in one process, in batches that take turns, the best of
// each. `calls.mjs rounds group name,name` measures those alone. Each variant has a function of its own that is compiled from text, so that what the engine
// learns of one says nothing about another. Prints JSON.
import { CircuitBreaker as KyseraBreaker, withRetry as kyseraRetry } from '@kysera/infra'
import * as cockatiel from 'cockatiel'
import Opossum from 'opossum'
import pRetry from 'p-retry'
import {
  Bulkhead,
  Cache,
  CircuitBreaker,
  Coalescer,
  engineKind,
  Fallback,
  Hedge,
  policy,
  Timeout,
  withRetry,
} from 'seawall'

const rounds = Number(process.argv[2] ?? 400)
const AsyncFunction = (async () => {}).constructor
const LONG = 2 ** 31 - 1
const MANY = 2 ** 31

const value = async () => 1
const error = new Error('the same for all')
const failure = async () => {
  throw error
}

const ours = {
  consecutive: options => new CircuitBreaker({ threshold: MANY, resetTimeMs: LONG, ...options }),
  count: options =>
    new CircuitBreaker({ failureRate: 1, window: { calls: 5_000 }, resetTimeMs: LONG, ...options }),
  time: options =>
    new CircuitBreaker({
      failureRate: 1,
      window: { ms: 10_000 },
      minimumCalls: MANY,
      resetTimeMs: LONG,
      ...options,
    }),
  slow: options =>
    new CircuitBreaker({
      slowCallRate: 1,
      slowCallMs: 1_000,
      window: { calls: 5_000 },
      resetTimeMs: LONG,
      ...options,
    }),
}
const circuit = breaker =>
  cockatiel.circuitBreaker(cockatiel.handleAll, { halfOpenAfter: LONG, breaker })
const peers = {
  'cockatiel consecutive': () => circuit(new cockatiel.ConsecutiveBreaker(MANY)),
  'cockatiel count': () => circuit(new cockatiel.CountBreaker({ threshold: 0.999, size: 5_000 })),
  'cockatiel sampling': () =>
    circuit(
      new cockatiel.SamplingBreaker({ threshold: 0.999, duration: 10_000, minimumRps: MANY }),
    ),
  '@kysera/infra': () => new KyseraBreaker(MANY, LONG),
}
const lean = {
  timeout: false,
  rollingPercentilesEnabled: false,
  volumeThreshold: MANY,
  resetTimeout: LONG,
}
const opossum = (fn, options) => new Opossum(fn, options)

/** The least that anything can do which looks at results. */
const reactions = {
  ok: result => result,
  err: reason => {
    throw reason
  },
}

const places = { maxConcurrent: 10, maxQueue: 10 }

/** Groups of variants that are measured against the bare call of their group. */
const groups = {
  success: {
    batch: 3_000,
    bare: ['await fn()', undefined, value],
    variants: {
      floor: ['await fn().then(x.ok, x.err)', reactions, value],
      ...Object.fromEntries(
        Object.entries(ours).map(([name, make]) => [
          `seawall ${name}`,
          ['await x.execute(fn)', make(), value],
        ]),
      ),
      'seawall outcome': ['await x.tryExecute(fn)', ours.consecutive(), value],
      ...Object.fromEntries(
        Object.entries(peers).map(([name, make]) => [name, ['await x.execute(fn)', make(), value]]),
      ),
      'opossum, all off': [
        'await x.fire()',
        opossum(value, { ...lean, rollingCountTimeout: LONG, enableSnapshots: false }),
        value,
      ],
      'opossum, defaults': ['await x.fire()', opossum(value, {}), value],
    },
  },
  failure: {
    batch: 500,
    bare: ['try { await fn() } catch {}', undefined, failure],
    variants: {
      floor: ['try { await fn().then(x.ok, x.err) } catch {}', reactions, failure],
      ...Object.fromEntries(
        Object.entries(ours).map(([name, make]) => [
          `seawall ${name}`,
          ['try { await x.execute(fn) } catch {}', make(), failure],
        ]),
      ),
      'seawall outcome': ['await x.tryExecute(fn)', ours.consecutive(), failure],
      ...Object.fromEntries(
        Object.entries(peers)
          .filter(([name]) => name !== 'cockatiel count')
          .map(([name, make]) => [name, ['try { await x.execute(fn) } catch {}', make(), failure]]),
      ),
      'opossum, all off': ['try { await x.fire() } catch {}', opossum(failure, lean), failure],
    },
  },
  rejection: {
    batch: 500,
    bare: ['await fn()', undefined, value],
    variants: {},
  },
  bulkhead: {
    batch: 3_000,
    bare: ['await fn()', undefined, value],
    variants: {
      floor: ['await fn().then(x.ok, x.err)', reactions, value],
      'seawall bulkhead': ['await x.execute(fn)', new Bulkhead(places), value],
      'seawall bulkhead, outcome': ['await x.tryExecute(fn)', new Bulkhead(places), value],
      'cockatiel bulkhead': ['await x.execute(fn)', cockatiel.bulkhead(10, 10), value],
    },
  },
  'bulkhead queue': {
    batch: 500,
    bare: ['await Promise.all([fn(), fn()])', undefined, value],
    variants: {
      'seawall bulkhead': [
        'await Promise.all([x.execute(fn), x.execute(fn)])',
        new Bulkhead({ ...places, maxConcurrent: 1 }),
        value,
      ],
      'cockatiel bulkhead': [
        'await Promise.all([x.execute(fn), x.execute(fn)])',
        cockatiel.bulkhead(1, 10),
        value,
      ],
    },
  },
  retry: {
    batch: 1_000,
    bare: ['await fn()', undefined, value],
    variants: {
      'seawall withRetry': ['await x(fn)', withRetry, value],
      'cockatiel retry': [
        'await x.execute(fn)',
        cockatiel.retry(cockatiel.handleAll, {
          maxAttempts: 3,
          backoff: new cockatiel.ExponentialBackoff(),
        }),
        value,
      ],
      'p-retry': ['await x(fn)', pRetry, value],
      '@kysera/infra withRetry': ['await x(fn)', kyseraRetry, value],
    },
  },
  timeout: {
    batch: 500,
    bare: ['await fn()', undefined, value],
    variants: {
      'seawall hard': ['await x.execute(fn)', new Timeout({ timeoutMs: 10_000 }), value],
      'seawall cooperative': [
        'await x.execute(fn)',
        new Timeout({ timeoutMs: 10_000, mode: 'cooperative' }),
        value,
      ],
      'seawall quantile': [
        'await x.execute(fn)',
        new Timeout({ timeoutMs: { quantile: 0.99 } }),
        value,
      ],
      'seawall hedge': ['await x.execute(fn)', new Hedge({ delayMs: 10_000 }), value],
      'cockatiel, defaults': [
        'await x.execute(fn)',
        cockatiel.timeout(10_000, cockatiel.TimeoutStrategy.Aggressive),
        value,
      ],
      'cockatiel, abortOnReturn: false': [
        'await x.execute(fn)',
        cockatiel.timeout(10_000, {
          strategy: cockatiel.TimeoutStrategy.Aggressive,
          abortOnReturn: false,
        }),
        value,
      ],
    },
  },
}

groups.fallback = {
  batch: 1_000,
  bare: ['await fn()', undefined, value],
  variants: {
    'seawall Fallback': ['await x.execute(fn)', new Fallback(5), value],
    'cockatiel fallback': [
      'await x.execute(fn)',
      cockatiel.fallback(cockatiel.handleAll, 5),
      value,
    ],
    'seawall Fallback, answering': ['await x.execute(fn)', new Fallback(5), failure],
    'cockatiel fallback, answering': [
      'await x.execute(fn)',
      cockatiel.fallback(cockatiel.handleAll, 5),
      failure,
    ],
    'seawall Coalescer': ["await x.execute('key', fn)", new Coalescer(), value],
    'seawall Cache, hit': ["await x.execute('key', fn)", new Cache(), value],
    'seawall Cache, hit, frozen': [
      "await x.execute('key', fn)",
      new Cache({ frozen: true }),
      value,
    ],
  },
}

/** Retry, breaker, time-out and bulkhead around a call, as each library has them. */
const parts = {
  retry: { maxAttempts: 3 },
  breaker: { threshold: MANY, resetTimeMs: LONG },
  timeout: 10_000,
  bulkhead: places,
}
const wrapped = options =>
  cockatiel.wrap(
    cockatiel.retry(cockatiel.handleAll, {
      maxAttempts: 3,
      backoff: new cockatiel.ExponentialBackoff(),
    }),
    circuit(new cockatiel.ConsecutiveBreaker(MANY)),
    cockatiel.timeout(10_000, options),
    cockatiel.bulkhead(10, 10),
  )
groups.pipeline = {
  batch: 500,
  bare: ['await fn()', undefined, value],
  variants: {
    'seawall policy': ['await x.execute(fn)', policy(parts), value],
    'seawall policy, outcome': ['await x.tryExecute(fn)', policy(parts), value],
    'seawall policy, with a log': ['await x.execute(fn)', policy({ ...parts, log: 1_000 }), value],
    'seawall policy of nothing': ['await x.execute(fn)', policy({}), value],
    'seawall policy of a breaker': [
      'await x.execute(fn)',
      policy({ breaker: parts.breaker }),
      value,
    ],
    'cockatiel wrap, defaults': [
      'await x.execute(fn)',
      wrapped(cockatiel.TimeoutStrategy.Aggressive),
      value,
    ],
    'cockatiel wrap, abortOnReturn: false': [
      'await x.execute(fn)',
      wrapped({ strategy: cockatiel.TimeoutStrategy.Aggressive, abortOnReturn: false }),
      value,
    ],
  },
}

/** Open breakers. */
async function refusing() {
  const { variants } = groups.rejection
  for (const [name, make] of Object.entries(ours)) {
    const breaker = make()
    await breaker.forceOpen()
    variants[`seawall ${name}, thrown`] = ['try { await x.execute(fn) } catch {}', breaker, value]
  }
  const open = ours.consecutive()
  await open.forceOpen()
  variants['seawall, outcome'] = ['(await x.tryExecute(fn)).ok', open, value]
  const stacked = ours.consecutive({ stack: true })
  await stacked.forceOpen()
  variants['seawall with stack: true'] = ['try { await x.execute(fn) } catch {}', stacked, value]
  const cockatielBreaker = circuit(new cockatiel.ConsecutiveBreaker(1))
  await cockatielBreaker.execute(failure).catch(() => {})
  variants.cockatiel = ['try { await x.execute(fn) } catch {}', cockatielBreaker, value]
  const kysera = new KyseraBreaker(1, LONG)
  await kysera.forceOpen()
  variants['@kysera/infra'] = ['try { await x.execute(fn) } catch {}', kysera, value]
  const opossumBreaker = opossum(value, lean)
  opossumBreaker.open()
  variants.opossum = ['try { await x.fire() } catch {}', opossumBreaker, value]
}

function compile(name, [body]) {
  const source = `for (let i = 0; i < n; i++) { ${body} } // ${name}`
  return new AsyncFunction('x', 'fn', 'n', `${source}\n`)
}

async function measure({ batch, bare, variants }, label) {
  const all = Object.entries({ bare, ...variants }).map(([name, variant]) => {
    const [, subject, fn] = variant
    return {
      name,
      subject,
      fn,
      run: compile(`${label} ${name}`, variant),
      best: Number.POSITIVE_INFINITY,
    }
  })
  // A success now and then keeps rates below the whole.
  const calm = all
    .map(({ subject }) => subject)
    .filter(subject => label === 'failure' && subject instanceof CircuitBreaker)
  for (let round = 0; round < rounds; round++) {
    for (const breaker of calm) await breaker.execute(value)
    for (const entry of all) {
      // What takes this long is known well enough, and would take minutes.
      if (round >= 40 && entry.best > 20_000) continue
      const start = performance.now()
      await entry.run(entry.subject, entry.fn, batch)
      entry.best = Math.min(entry.best, ((performance.now() - start) * 1e6) / batch)
    }
  }
  for (const { name, subject } of all) {
    if (label === 'rejection' || !(subject instanceof CircuitBreaker)) continue
    if (!subject.isClosed())
      throw new Error(`${label}, ${name}: the breaker opened while it was measured`)
  }
  return Object.fromEntries(all.map(({ name, best }) => [name, best]))
}

await refusing()
const [label, names] = process.argv.slice(3)
if (label !== undefined) {
  const { variants } = groups[label]
  for (const name of Object.keys(variants).filter(name => !names.split(',').includes(name))) {
    delete variants[name]
  }
}
const results = {}
for (const [name, group] of Object.entries(groups)) {
  if (label === undefined || label === name) results[name] = await measure(group, name)
}
console.log(JSON.stringify({ engine: engineKind(), node: process.version, results }))
process.exit()

import * as cockatiel from 'cockatiel'
import { policy } from 'seawall'

const AsyncFunction = (async () => {}).constructor
const value = async () => 1
const LONG = 2 ** 31 - 1
const ck = timeout =>
  cockatiel.wrap(
    cockatiel.retry(cockatiel.handleAll, {
      maxAttempts: 3,
      backoff: new cockatiel.ExponentialBackoff(),
    }),
    cockatiel.circuitBreaker(cockatiel.handleAll, {
      halfOpenAfter: LONG,
      breaker: new cockatiel.ConsecutiveBreaker(5),
    }),
    ...(timeout ? [timeout] : []),
    cockatiel.bulkhead(100, 10),
  )
const vs = {
  bare: [undefined, 'await fn()'],
  'policy {}': [policy({}), 'await x.execute(fn)'],
  'policy breaker': [policy({ breaker: {} }), 'await x.execute(fn)'],
  'policy retry breaker': [policy({ retry: {}, breaker: {} }), 'await x.execute(fn)'],
  'ck wrap no timeout': [ck(), 'await x.execute(fn)'],
  'ck wrap cooperative': [
    ck(cockatiel.timeout(1000, cockatiel.TimeoutStrategy.Cooperative)),
    'await x.execute(fn)',
  ],
  'ck wrap aggressive': [
    ck(cockatiel.timeout(1000, cockatiel.TimeoutStrategy.Aggressive)),
    'await x.execute(fn)',
  ],
  'ck wrap coop noabort': [
    ck(
      cockatiel.timeout(1000, {
        strategy: cockatiel.TimeoutStrategy.Cooperative,
        abortOnReturn: false,
      }),
    ),
    'await x.execute(fn)',
  ],
  'ck wrap aggr noabort': [
    ck(
      cockatiel.timeout(1000, {
        strategy: cockatiel.TimeoutStrategy.Aggressive,
        abortOnReturn: false,
      }),
    ),
    'await x.execute(fn)',
  ],
}
const all = Object.entries(vs).map(([name, [x, body]]) => ({
  name,
  x,
  best: 1e9,
  run: new AsyncFunction('x', 'fn', 'n', `for(let i=0;i<n;i++){${body}} // ${name}\n`),
}))
for (let r = 0; r < 150; r++)
  for (const e of all) {
    const s = performance.now()
    await e.run(e.x, value, 1000)
    e.best = Math.min(e.best, (performance.now() - s) * 1e3)
  }
for (const e of all)
  console.log(e.name.padEnd(24), e.best.toFixed(0), (e.best - all[0].best).toFixed(0))
process.exit()

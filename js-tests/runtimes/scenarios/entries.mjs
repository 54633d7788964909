// The other entries of the package. Each scenario answers how far the runtime has what the entry is
// for: 'yes', a word for the part it has, or 'no' where the entry itself says that it has no place here.
import { CircuitBreaker } from 'seawall'
import { holds, is, pause, refused } from './tools.mjs'

async function testing() {
  const { scripted, VirtualClock } = await import('seawall/testing')
  const clock = new VirtualClock()
  const breaker = new CircuitBreaker({ threshold: 1, resetTimeMs: 3_600_000, clock })
  const other = scripted([{ error: new Error('down') }, { result: 7 }], clock)
  await breaker.tryExecute(other)
  await clock.advance(3_600_001)
  is(await breaker.execute(other), 7, 'an hour later')
}

/** With `origin` over the network of the runtime, else over a `fetch` that is made up. */
async function http({ origin }) {
  const { resilientFetch } = await import('seawall/http')
  let asked = 0
  const made = async () =>
    ++asked < 3 ? new Response('busy', { status: 503 }) : new Response('answer')
  const retry = { maxAttempts: 3, delayMs: 2 }
  const options = origin ? { retry } : { retry, fetch: made }
  const subject = resilientFetch(options)
  try {
    const key = `${Date.now()}-${Math.random()}`
    const answer = await subject(origin ? `${origin}/flaky?key=${key}` : 'https://example.test/')
    is(answer.status, 200, 'the status at the third try')
    is(await answer.text(), 'answer', 'the body')
  } finally {
    subject[Symbol.dispose]()
  }
}

async function idempotency() {
  const { idempotency } = await import('seawall/idempotency')
  const keys = idempotency()
  let processed = 0
  const order = async () => {
    processed++
    return { status: 201, headers: {}, body: new TextEncoder().encode('ordered') }
  }
  const request = { method: 'POST', path: '/orders', key: 'a-key', body: '{"item":7}' }
  await keys.run(request, order)
  const again = await keys.run(request, order)
  is(processed, 1, 'processed')
  is(new TextDecoder().decode(again.body), 'ordered', 'the answer again')
}

async function stores() {
  const { memoryStore, redisStore } = await import('seawall/stores')
  const store = memoryStore()
  is(await store.add('key', 'first'), true, 'added')
  is(await store.add('key', 'second'), false, 'added again')
  await refused(async () => redisStore({}), 'SEAWALL_INVALID_OPTION')
}

async function health() {
  const { HealthChecks, healthHandler } = await import('seawall/health')
  const checks = new HealthChecks()
  try {
    checks.add('self', () => true)
    const handler = healthHandler(checks)
    const ready = await handler(new Request('http://here.test/readyz'))
    is(ready.status, 200, 'ready')
    is(await handler(new Request('http://here.test/other')), undefined, 'another path')
    checks.drain()
    is((await handler(new Request('http://here.test/readyz'))).status, 503, 'draining')
  } finally {
    checks[Symbol.dispose]()
  }
}

/** `offline`: this runtime was not allowed to listen; what it would do is told elsewhere. */
async function probeServer({ offline }) {
  const { startProbeServer } = await import('seawall/health')
  if (offline) return undefined
  let server
  try {
    server = await startProbeServer({ port: 0, host: '127.0.0.1' })
  } catch (error) {
    return absent(error, 'startProbeServer', 'healthHandler')
  }
  try {
    const { port } = server.address()
    const { status } = await fetch(`http://127.0.0.1:${port}/livez`)
    is(status, 200, 'alive')
    return server.kind === 'native' ? 'by a thread' : 'in JavaScript'
  } finally {
    await server.close()
  }
}

async function pressure() {
  const { PressureMonitor } = await import('seawall/pressure')
  const told = new PressureMonitor({ source: 'manual', utilization: { soft: 0.5, hard: 0.9 } })
  const own = new PressureMonitor()
  try {
    told.observe({ utilization: 0.95 })
    holds(told.pressure > 0, 'what is told counts')
    is(own.admit(), undefined, 'nothing is refused at rest')
    await pause(5)
    const { source } = own.explain()
    is(typeof own.level, 'string', 'the level')
    return { native: 'by a thread', pulse: 'by a timer', manual: 'as told' }[source]
  } finally {
    told[Symbol.dispose]()
    own[Symbol.dispose]()
  }
}

async function lifecycle() {
  const entry = await import('seawall/lifecycle')
  let life
  let code
  try {
    life = new entry.Lifecycle({ exit: status => (code = status) })
  } catch (error) {
    return absent(error, 'seawall/lifecycle')
  }
  const done = []
  life.start({ graceMs: 2_000, drainDelayMs: 0, signals: [] })
  life.onShutdown('jobs', () => void done.push('jobs'), { phase: 'queues' })
  is(await life.shutdown('the test'), code, 'what it is told to exit with')
  is(done.join(), 'jobs', 'hooks')
}

async function fastify() {
  const { default: plugin } = await import('seawall/fastify')
  is(typeof plugin, 'function', 'the plugin')
  try {
    is(plugin.TYPE_HEAP_USED_BYTES, 'heapUsedBytes', 'what it exports besides')
  } catch (error) {
    return absent(error, 'seawall/fastify')
  }
}

async function express() {
  const entry = await import('seawall/express')
  try {
    const head = new TextEncoder().encode('GET /path HTTP/1.1\r\nhost: here.test\r\n\r\n')
    is(entry.hasCompleteHttpHeaders(head), true, 'a head')
  } catch (error) {
    return absent(error, 'seawall/express')
  }
}

async function kysely() {
  const { CircuitBreaker: Breaker, checkDatabaseHealth } = await import('seawall/kysely')
  is(Breaker, CircuitBreaker, 'one class for all entries')
  const { DummyDriver, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } =
    await import('kysely')
  const db = new Kysely({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: given => new SqliteIntrospector(given),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  })
  // On a busy machine even this one is late.
  const { status } = await checkDatabaseHealth(db)
  holds(status !== 'unhealthy', `the database is ${status}`)
  await db.destroy()
}

/** 'no', if the error says which entry it is about and what to use in its place. */
function absent(error, ...words) {
  is(error?.code, 'SEAWALL_RUNTIME', `the code of "${error?.stack}"`)
  for (const word of words) {
    holds(error.message.includes(word), `the message does not name ${word}: ${error.message}`)
  }
  return 'no'
}

export const entries = {
  'seawall/testing': testing,
  'seawall/http': http,
  'seawall/idempotency': idempotency,
  'seawall/stores': stores,
  'seawall/health': health,
  'probe server': probeServer,
  'seawall/pressure': pressure,
  'seawall/lifecycle': lifecycle,
  'seawall/fastify': fastify,
  'seawall/express': express,
  'seawall/kysely': kysely,
}

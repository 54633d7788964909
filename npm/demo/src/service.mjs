// The service process. Arguments: variant (plain is without Seawall), port, port of the database, seed.
import { CircuitBreakerError } from 'seawall'
import { createMetricsPool, gracefulShutdown, HealthMonitor } from 'seawall/kysely'
import { createChaos } from './chaos.mjs'
import { send } from './child.mjs'
import { connect, isConnectionError, withCode } from './connect.mjs'
import { guarded, plain } from './guarded.mjs'
import { createRoutes } from './routes.mjs'

const [variant, port, databasePort, seed] = process.argv.slice(2)
const withSeawall = variant !== 'plain'
const { db, pool } = connect(Number(databasePort))
const metricsPool = createMetricsPool(pool)
const chaos = createChaos(Number(seed))
const counts = { calls: 0, callsToDead: 0, retries: 0, waits: 0 }

const protection = withSeawall
  ? guarded({
      onBreaker: (state, before) => send({ type: 'breaker', state, before }),
      onRetry: (_attempt, error) => {
        const refused = error instanceof CircuitBreakerError
        counts[refused ? 'waits' : 'retries']++
        send({ type: 'retry', code: refused ? 'open breaker' : String(error.code) })
      },
    })
  : plain()

/** One call to the database, counted where it leaves the service, chaos included. */
async function attempt(fn) {
  counts.calls++
  try {
    return await chaos.around(() => fn(db))
  } catch (error) {
    withCode(error)
    if (isConnectionError(error) && error.message !== 'chaos query') counts.callsToDead++
    throw error
  }
}

const silent = () => {}
const logger = {
  trace: silent,
  debug: silent,
  info: silent,
  warn: silent,
  error: silent,
  fatal: silent,
}
const monitor = withSeawall
  ? new HealthMonitor(db, { pool: metricsPool, intervalMs: 500, logger })
  : undefined
let health
monitor?.start(({ status }) => {
  if (status !== health) send({ type: 'health', status })
  health = status
})

const report = () => ({
  ...counts,
  breaker: protection.state(),
  health,
  pool: metricsPool.getMetrics(),
})

const app = createRoutes({
  query: (fn, options = { idempotent: true }) => protection.call(() => attempt(fn), options),
  status: () => ({ variant, ...report(), explain: protection.explain() }),
  health: async () => monitor?.getLastCheck() ?? { status: 'unknown' },
})

process.on('message', message => {
  if (message.type === 'chaos') chaos.set(message)
  if (message.type === 'pause') chaos.pause(message.ms)
})

// Without Seawall SIGTERM ends the process at once, requests in flight included: Node's default.
if (withSeawall) {
  process.on('SIGTERM', async () => {
    send({ type: 'draining' })
    monitor.stop()
    try {
      await gracefulShutdown(db, { timeout: 5000, onShutdown: () => app.close(), logger })
    } catch (error) {
      console.error(error.message)
      process.exit(1)
    }
    process.exit(0)
  })
}

setInterval(() => send({ type: 'stats', ...report() }), 100).unref()
await app.listen({ host: '127.0.0.1', port: Number(port) })
send({ type: 'ready' })

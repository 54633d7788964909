import Fastify, { type FastifyReply, type FastifyRequest } from 'fastify'
import underPressure, {
  type FastifyUnderPressureOptions,
  fastifyUnderPressure,
  type TYPE_EVENT_LOOP_DELAY,
  type TYPE_EVENT_LOOP_UTILIZATION,
  type TYPE_HEALTH_CHECK,
  type TYPE_HEAP_USED_BYTES,
  type TYPE_RSS_BYTES,
} from 'seawall/fastify'
import { PressureMonitor } from 'seawall/pressure'

/** Compiles only where both are one type. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(..._: Same<A, B> extends true ? [] : ['different']): void => {}

same<typeof TYPE_EVENT_LOOP_DELAY, 'eventLoopDelay'>()
same<typeof TYPE_EVENT_LOOP_UTILIZATION, 'eventLoopUtilization'>()
same<typeof TYPE_HEALTH_CHECK, 'healthCheck'>()
same<typeof TYPE_HEAP_USED_BYTES, 'heapUsedBytes'>()
same<typeof TYPE_RSS_BYTES, 'rssBytes'>()
same<typeof underPressure.TYPE_EVENT_LOOP_DELAY, 'eventLoopDelay'>()
same<typeof underPressure.TYPE_EVENT_LOOP_UTILIZATION, 'eventLoopUtilization'>()
same<typeof underPressure.TYPE_HEALTH_CHECK, 'healthCheck'>()
same<typeof underPressure.TYPE_HEAP_USED_BYTES, 'heapUsedBytes'>()
same<typeof underPressure.TYPE_RSS_BYTES, 'rssBytes'>()
same<typeof fastifyUnderPressure.TYPE_EVENT_LOOP_DELAY, 'eventLoopDelay'>()
same<typeof fastifyUnderPressure.TYPE_RSS_BYTES, 'rssBytes'>()
same<underPressure.FastifyUnderPressureOptions, FastifyUnderPressureOptions>()

const server = Fastify()
server.register(underPressure)
server.register(fastifyUnderPressure, { maxEventLoopDelay: 1_000 })
server.register(underPressure.default, { maxRssBytes: 1e8 })
server.register(underPressure, {
  maxEventLoopDelay: 1_000,
  maxEventLoopUtilization: 0.9,
  eventLoopUtilizationMode: 'interval',
  maxHeapUsedBytes: 1e8,
  message: 'Under pressure!',
  retryAfter: 50,
  sampleInterval: 500,
  healthCheck: async instance => instance.register === server.register,
  healthCheckInterval: 500,
  healthCheckTimeout: 100,
  exposeStatusRoute: '/v2/status',
})
server.register(underPressure, {
  exposeStatusRoute: { routeOpts: { logLevel: 'silent', config: {} }, url: '/alive' },
})
server.register(underPressure, {
  exposeStatusRoute: { routeOpts: {}, routeSchemaOpts: { hide: true } },
})
class Busy extends Error {}
server.register(underPressure, { customError: Busy })
server.register(underPressure, { customError: new Error('busy') })
// A handler as it was typed for the original.
const old = (
  _request: FastifyRequest,
  _reply: FastifyReply,
  _type: string,
  _value: number | undefined,
): Promise<void> | void => {}
server.register(underPressure, { pressureHandler: old })

same<boolean, ReturnType<typeof server.isUnderPressure>>()
const { heapUsed, rssBytes, eventLoopDelay, eventLoopUtilized } = server.memoryUsage()
same<number, typeof heapUsed | typeof rssBytes | typeof eventLoopDelay | typeof eventLoopUtilized>()

server.get(
  '/',
  {
    config: {
      pressureHandler(request, reply, type, value) {
        same<typeof request.url, string>()
        same<typeof value, number | undefined>()
        if (type === 'rssBytes') reply.code(503).send('later')
      },
    },
  },
  async () => 'served',
)
// @ts-expect-error: no function
server.get('/wrong', { config: { pressureHandler: 1 } }, async () => 'served')
// @ts-expect-error: there is no such mode
server.register(underPressure, { eventLoopUtilizationMode: 'sometimes' })

server.register(underPressure, { pressure: true, shed: { exposeSignal: true } })
server.register(underPressure, {
  pressure: {
    blockMs: { soft: 50 },
    memory: false,
    priority: request => (request.url === '/' ? 'low' : undefined),
  },
  exposeStatusRoute: { shed: false },
  maintenance: false,
  retryAfterJitter: true,
  onShed: ({ type, value, dryRun }, request) => console.log(type, value, dryRun, request.url),
})
server.register(underPressure, {
  pressure: new PressureMonitor({ dryRun: true }),
  logPressure: true,
})
server.pressureMonitor?.setMaintenance(true)
server.setMaintenance?.(true)
server.get('/low', { config: { pressure: { priority: 'veryLow' } } }, async () => 'served')
server.get('/probe', { config: { pressure: false } }, async () => 'served')
// @ts-expect-error: `onShed` stands beside
server.register(underPressure, { pressure: { onShed: () => {} } })

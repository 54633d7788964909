import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Health } from './health.js'
import type { FastifyUnderPressureOptions, MemoryUsage, PressureType } from './options.js'
import { Sampler } from './sampler.js'
import { addStatusRoute, statusHandler, statusOptions } from './status.js'
import { type MakeError, maker, SERVICE_UNAVAILABLE } from './unavailable.js'

export const TYPE_EVENT_LOOP_DELAY: PressureType = 'eventLoopDelay'
export const TYPE_EVENT_LOOP_UTILIZATION: PressureType = 'eventLoopUtilization'
export const TYPE_HEALTH_CHECK: PressureType = 'healthCheck'
export const TYPE_HEAP_USED_BYTES: PressureType = 'heapUsedBytes'
export const TYPE_RSS_BYTES: PressureType = 'rssBytes'

/** What is over its limit, and how much of it there was. */
interface Overload {
  type: PressureType
  value: number | undefined
}

type Next = (error?: Error) => void

/**
 * Refuses requests with 503 while the process is under pressure.
 *
 * It takes the place of `@fastify/under-pressure`: same options, same answers. Requests of a calm
 * process pay for one comparison: what is over its limit is decided when it is measured.
 *
 * @example
 * ```js
 * import Fastify from 'fastify'
 * import underPressure from 'seawall/fastify'
 *
 * const app = Fastify()
 * app.register(underPressure, { maxEventLoopDelay: 1000, exposeStatusRoute: true })
 * await app.ready()
 *
 * console.log((await app.inject('/status')).json()) // { status: 'ok' }
 * await app.close()
 * ```
 */
export async function fastifyUnderPressure(
  fastify: FastifyInstance,
  options: FastifyUnderPressureOptions = {},
): Promise<void> {
  const check = options.healthCheck || undefined
  const interval = options.healthCheckInterval || -1
  const statusRoute = statusOptions(options.exposeStatusRoute)
  if (check !== undefined) await assertHealthCheck(check, interval > 0 || statusRoute !== undefined)

  const { maxEventLoopDelay = 0, maxHeapUsedBytes = 0, maxRssBytes = 0 } = options
  const { maxEventLoopUtilization = 0, pressureHandler } = options
  const limited =
    maxEventLoopDelay > 0 || maxHeapUsedBytes > 0 || maxRssBytes > 0 || maxEventLoopUtilization > 0
  const retryAfter = options.retryAfter ?? 10

  // With decorators of the same names Fastify throws here: before anything runs.
  fastify.decorate('memoryUsage', memoryUsage)
  fastify.decorate('isUnderPressure', () => overload !== undefined)

  /** What is over its limit. Changes with what it is made of, so that requests need not ask. */
  let overload: Overload | undefined
  const sampler = new Sampler(
    options.sampleInterval ?? 0,
    options.eventLoopUtilizationMode === 'interval',
    judge,
  )
  const health = new Health(fastify, check, options.healthCheckTimeout ?? 0, judge)
  judge()
  fastify.addHook('onClose', (_fastify, done) => {
    sampler.stop()
    health.stop()
    done()
  })
  await health.start(interval)

  const checks = check !== undefined
  // Without checks in the background nothing else would ever ask again how the service is.
  const onlyStatusChecks = checks && !(interval > 0)
  let makeError: MakeError = maker(undefined, undefined)
  let statusPaths = new Set<string>()
  if (statusRoute) {
    const handler = statusHandler(health, checks, onlyStatusChecks, unavailable)
    statusPaths = addStatusRoute(fastify, statusRoute, handler)
  }
  if (!limited && !checks) return

  makeError = maker(options.customError, options.message)
  fastify.addHook('onRequest', onRequest)

  function judge(): void {
    overload = worst(true)
  }

  /** The first that is over its limit, in an order that users rely on. */
  function worst(withHealth: boolean): Overload | undefined {
    const { eventLoopDelay, heapUsed, rssBytes, eventLoopUtilized } = sampler.usage
    if (maxEventLoopDelay > 0 && eventLoopDelay > maxEventLoopDelay) {
      return { type: TYPE_EVENT_LOOP_DELAY, value: eventLoopDelay }
    }
    if (maxHeapUsedBytes > 0 && heapUsed > maxHeapUsedBytes) {
      return { type: TYPE_HEAP_USED_BYTES, value: heapUsed }
    }
    if (maxRssBytes > 0 && rssBytes > maxRssBytes) {
      return { type: TYPE_RSS_BYTES, value: rssBytes }
    }
    if (withHealth && !health.healthy) return { type: TYPE_HEALTH_CHECK, value: undefined }
    if (maxEventLoopUtilization > 0 && eventLoopUtilized > maxEventLoopUtilization) {
      return { type: TYPE_EVENT_LOOP_UTILIZATION, value: eventLoopUtilized }
    }
    return undefined
  }

  function onRequest(request: FastifyRequest, reply: FastifyReply, next: Next): void {
    if (overload === undefined) next()
    else underPressure(overload, request, reply, next)
  }

  function underPressure(
    found: Overload,
    request: FastifyRequest,
    reply: FastifyReply,
    next: Next,
  ): void {
    const { config, url } = request.routeOptions
    if (found.type === TYPE_HEALTH_CHECK && onlyStatusChecks && statusPaths.has(url as string)) {
      // The one route that can find out that the service is well again.
      const other = worst(false)
      if (other === undefined) {
        next()
        return
      }
      found = other
    }
    const handler = config.pressureHandler || pressureHandler
    if (typeof handler !== 'function') {
      next(unavailable(reply))
      return
    }
    const result = handler(request, reply, found.type, found.value)
    if (result === undefined || result === null) next()
    else if (isThenable(result)) result.then(() => next(), next)
    else reply.send(result)
  }

  function unavailable(reply: FastifyReply): Error {
    reply.status(SERVICE_UNAVAILABLE).header('Retry-After', retryAfter)
    return makeError()
  }

  function memoryUsage(): MemoryUsage {
    const { eventLoopDelay, rssBytes, heapUsed, eventLoopUtilized } = sampler.usage
    return { eventLoopDelay, rssBytes, heapUsed, eventLoopUtilized }
  }
}

async function assertHealthCheck(check: unknown, used: boolean): Promise<void> {
  if (typeof check === 'function' && used) return
  const { ok } = await import('node:assert')
  const assert: (value: unknown, message: string) => asserts value = ok
  assert(
    typeof check === 'function',
    'opts.healthCheck should be a function that returns a promise that resolves to true or false',
  )
  assert(used, 'opts.healthCheck requires opts.healthCheckInterval or opts.exposeStatusRoute')
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null)?.then === 'function'
}

// What `fastify-plugin` would write: the plugin works on the instance it is registered with, not on
// a child of it.
Object.assign(fastifyUnderPressure, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: '@fastify/under-pressure',
  [Symbol.for('plugin-meta')]: { fastify: '>=4', name: '@fastify/under-pressure' },
  default: fastifyUnderPressure,
  fastifyUnderPressure,
  TYPE_EVENT_LOOP_DELAY,
  TYPE_EVENT_LOOP_UTILIZATION,
  TYPE_HEALTH_CHECK,
  TYPE_HEAP_USED_BYTES,
  TYPE_RSS_BYTES,
})

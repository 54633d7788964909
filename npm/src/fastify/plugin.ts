import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { call } from '../events.js'
import { Health } from './health.js'
import type {
  FastifyUnderPressureOptions,
  MemoryUsage,
  PressureHandler,
  PressureType,
} from './options.js'
import type { Gate } from './pressure.js'
import { Sampler } from './sampler.js'
import { addStatusRoute, statusHandler, statusOptions } from './status.js'
import { bodyOf, type MakeError, maker, SERVICE_UNAVAILABLE } from './unavailable.js'

export const TYPE_EVENT_LOOP_DELAY = 'eventLoopDelay'
export const TYPE_EVENT_LOOP_UTILIZATION = 'eventLoopUtilization'
export const TYPE_HEALTH_CHECK = 'healthCheck'
export const TYPE_HEAP_USED_BYTES = 'heapUsedBytes'
export const TYPE_RSS_BYTES = 'rssBytes'

/** What is over its limit, and how much of it there was. */
interface Overload {
  type: PressureType
  value: number | undefined
}

const JSON_TYPE = 'application/json; charset=utf-8'

type Route = FastifyRequest['routeOptions']
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
  const { retryAfter = 10, dryRun = false, onShed, logPressure = false } = options

  // With decorators of the same names Fastify throws here: before anything runs.
  fastify.decorate('memoryUsage', memoryUsage)
  fastify.decorate('isUnderPressure', isUnderPressure)

  /** What is over its limit. Changes with what it is made of, so that requests need not ask. */
  let overload: Overload | undefined
  let maintenance = options.maintenance === true
  let gate: Gate | undefined
  if (options.pressure) gate = await openGate(options.pressure)
  const hasSwitch = options.maintenance !== undefined
  if (hasSwitch) fastify.decorate('setMaintenance', setMaintenance)
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
    gate?.close()
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
  if (!limited && !checks && !gate && !hasSwitch) return

  makeError = maker(options.customError, options.message)
  fastify.addHook('onRequest', gate ? meet(gate) : onRequest)

  async function openGate(
    given: Exclude<FastifyUnderPressureOptions['pressure'], false | undefined>,
  ): Promise<Gate> {
    const { Gate } = await import('seawall/fastify/pressure')
    const opened = new Gate(given, options.shed, dryRun, {
      exempt: isExempt,
      dry: (type, request) => tell(type, opened.valueOf(type), true, request),
    })
    if (logPressure) opened.logTo(fastify.log)
    fastify.decorate('pressureMonitor', opened.monitor)
    return opened
  }

  function judge(): void {
    const before = overload?.type
    overload = worst(true)
    if (logPressure && overload?.type !== before) logOverload(fastify, overload)
  }

  /** The first that is over its limit, in an order that users rely on. */
  function worst(withHealth: boolean): Overload | undefined {
    const { eventLoopDelay, heapUsed, rssBytes, eventLoopUtilized } = sampler.usage
    if (maintenance) return { type: 'maintenance', value: undefined }
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

  /** The hook where a monitor has its word too. */
  function meet(gate: Gate): typeof onRequest {
    const body = bodyOf(options.message)
    const enter: typeof onRequest = (request, reply, next) => {
      const answer = gate.refusal(request, reply)
      if (answer === undefined) {
        next()
        return
      }
      const { cause, headers } = answer
      const route = gate.route ?? request.routeOptions
      const handler = cause === 'maintenance' ? undefined : handlerOf(route)
      // What is known of all signals is worth more than all the rest of this.
      if (onShed) tell(cause, gate.valueOf(cause), false, request)
      if (handler) {
        answerBy(handler, request, reply, next, { type: cause, value: gate.valueOf(cause) })
        return
      }
      reply.status(SERVICE_UNAVAILABLE)
      const { 'retry-after': retryAfter, 'x-pressure': signal, connection } = headers
      if (retryAfter !== undefined) reply.header('retry-after', retryAfter)
      if (signal !== undefined) reply.header('x-pressure', signal)
      // Without a body to be read, a connection that stays is worth more than the room it takes: a
      // new one is dearer than a refusal.
      if (connection !== undefined && hasBody(request)) reply.header('connection', connection)
      if (options.customError || gate.forwards) next(makeError())
      else reply.header('content-type', JSON_TYPE).send(body)
    }
    return (request, reply, next) => {
      if (overload === undefined) enter(request, reply, next)
      else underPressure(overload, request, reply, next, enter)
    }
  }

  function underPressure(
    found: Overload,
    request: FastifyRequest,
    reply: FastifyReply,
    next: Next,
    enter: typeof onRequest = goOn,
  ): void {
    // Fastify makes this object each time it is asked for it.
    const route = request.routeOptions
    if (isExempt(route)) {
      enter(request, reply, next)
      return
    }
    const heals = found.type === TYPE_HEALTH_CHECK && onlyStatusChecks
    if (heals && statusPaths.has(route.url as string)) {
      // The one route that can find out that the service is well again.
      const other = worst(false)
      if (other === undefined) {
        enter(request, reply, next)
        return
      }
      found = other
    }
    const isDry = dryRun && found.type !== 'maintenance'
    tell(found.type, found.value, isDry, request)
    if (isDry) {
      enter(request, reply, next)
      return
    }
    const handler = found.type === 'maintenance' ? undefined : handlerOf(route)
    if (handler) answerBy(handler, request, reply, next, found)
    else next(unavailable(reply))
  }

  /** Probes are not refused: those who ask would take the service for dead. */
  function isExempt({ config, url }: Route): boolean {
    if (config?.pressure === false) return true
    const isOpen = statusRoute?.shed === false || maintenance || gate?.monitor.maintenance
    return isOpen === true && statusPaths.has(url as string)
  }

  function handlerOf({ config }: Route): PressureHandler | undefined {
    const handler = config?.pressureHandler || pressureHandler
    return typeof handler === 'function' ? handler : undefined
  }

  function tell(
    type: PressureType,
    value: number | undefined,
    dry: boolean,
    request: FastifyRequest,
  ): void {
    if (onShed)
      call(() => onShed({ type, value, dryRun: dry }, request), 'seawall/fastify: `onShed`')
  }

  function unavailable(reply: FastifyReply): Error {
    const seconds = options.retryAfterJitter
      ? Math.ceil(retryAfter * (1 + Math.random()))
      : retryAfter
    reply.status(SERVICE_UNAVAILABLE).header('Retry-After', seconds)
    return makeError()
  }

  function setMaintenance(on: boolean): void {
    maintenance = on
    judge()
  }

  function isUnderPressure(): boolean {
    return overload !== undefined || gate?.isCalm === false
  }

  function memoryUsage(): MemoryUsage {
    const { eventLoopDelay, rssBytes, heapUsed, eventLoopUtilized } = sampler.usage
    return { eventLoopDelay, rssBytes, heapUsed, eventLoopUtilized }
  }
}

function hasBody({ headers }: FastifyRequest): boolean {
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined
}

function goOn(_request: FastifyRequest, _reply: FastifyReply, next: Next): void {
  next()
}

function answerBy(
  handler: PressureHandler,
  request: FastifyRequest,
  reply: FastifyReply,
  next: Next,
  { type, value }: Overload,
): void {
  const result = handler(request, reply, type, value)
  if (result === undefined || result === null) next()
  else if (isThenable(result)) result.then(() => next(), next)
  else reply.send(result)
}

function logOverload({ log }: FastifyInstance, overload: Overload | undefined): void {
  if (overload) log.warn(overload, 'under pressure')
  else log.info('no longer under pressure')
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

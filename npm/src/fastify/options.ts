import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { PressureCause, PressureMonitor, PressureOptions } from '../pressure/index.js'
import type { RequestPriority, ShedOptions } from '../pressure/shed-options.js'

/** What is over its limit, as handlers of pressure are told; with `pressure` also its signals. */
export type PressureType =
  | PressureCause
  | 'eventLoopDelay'
  | 'heapUsedBytes'
  | 'rssBytes'
  | 'healthCheck'
  | 'eventLoopUtilization'

/**
 * Answers a request that came while the process was under pressure, in place of the 503.
 *
 * What it returns is sent, unless it is `undefined` or `null`: then the request goes on to its
 * route, if no reply was sent. A promise is waited for, and only for that: what it resolves with is
 * not sent. What it throws or rejects with is an error of the request.
 *
 * `type` says what is over its limit and `value` how much of it there was; `undefined` for a failed
 * health check.
 */
export type PressureHandler = (
  request: FastifyRequest,
  reply: FastifyReply,
  type: PressureType,
  value: number | undefined,
) => unknown

/** How the status route is set up. */
export interface StatusRouteOptions {
  /** Options of the route; its `url`, `method`, `schema` and `handler` are the plugin's. */
  routeOpts?: object
  /** Parts of the route's schema. What stands in its `response` goes before the plugin's own. */
  routeSchemaOpts?: object
  /** Properties of the answer beside `status`; what the schema does not name is left out. */
  routeResponseSchemaOpts?: object
  /** The path. Default `'/status'`. */
  url?: string
  /** Whether the route is refused like any other under pressure; maintenance never refuses it. Default `true`. */
  shed?: boolean
}

/** How requests are refused by a {@link PressureMonitor}. */
export type PressureShedOptions = Omit<ShedOptions<FastifyRequest>, 'onShed'>

/** A request that was refused, or in a dry run would have been. */
export interface ShedEvent {
  /** What is over its limit. */
  readonly type: PressureType
  /** How much of it there was. */
  readonly value: number | undefined
  /** Whether the request was let in all the same. */
  readonly dryRun: boolean
}

/** The options of the plugin. Limits of 0 are no limits. */
export interface FastifyUnderPressureOptions {
  /** Mean delay of the event loop between two samples in ms, above which requests are refused. Default 0: not checked. */
  maxEventLoopDelay?: number
  /** Part of the time the event loop works, 0 to 1, above which requests are refused. Default 0: not checked. */
  maxEventLoopUtilization?: number
  /**
   * Whether utilisation is that since the plugin was registered (`'cumulative'`) or that between two
   * samples (`'interval'`). The longer a process runs, the less the first one moves. Default `'cumulative'`.
   */
  eventLoopUtilizationMode?: 'cumulative' | 'interval'
  /** Bytes of the heap in use above which requests are refused. Default 0: not checked. */
  maxHeapUsedBytes?: number
  /** Resident bytes of the process above which requests are refused. Default 0: not checked. */
  maxRssBytes?: number
  /** Message of the error. Default `'Service Unavailable'`. */
  message?: string
  /** Value of the header `Retry-After`, in seconds. Default 10. */
  retryAfter?: number
  /** Every how many ms the process is sampled; 0 is the default, less than 10 counts as 10. Default 1000. */
  sampleInterval?: number
  /**
   * Says whether what the service rests on is well: anything truthy is. Its first answer is waited
   * for when the plugin is registered. An object it answers with is part of the status route's reply.
   *
   * With `healthCheckTimeout` it gets a signal that is aborted when its time is up.
   */
  healthCheck?:
    | ((
        fastify: FastifyInstance,
        signal?: AbortSignal,
      ) => Promise<Record<string, unknown> | boolean>)
    | false
  /** How many ms after one health check the next one begins. Default -1: never. */
  healthCheckInterval?: number
  /**
   * In how many ms a health check has to answer, or it has failed; whoever asks meanwhile gets the
   * same answer. One that does not answer even later is not called again for a minute, then for two,
   * and so on. Default 0: it may take for ever.
   */
  healthCheckTimeout?: number
  /** Answers requests under pressure; the `pressureHandler` in a route's `config` goes before it. Default: 503. */
  pressureHandler?: PressureHandler
  /** Adds a route that says how the service is: `true` for `/status`, or a path, or more. Default `false`. */
  exposeStatusRoute?: boolean | string | StatusRouteOptions
  /** Class of the errors requests are refused with, constructed for each; or the one error for all of them. */
  customError?: Error | (new () => Error)
  /**
   * Refuse by a {@link PressureMonitor} of `seawall/pressure` too, beside the limits above: by how long the event
   * loop is blocked now, heap and memory against their limits, the kernel's own word, and more; the
   * less important requests first, with a `Retry-After` that differs from one to the next. `true`
   * takes its defaults. A monitor that is given is not disposed of when the server closes. Default
   * `false`: nothing of it is loaded.
   *
   * What it refuses is answered at once, which costs no more than a small route: no error handler, no
   * hook for errors and no log sees it. With `forwardErrors`, or a `customError`, they do.
   *
   * The monitor is `fastify.pressureMonitor`. In a route's `config`, `pressure: { priority: 'high' }`
   * says how important its requests are, and `pressure: false` that they are never refused.
   */
  pressure?: boolean | PressureMonitor | (PressureOptions & PressureShedOptions)
  /** How requests are refused by a monitor that is given as `pressure`. */
  shed?: PressureShedOptions
  /**
   * Whether the server starts in maintenance: everything is answered with 503 but the status route
   * and routes with `pressure: false`, and no handler is asked. Any value adds
   * `fastify.setMaintenance`. Default: there is no such switch.
   */
  maintenance?: boolean
  /** Let everybody in, and only tell who would not have been. Maintenance is never dry. Default `false`. */
  dryRun?: boolean
  /** Multiply `retryAfter` by a number drawn from 1 to 2, so that not all come back at once. Default `false`. */
  retryAfterJitter?: boolean
  /** Told of each refusal, before it is answered. What it throws is reported. */
  onShed?: (event: ShedEvent, request: FastifyRequest) => void
  /** Log when pressure begins, changes and ends, and what blocked the event loop for how long. Default `false`. */
  logPressure?: boolean
}

/** What was measured of the process, last time. Everything is 0 before the first time. */
export interface MemoryUsage {
  /** Bytes of the heap in use. */
  heapUsed: number
  /** Resident bytes of the process. */
  rssBytes: number
  /** Mean delay of the event loop between the last two samples, in ms. */
  eventLoopDelay: number
  /** Which part of the time the event loop worked, 0 to 1. */
  eventLoopUtilized: number
}

declare module 'fastify' {
  interface FastifyInstance {
    /** What was measured of the process, last time. Everything is 0 before the first time. */
    memoryUsage(): MemoryUsage
    /** Whether something is over its limit, so that requests are refused. */
    isUnderPressure(): boolean
    /** With the option `pressure`: by whom requests are refused. */
    pressureMonitor?: PressureMonitor
    /** With the option `maintenance`: refuses everything but probes, or no longer. */
    setMaintenance?: (on: boolean) => void
  }

  interface FastifyContextConfig {
    /** Answers requests of this route under pressure. */
    pressureHandler?: PressureHandler
    /** `false`: requests of this route are never refused. Else how important they are. */
    pressure?: false | { priority?: RequestPriority }
  }
}

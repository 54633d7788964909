import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

/** What is over its limit, as handlers of pressure are told. */
export type PressureType =
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
   * In how many ms a health check has to answer, or it has failed. One that does not answer even
   * later is not called again meanwhile. Default 0: it may take for ever.
   */
  healthCheckTimeout?: number
  /** Answers requests under pressure; the `pressureHandler` in a route's `config` goes before it. Default: 503. */
  pressureHandler?: PressureHandler
  /** Adds a route that says how the service is: `true` for `/status`, or a path, or more. Default `false`. */
  exposeStatusRoute?: boolean | string | StatusRouteOptions
  /** Class of the errors requests are refused with, constructed for each; or the one error for all of them. */
  customError?: Error | (new () => Error)
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
  }

  interface FastifyContextConfig {
    /** Answers requests of this route under pressure. */
    pressureHandler?: PressureHandler
  }
}

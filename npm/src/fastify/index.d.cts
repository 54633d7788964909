import type { FastifyPluginAsync } from 'fastify'
import type * as options from './options.js' with { 'resolution-mode': 'import' }

/** The function has its own names: those of a namespace are not values of a named import. */
interface Exports {
  TYPE_EVENT_LOOP_DELAY: 'eventLoopDelay'
  TYPE_EVENT_LOOP_UTILIZATION: 'eventLoopUtilization'
  TYPE_HEALTH_CHECK: 'healthCheck'
  TYPE_HEAP_USED_BYTES: 'heapUsedBytes'
  TYPE_RSS_BYTES: 'rssBytes'
}

type Plugin = FastifyPluginAsync<underPressure.FastifyUnderPressureOptions> & Exports

declare namespace underPressure {
  export type FastifyUnderPressureOptions = options.FastifyUnderPressureOptions
  export type StatusRouteOptions = options.StatusRouteOptions
  export type PressureHandler = options.PressureHandler
  export type PressureType = options.PressureType
  export type PressureShedOptions = options.PressureShedOptions
  export type ShedEvent = options.ShedEvent
  export type MemoryUsage = options.MemoryUsage

  export const TYPE_EVENT_LOOP_DELAY = 'eventLoopDelay'
  export const TYPE_EVENT_LOOP_UTILIZATION = 'eventLoopUtilization'
  export const TYPE_HEALTH_CHECK = 'healthCheck'
  export const TYPE_HEAP_USED_BYTES = 'heapUsedBytes'
  export const TYPE_RSS_BYTES = 'rssBytes'

  export const fastifyUnderPressure: Plugin
  export { fastifyUnderPressure as default }
}

/** Refuses requests with 503 while the process is under pressure. */
declare function underPressure(...params: Parameters<Plugin>): ReturnType<Plugin>

export = underPressure

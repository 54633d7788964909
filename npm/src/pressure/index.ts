export type { PriorityName } from '../gate.js'
export type {
  PressureCause,
  PressureClass,
  PressureCount,
  PressureExplanation,
  PressureGauge,
  PressureLevel,
} from './explain.js'
export { type PressureHonoContext, type PressureHonoMiddleware, pressureHono } from './hono.js'
export { type PressureKoaContext, type PressureKoaMiddleware, pressureKoa } from './koa.js'
export { type PressureMiddleware, pressureMiddleware } from './middleware.js'
export { type PressureEvents, PressureMonitor } from './monitor.js'
export type { PressureRequest, PressureResponse } from './node-http.js'
export type { PressureLimits, PressureOptions, PressureThresholds } from './options.js'
export type { PressureOwner } from './owner.js'
export { type PressureRecord, type PressureRecording, readRecording } from './recording.js'
export type { PressureAsk, PressureRefusal } from './refusal.js'
export {
  type NativeRefusalCounts,
  type NativeRefusalOptions,
  type NativeRefusals,
  type RefusingServer,
  refuseNatively,
} from './refuse-natively.js'
export type { ShedAnswer, ShedError } from './shed.js'
export type { Criticality, RequestPriority, ShedOptions } from './shed-options.js'
export type { PressureSignal, PressureSignals } from './signals.js'
export type { PressureStall } from './stalls.js'

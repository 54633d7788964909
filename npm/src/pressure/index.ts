export type { PriorityName } from '../gate.js'
export type {
  PressureCause,
  PressureClass,
  PressureCount,
  PressureExplanation,
  PressureGauge,
  PressureLevel,
} from './explain.js'
export {
  type PressureAsk,
  type PressureEvents,
  PressureMonitor,
  type PressureRefusal,
} from './monitor.js'
export type { PressureLimits, PressureOptions, PressureThresholds } from './options.js'
export type { PressureSignal, PressureSignals } from './signals.js'

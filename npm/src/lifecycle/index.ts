/** `seawall/lifecycle`: from a signal to the end of the process, on time and without losing a request. */
export { describeListenError } from './death.js'
export type { Drainable, DrainReport, InFlight } from './drains.js'
export {
  HOOK_PHASES,
  type Hook,
  type HookContext,
  type HookEnd,
  type HookOptions,
  type HookPhase,
} from './hooks.js'
export { type CloseOptions, closeOnShutdown, stopOnShutdown } from './integrations.js'
export { Lifecycle, lifecycle, type Unregister } from './lifecycle.js'
export type { LifecycleHost, LifecycleOptions, Reporter } from './options.js'
export {
  type IsConnected,
  type ProbeAnswer,
  type ProbeOptions,
  type ProbeRouter,
  Probes,
  probes,
} from './probes.js'
export {
  type ConnectingClient,
  type Connection,
  type ConnectionEvents,
  type ConnectionState,
  type Reconnecting,
  type ReconnectingOptions,
  reconnecting,
} from './reconnecting.js'
export * from './servers/index.js'
export type { Repeat } from './signals.js'
export type {
  HealthLike,
  LifecycleEvents,
  LifecyclePhase,
  LifecycleState,
  PhaseEvent,
  ShutdownBudget,
} from './state.js'

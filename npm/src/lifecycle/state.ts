/** What a lifecycle tells about itself. */
import type { DrainReport } from './drains.js'
import type { HookEnd, HookPhase } from './hooks.js'
import type { Native, Repeat } from './signals.js'

/** `Phase` of `core/src/lifecycle/mod.rs`. */
export const PHASES = ['running', 'notReady', 'draining', 'hooks', 'done', 'forced'] as const

/** How far a process is on its way to the end. */
export type LifecyclePhase = (typeof PHASES)[number]

/** What a lifecycle tells its listeners. */
export interface LifecycleEvents {
  /** Each phase, once; also as an event of its own name. */
  phase: PhaseEvent
  notReady: PhaseEvent
  draining: PhaseEvent
  hooks: PhaseEvent
  done: PhaseEvent
  forced: PhaseEvent
  /** A signal, and what it means. */
  signal: { signal: string; meaning: Repeat }
  /** A hook has ended. */
  hook: HookEnd
  /** Requests of a drainable were cut off, as time was up. */
  cut: { name: string; inFlight: DrainReport['inFlight'] }
  /** The steps do not fit into the grace period. */
  budget: ShutdownBudget
  /** The last before the process ends. */
  exit: { code: number }
}

/** A phase has begun. */
export interface PhaseEvent {
  phase: LifecyclePhase
  /** Why the process ends: the name of a signal, or what was said to `shutdown()`. */
  reason: string
  /** How much is left until the deadline, in ms. */
  leftMs: number
}

/** What a shutdown needs at most, in ms, and what it is given. */
export interface ShutdownBudget {
  /** The drain delay, or what `preStop` takes if that is longer. */
  delayMs: number
  longestRequestMs: number
  hooksMs: number
  marginMs: number
  graceMs: number
  /** The sum of all but `graceMs`. */
  neededMs: number
  /** By how much `graceMs` is too short; 0 if it is long enough. */
  shortMs: number
}

/** How a lifecycle stands, as plain data. */
export interface LifecycleState {
  phase: LifecyclePhase
  ready: boolean
  /** Why the process ends; `undefined` while it runs. */
  reason: string | undefined
  /** How much is left until the deadline, in ms; `undefined` while it runs. */
  leftMs: number | undefined
  /** What can never get well again, see `Lifecycle.setUnrecoverableError`. */
  unrecoverable: Error | undefined
  budget: ShutdownBudget
  /** The hooks that have not ended, in the order in which they run. */
  hooks: { name: string; phase: HookPhase }[]
  drainables: ({ name: string } & DrainReport)[]
  /** Whether threads keep the deadline and hear signals even while JavaScript is blocked. */
  native: Native
}

/** What is told that the process is no longer ready, and that it cannot recover. */
export interface HealthLike {
  drain(): unknown
  setUnrecoverable?: ((error: Error) => unknown) | undefined
}

import type { NativeStall } from '../engine/native-data.js'
import { processEngine } from '../engine/process/index.js'

/** A time for which the event loop stood still. */
export interface PressureStall {
  /** For how long, in ms. */
  readonly ms: number
  /** How many there have been, this one counted. */
  readonly count: number
  /** When it began, in ms of `performance.now()`. Not known without a native thread. */
  readonly startedAt?: number | undefined
  /**
   * How old it was, in ms, when the native thread saw it; `undefined` where it was over by then. */
  readonly seenMs?: number | undefined
  /** The last route entered ({@link PressureMonitor.enter}): most likely the one that blocked. */
  readonly route?: string | undefined
  /**
   * Whether that route was entered in the very turn that stalled. Otherwise it had been entered
   * before, and may be innocent.
   */
  readonly entered?: boolean | undefined
  /** What JavaScript was doing when the stall was seen, with the option `stallStack`. */
  readonly stack?: string | undefined
}

/** The stalls this isolate's loop has had, the oldest of the last hundred first. */
export function knownStalls(): PressureStall[] {
  return (processEngine().pressureStalls?.(0) ?? []).map(stallOf)
}

/** A stall as the native thread knows it. */
export function stallOf(stall: NativeStall): PressureStall {
  const { lengthMs, number, beganMs, seenMs, route, enteredDuring, stack } = stall
  return {
    ms: lengthMs,
    count: number,
    startedAt: beganMs,
    seenMs: Number.isNaN(seenMs) ? undefined : seenMs,
    route: route || undefined,
    entered: route ? enteredDuring : undefined,
    stack: stack || undefined,
  }
}

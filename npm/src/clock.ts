/** Where a policy gets its time and its timers from. */
export interface Clock {
  /** Milliseconds of a clock that never goes back. */
  now(): number
  /** Calls `fn` once, `ms` from now. */
  setTimer(fn: () => void, ms: number): unknown
  /** Takes a timer back; nothing if it has fired. */
  clearTimer(timer: unknown): void
}

/** The runtime's clock and timers, looked up when used so that fake timers work. */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimer: (fn, ms) => setTimeout(fn, ms),
  clearTimer: timer => clearTimeout(timer as number),
}

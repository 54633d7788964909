/** A process from its start to its end (`core/src/lifecycle`). Times are those of `performance.now()`. */
export interface LifecycleEngine {
  /** A handle, or -1 after a refusal. The options are `LifecycleOptions`, field by field. */
  lifecycleNew(options: Float64Array): number
  /** Begins the end for a `Cause`: 1, or 0 if it had begun. */
  lifecycleBegin(handle: number, nowMs: number, cause: number): number
  /** A signal came, by its number; the `Repeat` it is. */
  lifecycleSignal(handle: number, nowMs: number, signal: number): number
  /** Takes an `Event`; the `Phase`, the next one at most. */
  lifecycleAdvance(handle: number, nowMs: number, event: number): number
  /** When the phase changes by time alone, or -1. */
  lifecycleDue(handle: number): number
  /** What the hooks need together. */
  lifecycleHooks(handle: number, neededMs: number): void
  /**
   * How long the next hook may take; `laterMs` is the sum of the limits of those after it, and `open`
   * is how many of them have none; `ownMs` is NaN for none.
   */
  lifecycleHookLimit(
    handle: number,
    nowMs: number,
    ownMs: number,
    laterMs: number,
    open: number,
  ): number
  /**
   * A time: the deadline (0), the end of the drain delay (1), the latest end of the drain (2), each -1
   * while it runs; then the longer of delay and preStop, the longest request, the hooks, the margin,
   * the grace, what is needed in all, and what of it is lacking (9).
   */
  lifecycleTime(handle: number, which: number): number
  /** The code to end with. */
  lifecycleExitCode(handle: number): number
  /** Gives the handle back. */
  lifecycleFree(handle: number): void
  /**
   * From now on a thread ends this process at its deadline. Replaces what was guarded before;
   * false in a build that cannot.
   */
  lifecycleGuard?(handle: number, nowMs: number): boolean
  /**
   * What is alive now, for the report of a process that is ended by {@link lifecycleGuard}: words,
   * and since when; `note` is a line of its own.
   */
  lifecycleAlive?(nowMs: number, what: string[], sinceMs: Float64Array, note: string): void
  /** Ends the guard and the watch of signals of that handle. */
  lifecycleRelease?(handle: number): void
  /**
   * Catches these signals on a libuv loop of its own: each moves the guarded lifecycle at once, and then
   * calls `caught` with its `Repeat` and number. False where the process has no libuv.
   *
   * Only for Node: other runtimes export the functions of libuv and abort when they are called.
   */
  lifecycleCatch?(signals: number[], caught: (repeat: number, signal: number) => void): boolean
}

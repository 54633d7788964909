/** Jobs that repeat for ever (`core/src/periodic`). */
export interface PeriodicEngine {
  /** A handle, or -1 after a refusal. */
  periodicNew(
    periodMs: number,
    offsetMs: number | undefined,
    jitter: number | undefined,
    nowMs: number,
    seed: number,
  ): number
  /** When the next run is due, or -1 while one is under way. */
  periodicDue(handle: number): number
  /** Whether a run begins now. */
  periodicBegin(handle: number, nowMs: number): boolean
  /** Ends a run and answers how many due times passed during it. */
  periodicFinish(handle: number, nowMs: number): number
  /** Gives the handle back. */
  periodicFree(handle: number): void
}

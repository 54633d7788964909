/** Schedules of waits (`core/src/backoff`). A handle that has been freed gives up at once. */
export interface BackoffEngine {
  /** A handle, or -1 after a refusal. `seed` is a whole number below 2^53. */
  backoffNew(options: Float64Array, seed: number): number
  /** The wait in ms after attempt `attempt` (1 is the first), or -1 to give up. */
  backoffDelay(handle: number, attempt: number, previousMs: number, elapsedMs: number): number
  /** A seed drawn from the schedule's generator, for a run beside it. */
  backoffSeed(handle: number): number
  /** Gives the handle back. */
  backoffFree(handle: number): void
}

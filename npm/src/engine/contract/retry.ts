/** Repeating calls (`core/src/retry`). */
export interface RetryEngine {
  /** A handle, or -1 after a refusal. `backoff` is the handle of a schedule, or -1. */
  retryNew(options: Float64Array, backoff: number, seed: number): number
  /** The reason (below 0; `Reason` in the core) why nothing follows try `attempt`, or 0. */
  retryOver(handle: number, attempt: number, elapsedMs: number): number
  /**
   * The wait in ms before the next try, or the reason (below 0) why there is none.
   *
   * @param failure - `FailureNumbers` of `core/src/retry/options.rs`, field by field, NaN for none
   */
  retryDecide(handle: number, failure: Float64Array): number
  /** Gives the handle back. */
  retryFree(handle: number): void
}

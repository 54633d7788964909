/** Repeating calls (`core/src/retry`). */
export interface RetryEngine {
  /** A handle, or -1 after a refusal. `backoff` is the handle of a schedule, or -1. */
  retryNew(options: Float64Array, backoff: number, seed: number): number
  /** The reason (below 0; `Reason` in the core) why nothing follows try `attempt`, or 0. */
  retryOver(handle: number, attempt: number, elapsedMs: number): number
  /**
   * The wait in ms before the next try, or the reason (below 0) why there is none.
   *
   * @param verdict - `Verdict::to_bits` of the core, -1 where nobody knows
   * @param retryAfterMs - the wait the other side asked for, -1 for none
   * @param wanted - the caller's word: 1 yes, 0 no, -1 none
   */
  retryDecide(
    handle: number,
    attempt: number,
    elapsedMs: number,
    previousMs: number,
    verdict: number,
    retryAfterMs: number,
    wanted: number,
  ): number
  /** Gives the handle back. */
  retryFree(handle: number): void
}

/** Hedges (`core/src/hedge`). */
export interface HedgeEngine {
  /** A handle, or -1 after a refusal. */
  hedgeNew(options: Float64Array): number
  /** Takes other options and keeps the latencies: 0, or -1 after a refusal. */
  hedgeUpdate(handle: number, options: Float64Array): number
  /**
   * Records latencies in ms and answers the usual delay in ms (-1 for no hedge), how many latencies
   * may be gathered before this is called again, and how many are known.
   */
  hedgeRecord(handle: number, latencies: Float64Array, now: number): ArrayLike<number>
  /**
   * How many ms after try `begun` (1 is the first) the next one begins, or the reason (below 0;
   * `Reason` in the core) why none does.
   *
   * @param own - the caller's word in ms, NaN for none
   * @param left - the ms until the deadline, infinity for none
   */
  hedgeDelay(handle: number, begun: number, own: number, left: number, now: number): number
  /** Gives the handle back. */
  hedgeFree(handle: number): void
}

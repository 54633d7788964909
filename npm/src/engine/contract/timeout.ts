/** Time-outs (`core/src/timeout`). */
export interface TimeoutEngine {
  /** A handle, or -1 after a refusal. */
  timeoutNew(options: Float64Array): number
  /** Takes other options and keeps the latencies: 0, or -1 after a refusal. */
  timeoutUpdate(handle: number, options: Float64Array): number
  /**
   * Records latencies in ms and answers what holds for tries that begin now: the time-out (infinity
   * for none), the time that must be left, both in ms, and how many latencies may be gathered before
   * this is called again.
   */
  timeoutRecord(handle: number, latencies: Float64Array, now: number): ArrayLike<number>
  /**
   * How long a try may take in ms, or the reason (below 0; `Reason` in the core) why it is not begun.
   *
   * @param own - the caller's word in ms, NaN for none
   * @param left - the ms until the deadline, infinity for none
   */
  timeoutLimit(handle: number, own: number, left: number, now: number): number
  /** What a timer that fired `late` ms late says of the try whose time is up; `Late` in the core. */
  timeoutLate(handle: number, late: number): number
  /** How many latencies are known, their median and a quantile of them in ms, NaN for none. */
  timeoutExplain(handle: number, quantile: number, now: number): ArrayLike<number>
  /** Gives the handle back. */
  timeoutFree(handle: number): void
  /** The ms left that a header tells, or -1. */
  timeoutRemaining(header: string): number
}

/** Adaptive limits (`core/src/limit/adaptive`). Times are ms of the limiter's clock. */
export interface AdaptiveEngine {
  /** A handle, or -1 after a refusal; `options` are the numbers of `AdaptiveOptions` in core. */
  adaptiveNew(options: Float64Array, seed: number, now: number): number
  /**
   * Takes the first `count` samples (a latency in ms, of a failure -1 minus it), the calls in flight
   * and the most there were since the last time. Answers the numbers of `Terms` in core: the limit,
   * with how many samples to come back, when to, and the mean latency or -1.
   */
  adaptiveTake(
    handle: number,
    samples: Float64Array,
    count: number,
    inFlight: number,
    peak: number,
    now: number,
  ): ArrayLike<number>
  /** 0, or -1 after a refusal, which changes nothing. */
  adaptiveUpdate(handle: number, options: Float64Array): number
  /** The numbers of `Explanation` in core. */
  adaptiveExplain(handle: number, now: number): ArrayLike<number>
  /** Gives the handle back. */
  adaptiveFree(handle: number): void
}

/** Limits by time (`core/src/limit/rate`): groups of limiters with the same options. */
export interface RateEngine {
  /** A handle for at most `max` limiters, or -1 after a refusal. */
  rateNew(options: Float64Array, max: number, idleMs: number): number
  /** Takes other options for all limiters; -1 after a refusal. */
  rateUpdate(handle: number, options: Float64Array, now: number): number
  /** Makes a limiter and answers its number. */
  rateAdd(handle: number, now: number): number
  /** One of those let go for another and not yet told of, or -1. */
  rateGone(handle: number): number
  rateRemove(handle: number, id: number): void
  /**
   * 0: the call may go. Above 0: it has a place in line, and is expected to go after so many ms.
   * Below 0: why it may not (`Refusal` in the core).
   */
  rateAcquire(handle: number, id: number, permits: number, maxWaitMs: number, now: number): number
  /** The same for the first in line, who asked for so many permits. */
  rateAdvance(handle: number, id: number, permits: number, now: number): number
  /** Gives a place in line back. */
  rateLeave(handle: number, id: number, permits: number): void
  /** After how many ms so many permits could be had; -1: never. */
  rateWait(handle: number, id: number, permits: number, now: number): number
  /** Lets nothing pass before that time; 0 ends it. */
  rateHold(handle: number, id: number, until: number): void
  /** `RateExplanation::to_numbers`. */
  rateExplain(handle: number, id: number, now: number): ArrayLike<number>
  rateFree(handle: number): void
}

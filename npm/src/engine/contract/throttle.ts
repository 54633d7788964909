/** Holding back while calls fail (`core/src/limit/throttle.rs`). */
export interface ThrottleEngine {
  /** A handle, or -1 after a refusal. */
  throttleNew(options: Float64Array, seed: number): number
  /** Takes other options; -1 after a refusal. */
  throttleUpdate(handle: number, options: Float64Array, now: number): number
  /** Counts successes not yet told of, and answers whether a call may begin. */
  throttleAdmit(handle: number, successes: number, now: number): boolean
  /**
   * Counts successes not yet told of, and how a call ended. Until the time answered, calls need not
   * be asked for and successes can be told of later; -1: each must be.
   */
  throttleSettle(handle: number, successes: number, outcome: number, now: number): number
  /** `ThrottleExplanation::to_numbers`. */
  throttleExplain(handle: number, successes: number, now: number): ArrayLike<number>
  throttleFree(handle: number): void
}

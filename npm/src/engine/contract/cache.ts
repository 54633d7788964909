/** How long answers are kept (`core/src/cache`). */
export interface CacheEngine {
  /** A handle, or -1 after a refusal. `seed` is a whole number below 2^53. */
  cacheNew(options: Float64Array, seed: number): number
  /**
   * How long an answer that is kept now is fresh, in ms, 0 where it is not kept.
   *
   * @param askedMs - the time wanted for this one, NaN for that of the options
   */
  cacheLifespan(handle: number, askedMs: number): number
  /** How long after it was stored an answer of this lifespan is good for anything, in ms. */
  cacheKept(handle: number, lifespanMs: number): number
  /**
   * What an answer of this age is good for: 0 fresh, 1 stale, 2 on error, 3 nothing (`Freshness` in
   * the core). One from the future has an age below 0.
   */
  cacheJudge(handle: number, ageMs: number, lifespanMs: number): number
  /**
   * How many bytes are kept in memory, and for how many ms a store is waited for; empty after a
   * refusal. `options` are the numbers of `RoomOptions` in core.
   */
  cacheRoom(options: Float64Array): ArrayLike<number>
  /** Gives the handle back. */
  cacheFree(handle: number): void
}

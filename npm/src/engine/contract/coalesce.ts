/** The limits of coalescers (`core/src/coalesce.rs`). */
export interface CoalesceEngine {
  /**
   * The most shared executions, and for how many ms one is joined; empty after a refusal. `options`
   * are the numbers of `CoalesceOptions` in core.
   */
  coalesceLimits(options: Float64Array): ArrayLike<number>
}

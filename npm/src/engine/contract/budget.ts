/** Limits on repetitions (`core/src/retry/budget.rs`). */
export interface BudgetEngine {
  /** A handle, or -1 after a refusal. */
  budgetNew(options: Float64Array): number
  /** Takes other options, after `fresh` more calls have begun; -1 after a refusal. */
  budgetUpdate(handle: number, options: Float64Array, fresh: number, now: number): number
  /** Whether a repetition may begin beside so many calls and repetitions under way. */
  budgetAllow(handle: number, calls: number, retries: number, fresh: number, now: number): boolean
  /** `BudgetExplanation::to_numbers`. */
  budgetExplain(
    handle: number,
    calls: number,
    retries: number,
    fresh: number,
    now: number,
  ): ArrayLike<number>
  budgetFree(handle: number): void
}

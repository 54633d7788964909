/** Whom limiters turn away first (`core/src/limit/priority`). */
export interface PriorityEngine {
  /** A handle. `seed` is a whole number below 2^53. */
  priorityNew(seed: number): number
  /** Calls and users remembered, and the threshold where the share `rate` is turned away. */
  priorityExplain(handle: number, rate: number): ArrayLike<number>
  /** Gives the handle back. */
  priorityFree(handle: number): void
}

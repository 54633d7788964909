/**
 * Bulkheads (`core/src/limit/bulkhead`). `running` is how many calls are under way, which is
 * JavaScript's to count.
 */
export interface BulkheadEngine {
  /** A handle, or -1 after a refusal; `options` are the numbers of `BulkheadOptions` in core. */
  bulkheadNew(options: Float64Array): number
  /** Other limits; 0, or -1 after a refusal. */
  bulkheadUpdate(handle: number, running: number, options: Float64Array): number
  /** `Bulkhead::entry_code`: 1 it begins, 3 it waits in a slot; below 0 it is refused. */
  bulkheadEnter(handle: number, running: number, nowMs: number): number
  /** The same as `priorities` see it. `rank` is a level, or 1000 and more for a class. */
  bulkheadEnterRanked(
    handle: number,
    running: number,
    nowMs: number,
    priorities: number,
    rank: number,
    user: string | undefined,
  ): number
  /** `Bulkhead::next_code`: 0 nobody, 1 who waits in the slot begins, 2 has waited too long. */
  bulkheadNext(handle: number, running: number, nowMs: number): number
  /** Takes a call out of the queue; how many may run without asking. */
  bulkheadCancel(handle: number, running: number, slot: number): number
  /** When the first in the queue has waited too long, or -1. */
  bulkheadDue(handle: number, running: number): number
  /** How long a call with so many ms until its deadline may wait, or -1 where that ends its wait. */
  bulkheadPatience(handle: number, running: number, leftMs: number): number
  /** The numbers of `Explanation::to_numbers`. */
  bulkheadExplain(handle: number, running: number, nowMs: number): ArrayLike<number>
  /** Gives the handle back. */
  bulkheadFree(handle: number): void
}

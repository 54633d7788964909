/**
 * Grades, summaries and sets of checks (`core/src/health`). In grades and summaries NaN stands for
 * the default of a limit.
 */
export interface HealthEngine {
  /** The time limit of a check in ms, or -1 after a refusal. */
  healthTimeout(timeoutMs: number, degradedMs: number, unhealthyMs: number): number
  /** From one check to the next in ms, or -1 after a refusal. */
  healthInterval(intervalMs: number): number
  /** 0 healthy, 1 degraded, 2 unhealthy; -1 after a refusal. */
  healthGrade(latencyMs: number, degradedMs: number, unhealthyMs: number): number
  /** Count, mean, min, max, p95, p99, slow, many slow, near the limit; empty for no durations. */
  healthSummary(durations: Float64Array, slowAbove: number): ArrayLike<number>
  /** Whether nearly all connections are in use. */
  healthBusy(active: number, total: number): boolean
  /** The handle of a set without checks. */
  healthNew(now: number): number
  /** Adds a check (`WatchOptions`) and answers its number, or -1 after a refusal. */
  healthAdd(handle: number, options: Float64Array, now: number): number
  /** Takes a check out. */
  healthRemove(handle: number, check: number, now: number): void
  /** When the next check wants to run, -1 where none does. */
  healthDue(handle: number): number
  /** Begins a run of a check that is due, or answers -1: `Run::to_code`. */
  healthTake(handle: number, now: number): number
  /** Begins a run of a check, with `ifOld` only where it needs one, or answers -1. */
  healthBegin(handle: number, check: number, ifOld: boolean, now: number): number
  /** The time of a run is up; whether that counts. */
  healthExpire(handle: number, run: number, now: number): boolean
  /** A run has ended; whether that counts. */
  healthSettle(handle: number, run: number, passed: boolean, now: number): boolean
  /** Whether no more work is wanted. */
  healthDrain(handle: number, draining: boolean, now: number): void
  /** Whether the process cannot recover. */
  healthUnrecoverable(handle: number, unrecoverable: boolean, now: number): void
  /**
   * The answer to a question (0 liveness, 1 readiness, 2 start-up) under these limits
   * (`JudgeOptions`) and this load: `Verdict::to_numbers`; nothing after a refusal.
   */
  healthVerdict(
    handle: number,
    kind: number,
    limits: Float64Array,
    blockMs: number,
    level: number,
    now: number,
  ): ArrayLike<number>
  /** What is known of a check: `HealthSet::watch_numbers`. */
  healthWatch(handle: number, check: number, now: number): ArrayLike<number>
  /** The words of the answers (`Block`): a buffer, or where they lie in the memory of the engine. */
  healthMemory(handle: number): ArrayBuffer | number
  /** Gives the handle back. */
  healthFree(handle: number): void
}

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
  /** Tells of an event, by the numbers of `core/src/door/health.rs`. */
  healthTell(handle: number, event: number, subject: number, now: number): number
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
  /** Gives the handle back. */
  healthFree(handle: number): void
}

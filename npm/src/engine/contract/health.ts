/** Health checks (`core/src/health.rs`). NaN stands for the default of a limit. */
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
}

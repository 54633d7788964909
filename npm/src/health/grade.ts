/**
 * How well something answers: the time limit of a check, a grade for its latency, a summary of many
 * durations. Which limits there are and what they mean is the engine's decision.
 */
import { processEngine } from '../engine/process/index.js'
import { optionProblem } from '../errors.js'

/** How well a dependency answered, from best to worst. */
export type Grade = 'healthy' | 'degraded' | 'unhealthy'

/** What a health check expects. Times are in milliseconds. */
export interface HealthLimits {
  /** How long a check may take before it has failed. Above 0; `Infinity`: no limit. Default 5000. */
  timeoutMs?: number | undefined
  /**
   * From this latency on an answer is `degraded`. At least 0, with 0 none is healthy; `Infinity`:
   * never. Default 100.
   */
  degradedMs?: number | undefined
  /** From this latency on an answer is `unhealthy`. At least `degradedMs`; `Infinity`: never. Default 500. */
  unhealthyMs?: number | undefined
}

/** What many durations have in common, in milliseconds. */
export interface DurationSummary {
  count: number
  mean: number
  min: number
  max: number
  /** The shortest that at least 95 % do not exceed; always one of the values given. */
  p95: number
  /** The shortest that at least 99 % do not exceed; always one of the values given. */
  p99: number
  /** How many are longer than the limit. */
  slow: number
  /** Whether more than a tenth is slow. */
  manySlow: boolean
  /** Whether the mean is more than half of the limit. */
  nearLimit: boolean
}

const GRADES: readonly Grade[] = ['healthy', 'degraded', 'unhealthy']

/**
 * The time limit of a check in milliseconds.
 *
 * @throws OptionError naming the limit that is out of range.
 */
export function checkTimeout(where: string, limits: HealthLimits): number {
  const e = processEngine()
  const ms = e.healthTimeout(
    given(limits.timeoutMs),
    given(limits.degradedMs),
    given(limits.unhealthyMs),
  )
  if (ms < 0) throw optionProblem(where, limits, e)
  return ms
}

/**
 * The milliseconds from one check to the next. Default 30,000.
 *
 * @throws OptionError unless it is a number above 0.
 */
export function checkInterval(where: string, intervalMs: number | undefined): number {
  const e = processEngine()
  const ms = e.healthInterval(given(intervalMs))
  if (ms < 0) throw optionProblem(where, { intervalMs }, e)
  return ms
}

/** The grade of an answer that took so many milliseconds, by limits that {@link checkTimeout} accepted. */
export function gradeOf(latencyMs: number, limits: HealthLimits): Grade {
  const grade = processEngine().healthGrade(
    latencyMs,
    given(limits.degradedMs),
    given(limits.unhealthyMs),
  )
  return GRADES[grade] ?? 'unhealthy'
}

/** What `durations` have in common, those above `slowAbove` being slow; nothing for none. */
export function summarize(durations: Float64Array, slowAbove: number): DurationSummary | undefined {
  const numbers = processEngine().healthSummary(durations, slowAbove)
  if (numbers.length === 0) return undefined
  const [count, mean, min, max, p95, p99, slow, many, near] = Array.from(numbers) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  return { count, mean, min, max, p95, p99, slow, manySlow: many > 0, nearLimit: near > 0 }
}

/** Whether more than 80 % of a pool's connections are in use. Never for an empty pool. */
export function isBusy(active: number, total: number): boolean {
  return processEngine().healthBusy(active, total)
}

/** How a limit crosses: NaN is the default, so a NaN of the user's crosses as what is always refused. */
function given(limit: number | undefined): number {
  if (limit === undefined) return Number.NaN
  const number = Number(limit)
  return Number.isNaN(number) ? -1 : number
}

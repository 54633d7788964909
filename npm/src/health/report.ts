import type { CheckResult } from './flight.js'
import type { HealthKind, HealthReason } from './words.js'

/** The answer to one question. */
export interface HealthVerdict {
  kind: HealthKind
  passing: boolean
  /** Why; of several reasons the one that weighs most. */
  reason: HealthReason
  /** The name of the check behind the reason, where there is one. */
  check?: string
  /** What that check, or {@link HealthChecks.setUnrecoverable}, said. */
  message?: string
  /** For how many ms it has been so. */
  forMs: number
}

/** What is known of one check. */
export interface CheckReport {
  name: string
  kind: HealthKind
  passing: boolean
  reason: HealthReason
  /** For how many ms it has been so. */
  forMs: number
  /** How many ms ago the last result came; `null` before the first. */
  ageMs: number | null
  /** For how many ms a run has been under way; `null` where none is. */
  runningMs: number | null
  /** How many results in a row speak against what it counts as. */
  against: number
  /** How long the last run took, in ms. */
  durationMs?: number
  /** What the last result says. */
  message?: string
}

/** All that is known; plain data. */
export interface HealthReport {
  liveness: HealthVerdict
  readiness: HealthVerdict
  startup: HealthVerdict
  draining: boolean
  checks: CheckReport[]
}

/** What a set of checks tells of itself; see {@link HealthChecks.on}. */
export interface HealthEvents {
  /** An answer has become another. */
  change: HealthVerdict
  /** A run has ended, or its time was up. */
  result: CheckResult
}

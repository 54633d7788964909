import type { PressureLevel } from '../pressure/explain.js'
import type { HealthChecks } from './checks.js'
import type { CheckReport, HealthVerdict } from './report.js'
import type { HealthKind, HealthReason } from './words.js'

/** What a probe is answered, as JSON. */
export interface ProbeBody {
  /** `pass` comes with the HTTP status 200, `fail` with 503. */
  status: 'pass' | 'fail'
  probe: HealthKind
  /** Why; of several reasons the one that weighs most. */
  reason: HealthReason
  /** The check behind the reason, where there is one. */
  check?: string
  /** What it said. */
  message?: string
  /** For how many ms it has been so. */
  forMs: number
  /** For how many ms the event loop has not turned, where that is known. */
  blockedMs?: number
  /** The last route entered, where that is known. */
  route?: string
  /** The level of pressure, where it is known. */
  pressure?: PressureLevel
  /** Each check; left out without `details`. */
  checks?: ProbeCheck[]
}

/** One check in a {@link ProbeBody}. */
export interface ProbeCheck {
  name: string
  kind: HealthKind
  status: 'pass' | 'fail'
  reason: HealthReason
  forMs: number
  /** How long ago the last result came; `null` before the first. */
  ageMs: number | null
  /** For how long a run has been under way; `null` where none is. */
  runningMs: number | null
  message?: string
}

/** The paths of the probes. One left out is not served. */
export interface ProbePaths {
  /** Default `/livez`. */
  liveness?: string | false | undefined
  /** Default `/readyz`. */
  readiness?: string | false | undefined
  /** Default `/startupz`. */
  startup?: string | false | undefined
  /** The answer to readiness, for people and load balancers. Default `/healthz`. */
  health?: string | false | undefined
}

/** The kind that each path asks for. @internal */
export function routesOf(paths: ProbePaths = {}): Map<string, HealthKind> {
  const { liveness, readiness, startup, health } = paths
  const routes = new Map<string, HealthKind>()
  const add = (path: string | false, kind: HealthKind): void => {
    if (path !== false) routes.set(path, kind)
  }
  add(health ?? '/healthz', 'readiness')
  add(startup ?? '/startupz', 'startup')
  add(readiness ?? '/readyz', 'readiness')
  add(liveness ?? '/livez', 'liveness')
  return routes
}

/** The path of a request target: without the query, and without scheme and host. @internal */
export function pathOf(target: string): string {
  const path = target.startsWith('/') ? target : target.replace(/^[a-z]+:\/\/[^/]*/i, '')
  const end = path.search(/[?#]/)
  return (end < 0 ? path : path.slice(0, end)) || '/'
}

/** What a probe is answered. @internal */
export function bodyOf(
  checks: HealthChecks | undefined,
  verdict: HealthVerdict,
  details: boolean,
): ProbeBody {
  const { kind: probe, passing, reason, check, message, forMs } = verdict
  const body: ProbeBody = { status: passing ? 'pass' : 'fail', probe, reason, forMs }
  if (check !== undefined) body.check = check
  if (message !== undefined && details) body.message = message
  if (details) body.checks = checks?.report().checks.map(checkOf) ?? []
  return body
}

function checkOf(report: CheckReport): ProbeCheck {
  const { name, kind, passing, reason, forMs, ageMs, runningMs, message } = report
  const status = passing ? 'pass' : 'fail'
  const found: ProbeCheck = { name, kind, status, reason, forMs, ageMs, runningMs }
  if (message !== undefined) found.message = message
  return found
}

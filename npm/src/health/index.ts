/** Health: checks that cannot hurt, three answers, and a server that gives them whatever JavaScript does. */
export type { ProbeBody, ProbeCheck, ProbePaths } from './body.js'
export type { CheckOptions, HealthChecksOptions } from './check-options.js'
export { HealthChecks } from './checks.js'
export type { Check, CheckContext, CheckResult } from './flight.js'
export {
  type HealthHandler,
  type HealthHandlerOptions,
  healthHandler,
  type ProbeRequest,
  type ProbeResponse,
} from './handler.js'
export type { ProbeServerOptions, ProbeServerPaths } from './probe-options.js'
export {
  type ProbeAddress,
  type ProbeCounts,
  type ProbeServer,
  startProbeServer,
} from './probe-server.js'
export type { CheckReport, HealthEvents, HealthReport, HealthVerdict } from './report.js'
export type { HealthKind, HealthReason } from './words.js'

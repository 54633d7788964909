import { processEngine } from '../engine/process/index.js'
import { OptionError, SeawallError } from '../errors.js'
import { check, type Kind } from '../options.js'
import { LEVELS, type PressureLevel } from '../pressure/explain.js'
import { PressureMonitor } from '../pressure/monitor.js'
import { type ProbePaths, routesOf } from './body.js'
import { HealthChecks } from './checks.js'
import { type HealthKind, KINDS } from './words.js'

/** Where a probe server listens and what it says. */
export interface ProbeServerOptions {
  /** The port, 0 for any that is free. Either this or `socketPath`. */
  port?: number | undefined
  /** The path of a Unix socket. A file left over from a process that was killed is replaced. */
  socketPath?: string | undefined
  /** The address to listen on, a number or a name. Default: all of this machine. */
  host?: string | undefined
  /** The checks that are asked. Without, only the state of the process counts. */
  checks?: HealthChecks | undefined
  /** Who knows the pressure on the process. Default one of its own, for as long as it runs. */
  monitor?: PressureMonitor | undefined
  /** The paths; one set to `false` is not served. */
  paths?: ProbeServerPaths | undefined
  /**
   * Not ready once the event loop has not turned for so many ms. Above 0; `Infinity`: never. Default
   * 1000.
   */
  readinessBlockMs?: number | undefined
  /**
   * Not alive any more once the event loop has not turned for so many ms, at least
   * `readinessBlockMs`; `Infinity`: never. Default 60,000: who restarts a process because it is busy
   * makes the others busier.
   */
  livenessBlockMs?: number | undefined
  /**
   * Not ready from this level of pressure on. Default never: to refuse a part of the requests is
   * better than to take all instances out at once.
   */
  readinessLevel?: Exclude<PressureLevel, 'normal'> | undefined
  /**
   * Whether an answer tells of each check with its messages, which may name hosts. Default true; the
   * status and the reason are always there.
   */
  details?: boolean | undefined
  /** Who answers. Default `'native'` where there are threads, else `'javascript'`. */
  kind?: 'native' | 'javascript' | undefined
}

/** The paths of a probe server. */
export interface ProbeServerPaths extends ProbePaths {
  /** Signals and verdicts for Prometheus. Default `/metrics`. */
  metrics?: string | false | undefined
}

const FIELDS: Record<string, Kind> = {
  port: 'integer',
  socketPath: 'string',
  host: 'string',
  checks: 'object',
  monitor: 'object',
  paths: 'object',
  readinessBlockMs: 'number',
  livenessBlockMs: 'number',
  readinessLevel: LEVELS.slice(1),
  details: 'boolean',
  kind: ['native', 'javascript'],
}
const PATHS: Record<string, Kind> = {
  liveness: 'any',
  readiness: 'any',
  startup: 'any',
  health: 'any',
  metrics: 'any',
}

/** What a path asks for. @internal */
export type ProbeRoute = HealthKind | 'metrics'

/** The number of a route in the engine. @internal */
export function routeCode(route: ProbeRoute): number {
  return route === 'metrics' ? KINDS.length : KINDS.indexOf(route)
}

/** Which path asks for what. @internal */
export function serverRoutes(paths: ProbeServerPaths | undefined): Map<string, ProbeRoute> {
  const routes = new Map<string, ProbeRoute>(routesOf(paths))
  const metrics = paths?.metrics ?? '/metrics'
  if (metrics !== false) routes.set(metrics, 'metrics')
  return routes
}

/** @throws OptionError for options of a wrong type and those that do not go together. @internal */
export function checkServerOptions(options: ProbeServerOptions): void {
  const where = 'startProbeServer'
  check(where, options, FIELDS)
  check(`${where} paths`, options.paths, PATHS)
  const { port, socketPath, host, checks, monitor } = options
  const refuse = (option: string, must: string): never => {
    throw new OptionError(`${where}: \`${option}\` ${must}`, option)
  }
  if (port === undefined && socketPath === undefined)
    refuse('port', 'or `socketPath` must be given')
  if (port !== undefined && socketPath !== undefined)
    refuse('socketPath', 'must not be set together with `port`')
  if (host !== undefined && port === undefined)
    refuse('host', 'may be set only together with `port`')
  if (port !== undefined && !(port >= 0 && port <= 65_535))
    refuse('port', `must be from 0 to 65535, got ${port}`)
  if (socketPath === '') refuse('socketPath', 'must not be empty')
  if (checks !== undefined && !(checks instanceof HealthChecks))
    refuse('checks', 'must be a `HealthChecks` of seawall/health')
  if (monitor !== undefined && !(monitor instanceof PressureMonitor))
    refuse('monitor', 'must be a `PressureMonitor` of seawall/pressure')
  for (const [name, path] of Object.entries(options.paths ?? {})) {
    const fits =
      path === undefined || path === false || (typeof path === 'string' && path[0] === '/')
    if (!fits) refuse(`paths.${name}`, 'must be a path that begins with "/", or false')
  }
}

/** The limits as `JudgeOptions` of `core/src/health/judge.rs`, field by field. @internal */
export function limitsOf(options: ProbeServerOptions): Float64Array {
  const { readinessBlockMs, livenessBlockMs, readinessLevel } = options
  const level = readinessLevel && LEVELS.indexOf(readinessLevel)
  return Float64Array.from([readinessBlockMs, livenessBlockMs, level], value => value ?? Number.NaN)
}

/** The monitor to go by, and how to let go of it. @internal */
export function monitorOf(options: ProbeServerOptions): [PressureMonitor, () => void] {
  if (options.monitor) return [options.monitor, () => {}]
  const own = new PressureMonitor({ dryRun: true })
  return [own, () => own[Symbol.dispose]()]
}

/** Whether this runtime has threads that answer. @internal */
export function hasThreads(): boolean {
  return processEngine().probeOpen !== undefined
}

const CAUSES: Record<string, string> = {
  EADDRINUSE: 'something else listens there',
  EACCES: 'this user may not',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOENT: 'there is no such folder',
  ENOTDIR: 'a part of the path is no folder',
  ENAMETOOLONG: 'the path is too long for a socket',
}

/** The error of a server that cannot listen. @internal */
export function listenError(options: ProbeServerOptions, cause: unknown): SeawallError {
  const { code, message = '' } = (cause ?? {}) as { code?: unknown; message?: string }
  const name = /^E[A-Z]+/.exec(message)?.[0] ?? (typeof code === 'string' ? code : '')
  const { port, socketPath, host } = options
  const place =
    socketPath !== undefined
      ? `on ${socketPath}`
      : `on port ${port}${host === undefined ? '' : ` of ${host}`}`
  const why = CAUSES[name] ?? message
  const text = `startProbeServer: cannot listen ${place}: ${why}${name ? ` (${name})` : ''}`
  return new SeawallError('SEAWALL_LISTEN', text, { cause })
}

/** The configuration of a server on several workers: what is given, the environment, defaults. */
import { availableParallelism } from 'node:os'
import { processEngine } from '../engine/process/index.js'
import { check, type Kind } from '../options.js'
import { balancerNamed, defaultLoadBalancer, type LoadBalancerName } from './balancers.js'
import { checkHttp, type HttpOptions } from './http-options.js'
import { completeLogger } from './logger.js'
import type { LoadBalancerFunction, LoggerLike, TelemetrySink } from './types.js'

/** Who says who a client is, and to whom. */
export interface ProxyProtocol {
  /**
   * Whether a balancer in front says of each connection who the client is, by version 1 or 2, as the
   * first it sends; a connection without that is closed. Default false.
   */
  in?: boolean | undefined
  /**
   * The balancers in front whose word is taken: addresses, and ranges such as `10.0.0.0/8`. A
   * connection from anywhere else is a client's own: what it sends is for the application, whatever it
   * says. Default everybody, so that nobody else may be able to connect: anybody could claim to be
   * anybody.
   */
  from?: string | readonly string[] | undefined
  /**
   * Whether also an application that opens its sockets itself is told who a client is, by version 2; it
   * has to understand that. Servers of Node always know. Default false.
   */
  out?: boolean | undefined
}

/** How a server on several workers is run. Times are in milliseconds. */
export interface ServerConfigInput {
  /** Where clients connect. Default the variable HOST or LISTEN_HOST, else `0.0.0.0`. */
  host?: string | undefined
  /** Default the variable PORT or LISTEN_PORT, else 3000. 0: any that is free. */
  port?: number | undefined
  /** What candidates say as their host. Default the variable WORKER_HOST, else `127.0.0.1`. */
  workerHost?: string | undefined
  /**
   * The first of the ports of workers; where it is set, they open them in the mode `proxy`, in which
   * a place has two, of which the second is `workers` further on and used while workers are replaced.
   * Without it they listen on Unix sockets, on Windows on ports that are free. Default the variable
   * BASE_WORKER_PORT, else 3001, which is a mere name then.
   */
  baseWorkerPort?: number | undefined
  /** How many workers; below 1 it is one. Default `auto`: as many as there are processors. */
  workers?: number | 'auto' | undefined
  /**
   * How connections get to workers. `handoff`: accepted by a native thread and handed over, with
   * the client's address. `proxy`: their bytes are carried by a native thread, on any platform with
   * the addon, also to applications that open their sockets themselves, such as ultimate-express.
   * `http`: a native thread reads requests and balances each of them, over connections to workers
   * that are kept; see {@link HttpOptions}. The application is told of the client by headers. What is
   * no HTTP/1, TLS for one, goes to one worker as a whole. On Unix, with the addon.
   * `cluster`: by Node's own cluster. Default `handoff` where the addon is there, on Unix.
   */
  mode?: 'handoff' | 'proxy' | 'http' | 'cluster' | undefined
  /** How the mode `http` treats requests; merged key by key. */
  http?: HttpOptions | undefined
  /** In the mode `proxy`, the PROXY protocol. Default none of it. */
  proxyProtocol?: ProxyProtocol | undefined
  /** In the mode `proxy`, how many threads carry bytes; at least 1. Default 1. */
  proxyThreads?: number | undefined
  /**
   * In the mode `proxy`, how long connecting to a worker may take before another one is asked.
   * Default 1000.
   */
  workerConnectTimeoutMs?: number | undefined
  /** How long a balancer function of yours waits for the head of a request. Default 10. */
  requestInspectionTimeoutMs?: number | undefined
  /** How many bytes of it are looked at. Default 16,384. */
  maxHeaderBytes?: number | undefined
  /** Whether clients may close their half of a connection and still get an answer. Default true. */
  allowHalfOpen?: boolean | undefined
  /** How often workers tell of themselves. Default 60,000. */
  workerHeartbeatIntervalMs?: number | undefined
  /** After how long without a word a worker is no candidate any more. Default 150,000. */
  workerHeartbeatStaleAfterMs?: number | undefined
  /**
   * How long requests under way may take when the server stops, or a worker is replaced. Of that time
   * up to a half is for connections without one. When the server stops, up to a second and a quarter
   * for clients that have no worker yet comes before it, and half a second until who is left is killed
   * after it: give `terminationGracePeriodSeconds` two seconds more. Default 10,000. 0: nothing is
   * waited for.
   */
  gracefulShutdownTimeoutMs?: number | undefined
  /** Whether a worker that dies is started again. Default true. */
  respawnWorkers?: boolean | undefined
  /** How often within a minute; the death after that is final. Default 5. */
  respawnLimit?: number | undefined
  /**
   * Chooses among workers: a name, or a function, which is asked about each connection; one that needs
   * the socket itself is made by `withSocket`. Default `roundRobin`. Whatever it is, workers that are
   * stuck are left out, except by functions.
   */
  loadBalancer?: LoadBalancerName | LoadBalancerFunction | undefined
  /** A worker whose event loop has not turned for longer gets nothing while others can. Default 50. */
  stuckAfterMs?: number | undefined
  /**
   * For how long the share of a worker grows, from a tenth, after it became ready: its code is not
   * compiled yet. Default 10,000. 0: it has its whole share at once.
   */
  slowStartMs?: number | undefined
  /**
   * After how many connections in a row that it could not take a worker is left out. Default 3.
   * 0: never. Where that would be more than half of the workers, none is.
   */
  ejectAfter?: number | undefined
  /** For how long, the first time; with each further time as much longer. Default 5000. */
  ejectForMs?: number | undefined
  /** After how long a slow answer has faded to about a third, for `peakEwma`. Default 10,000. */
  latencyDecayMs?: number | undefined
  /**
   * The limit of each worker's heap in MiB. Default its share of the container's memory, where that
   * is limited and nothing else sets the limit (`--max-old-space-size`).
   */
  workerHeapMb?: number | undefined
  /** Whether SIGHUP replaces the workers, one after the other. Default false. */
  reloadOnSighup?: boolean | undefined
  /**
   * Whether a worker under pressure ends a share of its kept connections, up to a fifth of its
   * answers, while another one is calmer. Default true; only in the mode `handoff`.
   */
  rebalance?: boolean | undefined
  /** For how long a connection waits for a worker before it gets 503. Default 1000. */
  patienceMs?: number | undefined
  /** Default the console; parts that are missing stay as they were. What it throws is reported. */
  logger?: Partial<LoggerLike> | undefined
  /** Variables for the environment of workers. */
  workerEnv?: Record<string, string> | undefined
  /** Whether SIGINT and SIGTERM stop the server, gracefully however often they come. Default true. */
  installSignalHandlers?: boolean | undefined
  /** Default none. */
  telemetry?: TelemetrySink | undefined
}

/** A configuration without gaps. */
export interface ResolvedServerConfig {
  host: string
  port: number
  workerHost: string
  baseWorkerPort: number
  workers: number
  mode: 'handoff' | 'proxy' | 'http' | 'cluster' | undefined
  http: HttpOptions
  proxyProtocol: ProxyProtocol
  proxyThreads: number
  workerConnectTimeoutMs: number
  requestInspectionTimeoutMs: number
  maxHeaderBytes: number
  allowHalfOpen: boolean
  workerHeartbeatIntervalMs: number
  workerHeartbeatStaleAfterMs: number
  gracefulShutdownTimeoutMs: number
  respawnWorkers: boolean
  respawnLimit: number | undefined
  loadBalancer: LoadBalancerFunction
  stuckAfterMs: number | undefined
  slowStartMs: number | undefined
  ejectAfter: number | undefined
  ejectForMs: number | undefined
  latencyDecayMs: number | undefined
  workerHeapMb: number | undefined
  reloadOnSighup: boolean
  rebalance: boolean
  patienceMs: number | undefined
  logger: LoggerLike
  workerEnv: Record<string, string>
  installSignalHandlers: boolean
  telemetry: TelemetrySink
}

const FIELDS: Record<keyof ServerConfigInput, Kind> = {
  host: 'string',
  port: 'number',
  workerHost: 'string',
  baseWorkerPort: 'number',
  // `NaN` is one worker: a drop-in's word.
  workers: 'any',
  mode: ['handoff', 'proxy', 'http', 'cluster'],
  http: 'object',
  proxyProtocol: 'object',
  proxyThreads: 'number',
  workerConnectTimeoutMs: 'number',
  requestInspectionTimeoutMs: 'number',
  maxHeaderBytes: 'number',
  allowHalfOpen: 'boolean',
  workerHeartbeatIntervalMs: 'number',
  workerHeartbeatStaleAfterMs: 'number',
  gracefulShutdownTimeoutMs: 'number',
  respawnWorkers: 'boolean',
  respawnLimit: 'number',
  loadBalancer: 'function',
  stuckAfterMs: 'number',
  slowStartMs: 'number',
  ejectAfter: 'number',
  ejectForMs: 'number',
  latencyDecayMs: 'number',
  workerHeapMb: 'number',
  reloadOnSighup: 'boolean',
  rebalance: 'boolean',
  patienceMs: 'number',
  logger: 'object',
  workerEnv: 'object',
  installSignalHandlers: 'boolean',
  telemetry: 'object',
}

const PROXY_PROTOCOL: Record<keyof ProxyProtocol, Kind> = {
  in: 'boolean',
  // Read by core, which knows what an address is.
  from: 'any',
  out: 'boolean',
}

const BALANCERS: readonly LoadBalancerName[] = [
  'roundRobin',
  'leastConnections',
  'resourceAware',
  'peakEwma',
  'twoChoices',
]

const silent = (): void => {}
const NO_TELEMETRY: TelemetrySink = {
  incrementCounter: silent,
  recordHistogram: silent,
  setGauge: silent,
}

let current: ResolvedServerConfig | undefined
let portsAreSet = false

/** Whether somebody wants workers to have certain ports. @internal */
export function workerPortsAreSet(): boolean {
  return portsAreSet || Boolean(process.env.BASE_WORKER_PORT)
}

/** The configuration at present. */
export function getServerConfig(): ResolvedServerConfig {
  const config = current ?? defaults()
  current = config
  return config
}

/**
 * Changes the configuration where `next` says something else; `logger` and `workerEnv` are merged
 * key by key.
 *
 * @throws OptionError for an option nobody knows or of the wrong type.
 *
 * @example
 * ```ts
 * import { getServerConfig, setServerConfig } from 'seawall/express'
 *
 * setServerConfig({ port: 8080, workers: 2 })
 * console.log(getServerConfig().port)
 * ```
 */
export function setServerConfig(next: ServerConfigInput): ResolvedServerConfig {
  const isName = typeof next?.loadBalancer === 'string'
  check('setServerConfig', next, isName ? { ...FIELDS, loadBalancer: BALANCERS } : FIELDS)
  checkHttp(next.http)
  check('setServerConfig proxyProtocol', next.proxyProtocol, PROXY_PROTOCOL)
  const before = getServerConfig()
  // Giving back what was read sets nothing.
  portsAreSet ||= (next.baseWorkerPort ?? before.baseWorkerPort) !== before.baseWorkerPort
  const said = Object.fromEntries(
    Object.entries(next).filter(([, value]) => value !== undefined),
  ) as Partial<ResolvedServerConfig>
  const { workers, logger, workerEnv, loadBalancer = before.loadBalancer } = next
  const merged: ResolvedServerConfig = {
    ...before,
    ...said,
    workers: workers === undefined ? before.workers : countOf(workers),
    loadBalancer: balancerOf(loadBalancer),
    logger: completeLogger(logger, before.logger),
    workerEnv: { ...before.workerEnv, ...workerEnv },
    http: { ...before.http, ...next.http },
  }
  current = merged
  return merged
}

function defaults(): ResolvedServerConfig {
  const { env } = process
  const number = (...names: string[]): number | undefined => {
    const word = names.map(name => env[name]).find(Boolean)
    const value = Number(word)
    return word && !Number.isNaN(value) ? value : undefined
  }
  return {
    host: env.HOST || env.LISTEN_HOST || '0.0.0.0',
    port: number('PORT', 'LISTEN_PORT') ?? 3000,
    workerHost: env.WORKER_HOST || '127.0.0.1',
    baseWorkerPort: number('BASE_WORKER_PORT') ?? 3001,
    workers: countOf('auto'),
    mode: undefined,
    http: {},
    proxyProtocol: {},
    proxyThreads: 1,
    workerConnectTimeoutMs: 1000,
    requestInspectionTimeoutMs: 10,
    maxHeaderBytes: 16_384,
    allowHalfOpen: true,
    workerHeartbeatIntervalMs: 60_000,
    workerHeartbeatStaleAfterMs: 150_000,
    gracefulShutdownTimeoutMs: 10_000,
    respawnWorkers: true,
    respawnLimit: undefined,
    loadBalancer: defaultLoadBalancer,
    stuckAfterMs: undefined,
    slowStartMs: undefined,
    ejectAfter: undefined,
    ejectForMs: undefined,
    latencyDecayMs: undefined,
    workerHeapMb: undefined,
    reloadOnSighup: false,
    rebalance: true,
    patienceMs: undefined,
    logger: console,
    workerEnv: {},
    installSignalHandlers: true,
    telemetry: NO_TELEMETRY,
  }
}

function countOf(workers: number | 'auto'): number {
  return processEngine().balanceWorkers(
    workers === 'auto' ? availableParallelism() : Number(workers),
  )
}

function balancerOf(balancer: LoadBalancerName | LoadBalancerFunction): LoadBalancerFunction {
  return typeof balancer === 'string' ? balancerNamed(balancer) : balancer
}

/**
 * Express, or any server of Node, on all cores: connections are accepted by a native thread and
 * handed to workers, never copied, and never to a worker that is stuck. Takes the place of
 * `defuss-express`.
 */
import cluster from 'node:cluster'
import { SeawallError } from '../errors.js'
import { getServerConfig, type ServerConfigInput, setServerConfig } from './config.js'
import type { FrontCounts, ServerStats } from './counts.js'
import { express } from './framework.js'
import { guardedLogger } from './logger.js'
import { Primary } from './primary.js'
import type { ExpressLike, StartServerResult } from './types.js'
import { Worker } from './worker.js'

export {
  createResourceAwareLoadBalancer,
  defaultLoadBalancer,
  type LoadBalancerName,
  leastConnectionsLoadBalancer,
  peakEwmaLoadBalancer,
  pickBackend,
  type ResourceAwareLoadBalancerWeights,
  resourceAwareLoadBalancer,
  roundRobinLoadBalancer,
  twoChoicesLoadBalancer,
  withSocket,
} from './balancers.js'
export type { ProxyProtocol, ResolvedServerConfig, ServerConfigInput } from './config.js'
export type { FrontCounts, ServerStats, ServerWorkerStats } from './counts.js'
export { onServer, type ServerEvents } from './events.js'
export type {
  ExpressApplication,
  ExpressErrorRequestHandler,
  ExpressHandler,
  ExpressNextFunction,
  ExpressRequest,
  ExpressRequestHandler,
  ExpressResponse,
  ExpressRouter,
} from './express-types.js'
export type { HttpCounts } from './http.js'
export type { HttpOptions } from './http-options.js'
export { hasCompleteHttpHeaders, parseRequestHead } from './request.js'
export type {
  BackendCandidate,
  ExpressLike,
  LoadBalancerContext,
  LoadBalancerFunction,
  LoggerLike,
  ParsedRequest,
  SocketLoadBalancerContext,
  StartServerResult,
  TelemetrySink,
  WorkerRuntimeStats,
} from './types.js'
export { express, express as expressDefault, getServerConfig, setServerConfig }
export default express

let running: { part: Primary | Worker; result: Promise<StartServerResult> } | undefined

/**
 * Starts the server: in the primary the workers and the front, in a worker the application. The
 * program runs in every one of the processes, so both are the same call.
 *
 * @returns what was started; another call answers the same until {@link stopServer}.
 * @throws (as a rejection) OptionError; SeawallError with the code of the system where the address
 * cannot be had; Error where no worker becomes ready in time.
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http'
 * import { startServer } from 'seawall/express'
 *
 * export async function main(): Promise<void> {
 *   const app = createServer((request, response) => response.end(`from ${process.pid}`))
 *   const { mode } = await startServer(app, { port: 3000, workers: 2 })
 *   console.log(mode)
 * }
 * ```
 */
export function startServer(
  app: ExpressLike,
  next?: ServerConfigInput,
): Promise<StartServerResult> {
  if (next) setServerConfig(next)
  if (running) return running.result
  const said = getServerConfig()
  const config = { ...said, logger: guardedLogger(said.logger) }
  let part: Primary | Worker
  let result: Promise<StartServerResult>
  try {
    if (cluster.isPrimary) {
      part = new Primary(config)
      result = part.start()
    } else {
      part = new Worker(config)
      result = part.start(app)
    }
  } catch (error) {
    return Promise.reject(error)
  }
  const now = { part, result }
  running = now
  result.catch(() => {
    if (running === now) running = undefined
  })
  return result
}

/**
 * Stops what {@link startServer} started: no more connections are accepted (in the mode `cluster`, which
 * has no front, for a second yet), who has no worker gets one, for up to a second and a quarter, and
 * then what is under way is finished within `gracefulShutdownTimeoutMs`; workers that outlive that by half
 * a second are killed. Connections on which nothing happens are kept for a second, at most for half of
 * that time: who asks meanwhile is answered, with `Connection: close`.
 *
 * @param graceful false: without waiting for what is under way, also where an earlier call still does.
 */
export async function stopServer(graceful = true): Promise<void> {
  const now = running
  if (!now) return
  await now.part.stop(graceful)
  if (running === now) running = undefined
}

/**
 * Replaces every worker by a new process that runs the program as it is now, one after the other:
 * the new one is ready before the old one finishes what is under way and ends. No connection is
 * refused on the way, and none is closed under a client that is about to ask: the old one keeps those
 * on which nothing happens for as long as its server says that it keeps them (`keepAliveTimeout`, 5 s
 * by default), at most for half of `gracefulShutdownTimeoutMs`, and answers with `Connection: close`; for
 * an application with sockets of its own a second, without that header. A second call while one runs
 * answers the same, and so does not start again what has been replaced already.
 *
 * @throws (as a rejection) SeawallError where there is no server, in a worker, and with the code
 * `SEAWALL_RELOAD` where a new worker does not become ready: the old ones go on.
 */
export function reloadServer(): Promise<void> {
  if (running?.part instanceof Primary) return running.part.reload()
  return Promise.reject(
    new SeawallError('SEAWALL_RELOAD', 'reloadServer: only the primary of a running server can'),
  )
}

/** The counts of the front and each worker as it is now; nothing in a worker and without a server. */
export function getServerStats(): ServerStats | undefined {
  return running?.part instanceof Primary ? running.part.stats() : undefined
}

/** What the front has counted; nothing in a worker and where there is none. */
export function getServerCounts(): FrontCounts | undefined {
  return running?.part instanceof Primary ? running.part.counts() : undefined
}

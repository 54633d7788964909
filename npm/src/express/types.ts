/** What a server on several workers is told and tells; the names are those of `defuss-express`. */
import type { Socket } from 'node:net'

/** What can be told of what happens. */
export interface LoggerLike {
  debug(...words: unknown[]): void
  info(...words: unknown[]): void
  warn(...words: unknown[]): void
  error(...words: unknown[]): void
}

/** An application of Express, Koa or Fastify, or a server of Node: whatever can listen. */
export type ExpressLike =
  // biome-ignore lint/suspicious/noExplicitAny: each framework has other parameters
  | { listen(...parameters: any[]): any }
  // biome-ignore lint/suspicious/noExplicitAny: as `listen`, for those that know requests alone
  | { fetch(...parameters: any[]): any }

/** Where counts and durations go. What it throws is reported and changes nothing. */
export interface TelemetrySink {
  incrementCounter(name: string, value?: number, attributes?: Record<string, unknown>): void
  recordHistogram(name: string, value: number, attributes?: Record<string, unknown>): void
  setGauge(name: string, value: number, attributes?: Record<string, unknown>): void
}

/** What a worker says of itself. */
export interface WorkerRuntimeStats {
  pid: number
  /** Of one processor since the last sample. */
  cpuPercent: number
  rssBytes: number
  heapUsedBytes: number
  heapTotalBytes: number
  externalBytes: number
  arrayBuffersBytes: number
  uptimeMs: number
  activeConnections: number
  /** When this was sampled, in ms since 1970. */
  sampledAt: number
}

/** A worker that can be chosen. */
export interface BackendCandidate {
  /** `worker-<index>`. */
  id: string
  workerIndex: number
  host: string
  port: number
  pid?: number | undefined
  healthy: boolean
  ready: boolean
  /** In ms since 1970. */
  lastHeartbeatAt?: number | undefined
  /** Connections it has at present. */
  activeProxyConnections: number
  /** Requests it has under way at present, where it counts them. */
  inFlight?: number | undefined
  /** How long its answers take, in ms; measured for `peakEwma` alone. */
  latencyMs?: number | undefined
  stats?: WorkerRuntimeStats | undefined
}

/** What the first bytes of a connection say. */
export interface ParsedRequest {
  method?: string | undefined
  path?: string | undefined
  httpVersion?: string | undefined
  host?: string | undefined
  /** Names in lower case; without a prototype. */
  headers: Record<string, string>
  remoteAddress?: string | undefined
  remotePort?: number | undefined
  protocol: 'http1' | 'unknown'
  rawHead: string
  /** The server a TLS client asks for. */
  serverName?: string | undefined
}

/** What a balancer function chooses by. */
export interface LoadBalancerContext {
  /** The workers that can be chosen; at least one. */
  candidates: BackendCandidate[]
  request: ParsedRequest
  /**
   * Where the connection comes from. A connection that is handed over has no socket in this
   * process: there are its addresses alone. Who needs the socket itself: `withSocket`.
   */
  socket: { remoteAddress?: string | undefined; remotePort?: number | undefined }
  /** How many choices there were before. */
  previousIndex: number
}

/** What a balancer function made by `withSocket` chooses by. */
export interface SocketLoadBalancerContext extends Omit<LoadBalancerContext, 'socket'> {
  /**
   * The client's connection, for as long as the function takes. Nothing is read of it here unless the
   * function does; what it reads the worker does not get. Its address is the client's, also where a
   * balancer in front says who that is. Ended or destroyed, it gets no worker.
   */
  socket: Socket
}

/** Chooses a worker. What it throws or rejects with is logged, and the connection closed. */
export type LoadBalancerFunction = (
  context: LoadBalancerContext,
) => BackendCandidate | Promise<BackendCandidate>

/** What `startServer` has started. */
export type StartServerResult =
  | { mode: 'primary'; pid: number; host: string; port: number; workers: number }
  | {
      mode: 'worker'
      pid: number
      host: string
      port: number
      workerIndex: number
      workerPort: number
    }

/** The front of the mode `http`: each request goes to whichever worker has its turn. */
import { processEngine } from '../engine/process/index.js'
import { seedOr } from '../seed.js'
import type { ResolvedServerConfig } from './config.js'
import type { FrontCounts } from './counts.js'
import { type Ask, balanceNumbers, lingerMs, settled } from './front.js'
import { Relay } from './relay.js'

/** What the mode `http` has counted. */
export interface HttpCounts {
  /** Requests whose head was read. */
  requests: number
  /** Of them, those a worker answered. */
  answered: number
  /** Requests sent again, to another worker or on another connection. */
  retried: number
  /** Requests that got 503 because every worker was full, or under pressure. */
  shed: number
  /** Requests that got 503 because none was ready in time. */
  unavailable: number
  /** Requests whose worker went away (502, or a cut answer) or took too long (504). */
  failed: number
  /** What was refused because it cannot be read, or in two ways. */
  malformed: number
  /** Heads and bodies that took too long (408). */
  late: number
  /** Requests whose client went away before the whole answer. */
  aborted: number
  /** Connections that became something else than HTTP/1, such as WebSockets. */
  tunnels: number
  /** Requests under way. */
  inFlight: number
  /** Connections to workers. */
  links: number
  /** Of them, those without a request. */
  idle: number
}

/** In the order of `numbers` in `counters.rs`. */
const HTTP_COUNTS = [
  'requests',
  'answered',
  'retried',
  'shed',
  'unavailable',
  'failed',
  'malformed',
  'late',
  'aborted',
  'tunnels',
  'inFlight',
  'links',
  'idle',
] as const

/** The bits of `flags` in `http_start`. */
const TRUST = 1
const X_FORWARDED = 2
const FORWARDED = 4
const HALF_OPEN = 8

/** @internal */
export class Http extends Relay {
  constructor(config: ResolvedServerConfig, ask: Ask) {
    super('http', config, ask)
  }

  protected override get options(): object {
    return { ...this.config, ...this.config.http }
  }

  protected begin(ask: Ask | undefined): number | undefined {
    const { host, port, allowHalfOpen, http } = this.config
    const { trustForwarded = false, forwardedHeaders: headers = 'x-forwarded' } = http
    const both = headers === 'both'
    const flags =
      (trustForwarded ? TRUST : 0) |
      (both || headers === 'x-forwarded' ? X_FORWARDED : 0) |
      (both || headers === 'forwarded' ? FORWARDED : 0) |
      (allowHalfOpen ? HALF_OPEN : 0)
    const turns = [
      http.maxInFlight,
      http.maxPressure,
      http.maxTries,
      http.headTimeoutMs,
      http.stallTimeoutMs,
      http.answerTimeoutMs,
      http.keepAliveMs,
      http.workerKeepAliveMs,
      http.maxIdle,
    ].map(value => value ?? Number.NaN)
    return processEngine().httpStart?.(
      host,
      port,
      balanceNumbers(this.config),
      Float64Array.from(turns),
      flags,
      seedOr(undefined),
      ask,
    )
  }

  override counts(): FrontCounts {
    const numbers = processEngine().httpCounts?.() ?? new Float64Array()
    const http = Object.fromEntries(
      HTTP_COUNTS.map((name, index) => [name, numbers[index] ?? 0]),
    ) as unknown as HttpCounts
    return { ...super.counts(), http }
  }

  override stop(): void {
    processEngine().httpStop?.(lingerMs(this.config))
    super.stop()
  }

  /** Requests that are on their way when the front stops still find workers that take them. */
  override async settle(): Promise<void> {
    const busy = (): boolean => {
      const { http, open = 0 } = this.counts()
      return !this.isSettled || (http?.inFlight ?? 0) + open > 0
    }
    const ms = lingerMs(this.config)
    await settled(busy, ms > 0 ? ms + (processEngine().httpSettleMs?.() ?? 0) : 0)
  }
}

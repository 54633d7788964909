/** What is known of workers, for balancer functions and for people. */
import { processEngine } from '../engine/process/index.js'
import type { ResolvedServerConfig } from './config.js'
import type { Live } from './counts.js'
import type { WorkerMessage } from './messages.js'
import type { BackendCandidate } from './types.js'

export class Candidates {
  readonly #config: ResolvedServerConfig
  readonly #byIndex: Map<number, BackendCandidate> = new Map()

  constructor(config: ResolvedServerConfig) {
    this.#config = config
  }

  /** Those that can be chosen now, by index, with what they have at this instant where known. */
  able(live?: (index: number) => Live | undefined): BackendCandidate[] {
    for (const candidate of live ? this.#byIndex.values() : []) {
      const now = live?.(candidate.workerIndex)
      if (!now) continue
      candidate.activeProxyConnections = now.connections
      candidate.inFlight = now.inFlight
      candidate.latencyMs = now.latencyMs
    }
    const { workerHeartbeatStaleAfterMs } = this.#config
    const now = Date.now()
    const isStale = (at: number): boolean =>
      processEngine().balanceStale(at, now, workerHeartbeatStaleAfterMs)
    return [...this.#byIndex.values()]
      .filter(
        ({ ready, healthy, lastHeartbeatAt = 0 }) => ready && healthy && !isStale(lastHeartbeatAt),
      )
      .sort((a, b) => a.workerIndex - b.workerIndex)
  }

  add(index: number): void {
    const { workerHost, baseWorkerPort } = this.#config
    this.#byIndex.set(index, {
      id: `worker-${index}`,
      workerIndex: index,
      host: workerHost,
      port: baseWorkerPort + index,
      healthy: false,
      ready: false,
      activeProxyConnections: 0,
    })
  }

  remove(index: number): void {
    this.#byIndex.delete(index)
  }

  /** Takes a worker's word; which worker it is says the channel, not the message. */
  hear(index: number, pid: number | undefined, { type, port, stats }: WorkerMessage): void {
    const candidate = this.#byIndex.get(index)
    if (!candidate) return
    if (type === 'defuss:worker-ready') candidate.ready = candidate.healthy = true
    if (type === 'defuss:worker-stopping') candidate.ready = candidate.healthy = false
    candidate.pid = pid
    candidate.lastHeartbeatAt = Date.now()
    if (typeof port === 'number') candidate.port = port
    if (stats) {
      candidate.stats = stats
      candidate.activeProxyConnections = stats.activeConnections
    }
  }
}

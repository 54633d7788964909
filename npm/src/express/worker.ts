/** The worker's part: it makes the application listen, takes connections, and tells of itself. */
import cluster from 'node:cluster'
import type { Server } from 'node:net'
import { join } from 'node:path'
import { adoptAll } from '../adopt.js'
import { processEngine } from '../engine/process/index.js'
import { call } from '../events.js'
import { ServerTracker } from '../lifecycle/servers/index.js'
import { PressureMonitor } from '../pressure/index.js'
import type { ResolvedServerConfig } from './config.js'
import { listenAt, type Place } from './listen.js'
import { FAILED, STOP, type WorkerFailure, type WorkerMessage } from './messages.js'
import { shedConnections } from './rebalance.js'
import { StatsSampler } from './stats.js'
import type { ExpressLike, StartServerResult } from './types.js'

/** The variables a worker is started with. */
export const INDEX = 'DEFUSS_WORKER_INDEX'
export const FOLDER = 'SEAWALL_WORKER_FOLDER'
export const SLOT = 'SEAWALL_WORKER_SLOT'

/** The words of the board, by their places in `board.rs`. */
const READY = 0
const CONNECTIONS = 1
const IN_FLIGHT = 2
const PRESSURE = 3
const CPU_PERCENT = 4
const HEAP = 5
const SHED = 7

/** How often the board is written: the native front looks at it, nobody is told. */
const BOARD_MS = 100

/** A worker that runs. */
export class Worker {
  readonly #config: ResolvedServerConfig
  readonly #index: number
  readonly #sampler = new StatsSampler()
  #tracker: ServerTracker | undefined
  #board: Float64Array | undefined
  #monitor: PressureMonitor | undefined
  #timers: NodeJS.Timeout[] = []
  #stopped: Promise<void> | undefined

  constructor(config: ResolvedServerConfig) {
    this.#config = config
    this.#index = Number(process.env[INDEX] ?? 0)
  }

  get #port(): number {
    return this.#config.baseWorkerPort + this.#index
  }

  /**
   * Makes `app` listen and takes connections.
   *
   * @throws (as a rejection) what listening failed with.
   */
  async start(app: ExpressLike): Promise<StartServerResult> {
    const { host, port, workerHost, logger } = this.#config
    const folder = process.env[FOLDER]
    const place: Place = folder ? { path: join(folder, `${process.pid}`) } : { port: port, host }
    const server = await listenAt(app, place).catch(error => {
      const { code, message } = error as { code?: string; message: string }
      this.#send({ type: FAILED, code, message })
      throw error
    })
    this.#tracker = new ServerTracker(server, { name: `worker-${this.#index}` })
    if (folder) this.#join(server, join(folder, 'front'))
    logger.info(
      `[defuss-express] worker ${process.pid} listening on http://${workerHost}:${this.#port}`,
    )
    this.#tell('defuss:worker-ready')
    const { workerHeartbeatIntervalMs } = this.#config
    const beat = setInterval(() => this.#tell('defuss:worker-stats'), workerHeartbeatIntervalMs)
    this.#timers.push(beat.unref())
    this.#listenToPrimary()
    return {
      mode: 'worker',
      pid: process.pid,
      host: workerHost,
      port: this.#port,
      workerIndex: this.#index,
      workerPort: this.#port,
    }
  }

  /** Takes no more connections, serves what is under way, and cuts what is left after the time-out. */
  stop(graceful = true): Promise<void> {
    this.#stopped ??= this.#stop(graceful)
    return this.#stopped
  }

  #join(server: Server, control: string): void {
    const { allowHalfOpen, rebalance } = this.#config
    const slot = Number(process.env[SLOT] ?? this.#index)
    const memory = processEngine().backJoin?.(control, slot, (descriptors, open) => {
      adoptAll(server, descriptors, allowHalfOpen)
      this.#writeConnections()
      if (!open) this.#orphaned()
    })
    if (!memory) return
    this.#board = new Float64Array(memory)
    const board = this.#board
    // Its verdict is for the front, which compares it with those of others.
    this.#monitor = new PressureMonitor({ name: `worker-${this.#index}` })
    processEngine().backWatch?.()
    server.on('connection', socket => socket.once('close', () => this.#writeConnections()))
    if (rebalance) shedConnections(server, () => board[SHED] ?? 0)
    this.#write()
    this.#board[READY] = 1
    this.#timers.push(setInterval(() => this.#write(), BOARD_MS).unref())
  }

  /** Without a primary nobody comes any more, and who is there is still served. */
  #orphaned(): void {
    if (this.#stopped) return
    void this.stop().finally(() => process.exit(1))
  }

  /** Written at each change: the front must not give everybody to who was empty a moment ago. */
  #writeConnections(): void {
    if (this.#board && this.#tracker) this.#board[CONNECTIONS] = this.#tracker.connectionCount
  }

  #write(): void {
    const board = this.#board
    const tracker = this.#tracker
    if (!board || !tracker) return
    this.#writeConnections()
    board[IN_FLIGHT] = tracker.activeConnectionCount
    board[PRESSURE] = this.#monitor?.pressure ?? 0
    const { cpuPercent, heapUsedBytes, heapTotalBytes } = this.#sampler.sample(0)
    board[CPU_PERCENT] = cpuPercent
    board[HEAP] = heapTotalBytes > 0 ? heapUsedBytes / heapTotalBytes : 0
  }

  #tell(type: WorkerMessage['type']): void {
    const message: WorkerMessage = {
      type,
      workerIndex: this.#index,
      port: this.#port,
      pid: process.pid,
    }
    if (type !== 'defuss:worker-stopping') {
      message.stats = this.#sampler.sample(this.#tracker?.connectionCount ?? 0)
      this.#measure(message.stats.activeConnections, message.stats.cpuPercent)
    }
    this.#send(message)
  }

  #send(message: WorkerMessage | WorkerFailure): void {
    if (process.connected) process.send?.(message, undefined, {}, () => {})
  }

  #measure(connections: number, cpuPercent: number): void {
    const { telemetry } = this.#config
    const where = 'startServer: the telemetry sink'
    call(() => telemetry.setGauge('active_connections', connections), where)
    call(() => telemetry.recordHistogram('cpu_percent', cpuPercent), where)
  }

  #listenToPrimary(): void {
    const stop = (): void => {
      void this.stop().finally(() => process.exit(0))
    }
    const hear = (message: unknown): void => {
      if ((message as { type?: unknown } | null)?.type === STOP) stop()
    }
    process.on('message', hear)
    cluster.worker?.once('disconnect', stop)
    if (!this.#config.installSignalHandlers) return
    process.once('SIGINT', stop)
    process.once('SIGTERM', stop)
  }

  async #stop(graceful: boolean): Promise<void> {
    const { gracefulShutdownTimeoutMs } = this.#config
    if (this.#board) this.#board[READY] = 0
    this.#tell('defuss:worker-stopping')
    const tracker = this.#tracker
    const late = setTimeout(() => tracker?.force(), graceful ? gracefulShutdownTimeoutMs : 0)
    tracker?.beginDrain(0)
    // What was offered before the front saw that this worker is not ready any more.
    await new Promise(resolve => setImmediate(resolve))
    await tracker?.close()
    clearTimeout(late)
    for (const timer of this.#timers) clearInterval(timer)
    this.#monitor?.[Symbol.dispose]()
    processEngine().backLeave?.()
  }
}

/** The worker's part: it makes the application listen, takes connections, and tells of itself. */
import cluster from 'node:cluster'
import type { Server as HttpServer } from 'node:http'
import type { Server } from 'node:net'
import { join } from 'node:path'
import { Adopter } from '../adopt.js'
import { processEngine } from '../engine/process/index.js'
import { call } from '../events.js'
import { countWith, ServerTracker } from '../lifecycle/servers/tracker.js'
import { PressureMonitor } from '../pressure/index.js'
import { isTimed } from './balancers.js'
import {
  BoardTally,
  CONNECTIONS,
  CPU_PERCENT,
  HEAP,
  IN_FLIGHT,
  OPEN,
  PRESSURE,
  READY,
  SHED,
} from './board.js'
import type { ResolvedServerConfig } from './config.js'
import { closeOwn, listenAt, type Place } from './listen.js'
import {
  FAILED,
  STOP,
  type StopMessage,
  type WorkerFailure,
  type WorkerMessage,
} from './messages.js'
import { Shedding } from './rebalance.js'
import { RelayWorker } from './relay-worker.js'
import { StatsSampler } from './stats.js'
import type { ExpressLike, StartServerResult } from './types.js'
import { FOLDER, INDEX, RELAY, SLOT } from './variables.js'

/** How often what nothing tells of is written to the board. */
const BOARD_MS = 100
/** The same for what takes a call of the system, which is a hundred times as dear. */
const SAMPLE_MS = 500

/** How often a worker that leaves looks whether its clients have left. */
const LOOK_MS = 20

/** A worker that runs. */
export class Worker {
  readonly #config: ResolvedServerConfig
  readonly #index: number
  readonly #sampler = new StatsSampler()
  #server: Server | undefined
  #tracker: ServerTracker | undefined
  /** An application with sockets of its own. */
  #app: ExpressLike | undefined
  #board: Float64Array | undefined
  #monitor: PressureMonitor | undefined
  /** Whether requests are counted as they come and go. */
  #counts = false
  #shedding: Shedding | undefined
  #timers: NodeJS.Timeout[] = []
  /** Whether another one has taken its place, so that there is time to leave. */
  #replaced = false
  #stopped: Promise<void> | undefined
  /** Aborted when nobody waits for what is under way any more. */
  readonly #hurry = new AbortController()

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
    try {
      await this.#listen(app)
    } catch (error) {
      // The program may catch that, and live on; the primary is to know.
      const { code, message } = error as { code?: string; message: string }
      this.#send({ type: FAILED, code, message })
      throw error
    }
    const { workerHeartbeatIntervalMs, workerHost } = this.#config
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

  /** Has `app` listen, and tells the front and the primary that it does. */
  async #listen(app: ExpressLike): Promise<void> {
    const { host, port, workerHost, logger } = this.#config
    const folder = process.env[FOLDER]
    const relay = await RelayWorker.find(this.#config)
    const otherwise = folder ? { path: join(folder, `${process.pid}`) } : { port: port, host }
    const place: Place = relay?.place ?? otherwise
    const server = await listenAt(app, place, relay !== undefined)
    this.#server = server
    relay?.attach(server)
    if (server) this.#tracker = new ServerTracker(server, { name: `worker-${this.#index}` })
    else this.#app = app
    if (relay) this.#tellOf(server, relay.join(), () => processEngine().relayWatch?.())
    else if (folder && server) this.#join(server, join(folder, 'front'))
    const words = await relay?.words(server)
    logger.info(
      `[defuss-express] worker ${process.pid} listening on http://${workerHost}:${this.#port}`,
    )
    this.#tell('defuss:worker-ready', words)
  }

  /** Takes no more connections, serves what is under way, and cuts what is left after the time-out. */
  stop(graceful = true): Promise<void> {
    if (this.#stopped && !graceful) {
      this.#hurry.abort()
      this.#tracker?.force()
    }
    this.#stopped ??= this.#stop(graceful)
    return this.#stopped
  }

  #join(server: Server, control: string): void {
    const { allowHalfOpen } = this.#config
    const slot = Number(process.env[SLOT] ?? this.#index)
    const adopter = new Adopter(server, allowHalfOpen, false)
    const memory = processEngine().backJoin?.(control, slot, (descriptors, open) => {
      adopter.adoptAll(descriptors)
      this.#writeConnections()
      if (!open) this.#orphaned()
    })
    this.#tellOf(server, memory, () => processEngine().backWatch?.())
    const gone = (): void => this.#writeConnections()
    server.on('connection', socket => socket.on('close', gone))
  }

  /** Tells the front of itself from now on, in memory. */
  #tellOf(server: Server | undefined, memory: ArrayBuffer | undefined, watch: () => void): void {
    if (!memory) return
    const { rebalance, loadBalancer } = this.#config
    const board = new Float64Array(memory)
    const tracker = this.#tracker
    this.#board = board
    this.#counts =
      server !== undefined && ('headersTimeout' in server || 'updateSettings' in server)
    if (tracker && this.#counts) countWith(tracker, new BoardTally(board, isTimed(loadBalancer)))
    // Its verdict is for the front, which compares it with those of others.
    this.#monitor = new PressureMonitor({ name: `worker-${this.#index}` })
    watch()
    if (server && rebalance && process.env[RELAY] !== 'http') this.#shedding = new Shedding(server)
    this.#write()
    this.#sample()
    board[READY] = 1
    this.#timers.push(
      setInterval(() => this.#write(), BOARD_MS).unref(),
      setInterval(() => this.#sample(), SAMPLE_MS).unref(),
    )
  }

  /** Without a primary nobody comes any more, and who is there is still served. */
  #orphaned(): void {
    if (this.#stopped) return
    // Where the primary still is there, its front has ended on purpose.
    void this.stop().finally(() => process.exit(process.connected ? 0 : 1))
  }

  /** Written at each change: the front must not give everybody to who was empty a moment ago. */
  #writeConnections(): void {
    if (this.#board && this.#tracker) this.#board[CONNECTIONS] = this.#tracker.connectionCount
  }

  #write(): void {
    const board = this.#board
    if (!board) return
    this.#writeConnections()
    if (!this.#counts) board[IN_FLIGHT] = this.#tracker?.activeConnectionCount ?? 0
    board[PRESSURE] = this.#monitor?.pressure ?? 0
    if (this.#shedding) this.#shedding.share = board[SHED] ?? 0
  }

  /** What the system has to be asked for. */
  #sample(): void {
    const board = this.#board
    if (!board) return
    const { cpuPercent, heapUsedBytes, heapTotalBytes } = this.#sampler.sample(0)
    board[CPU_PERCENT] = cpuPercent
    board[HEAP] = heapTotalBytes > 0 ? heapUsedBytes / heapTotalBytes : 0
  }

  #tell(type: WorkerMessage['type'], words?: Partial<WorkerMessage>): void {
    const message: WorkerMessage = {
      ...words,
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
      const { type, replaced } = (message ?? {}) as Partial<StopMessage>
      if (type !== STOP) return
      this.#replaced ||= replaced === true
      stop()
    }
    process.on('message', hear)
    cluster.worker?.once('disconnect', () => {
      // Node ends a worker whose primary is gone, with what is under way, unless it is to leave anyway.
      if (cluster.worker) cluster.worker.exitedAfterDisconnect = true
      stop()
    })
    if (!this.#config.installSignalHandlers) return
    // Again and again: they come from the primary, and from whoever signals the whole group, and without
    // a listener the next one ends the process.
    process.on('SIGINT', stop)
    process.on('SIGTERM', stop)
  }

  /** An application with sockets of its own may cut its clients off: they are to be gone before. */
  async #closeOwn(end: number): Promise<void> {
    const { signal } = this.#hurry
    // Without a primary they are gone, and nobody counts them any more.
    const isCounted = (): boolean => process.connected && !signal.aborted
    while ((this.#board?.[OPEN] ?? 0) > 0 && performance.now() < end && isCounted()) {
      await new Promise(resolve => setTimeout(resolve, 10))
    }
    await closeOwn(this.#app, Math.max(100, end - performance.now()), signal)
  }

  /**
   * Waits while there are connections, for a while: who asks now is answered, and told to leave by the
   * answer. Closed under a client that is just about to ask, its request would be lost.
   */
  async #linger(): Promise<void> {
    const { gracefulShutdownTimeoutMs } = this.#config
    const { keepAliveTimeout = Number.NaN } = (this.#server ?? {}) as Partial<HttpServer>
    const e = processEngine()
    const begun = performance.now()
    // That it was replaced may be heard after the signal.
    const ms = (): number =>
      e.balanceLingerMs(gracefulShutdownTimeoutMs, keepAliveTimeout, this.#replaced)
    while ((this.#tracker?.connectionCount ?? 0) > 0 && performance.now() - begun < ms()) {
      await new Promise(resolve => setTimeout(resolve, LOOK_MS))
    }
  }

  async #stop(graceful: boolean): Promise<void> {
    const { gracefulShutdownTimeoutMs } = this.#config
    if (this.#board) this.#board[READY] = 0
    this.#tell('defuss:worker-stopping')
    const tracker = this.#tracker
    const late = setTimeout(() => tracker?.force(), graceful ? gracefulShutdownTimeoutMs : 0)
    // The front ends what is idle: ended by both, a request on its way would be lost.
    if (graceful && process.env[RELAY] === 'http') {
      const ms = processEngine().httpLinksMs?.() ?? 0
      await new Promise(resolve => setTimeout(resolve, ms))
    }
    tracker?.beginDrain(0)
    if (graceful) await this.#linger()
    // What was offered before the front saw that this worker is not ready any more.
    await new Promise(resolve => setImmediate(resolve))
    const end = performance.now() + (graceful ? gracefulShutdownTimeoutMs : 0)
    try {
      await (tracker ? tracker.close() : this.#closeOwn(end))
    } finally {
      clearTimeout(late)
      for (const timer of this.#timers) clearInterval(timer)
      this.#monitor?.[Symbol.dispose]()
      processEngine().backLeave?.()
      processEngine().relayLeave?.()
    }
  }
}

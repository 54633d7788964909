/** The primary's part: it starts workers and the front, and ends both. */
import cluster, { type Worker as ClusterWorker } from 'node:cluster'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { processEngine } from '../engine/process/index.js'
import { optionProblem, SeawallError } from '../errors.js'
import { report } from '../events.js'
import { seedOr } from '../seed.js'
import { nativeStrategy } from './balancers.js'
import { Candidates } from './candidates.js'
import type { ResolvedServerConfig } from './config.js'
import { listenProblem } from './listen-error.js'
import { isWorkerMessage } from './messages.js'
import { parseRequestHead } from './request.js'
import type { StartServerResult } from './types.js'
import { FOLDER, INDEX } from './worker.js'

/** What the front has counted so far. */
export interface FrontCounts {
  /** Connections accepted. */
  accepted: number
  /** Of them, taken by a worker. */
  handed: number
  /** Offers a worker did not take in time. */
  takenBack: number
  /** Connections that got 503, or nothing, for want of a worker. */
  refused: number
  /** Connections that wait for a worker. */
  waiting: number
  /** Connections that are offered to one. */
  offered: number
}

/** One slot for a worker, through its deaths. */
interface Place {
  index: number
  respawn: number
  worker: ClusterWorker | undefined
  timer: NodeJS.Timeout | undefined
  given: boolean
}

/** A primary that runs. */
export class Primary {
  readonly #config: ResolvedServerConfig
  readonly #candidates: Candidates
  readonly #places: Place[] = []
  readonly #native: boolean
  #folder: string | undefined
  #choices = 0
  #stopping = false
  #stopped: Promise<void> | undefined
  #onReady: (() => void) | undefined
  #onLost: ((error: Error) => void) | undefined
  readonly #undo: (() => void)[] = []

  constructor(config: ResolvedServerConfig) {
    this.#config = config
    this.#candidates = new Candidates(config)
    const able = processEngine().frontStart !== undefined && process.platform !== 'win32'
    if (config.mode === 'handoff' && !able) {
      throw new SeawallError(
        'SEAWALL_ENGINE',
        'startServer: `mode` "handoff" needs the native addon on Unix; use "cluster" here',
      )
    }
    this.#native = able && config.mode !== 'cluster'
  }

  /**
   * Starts the workers, and listens as soon as one is ready.
   *
   * @throws (as a rejection) where the address cannot be had, or no worker becomes ready.
   */
  async start(): Promise<StartServerResult> {
    const { workers, host, logger } = this.#config
    try {
      let port = this.#config.port
      if (this.#native) port = this.#front()
      this.#follow()
      for (let index = 0; index < workers; index++) this.#places.push(this.#place(index))
      const ready = this.#firstReady()
      for (const place of this.#places) this.#fork(place)
      await ready
      processEngine().frontOpen?.()
      this.#stayAlive()
      logger.info(`[defuss-express] primary ${process.pid} listening on tcp://${host}:${port}`)
      if (this.#config.installSignalHandlers) this.#listenToSignals()
      return { mode: 'primary', pid: process.pid, host, port, workers }
    } catch (error) {
      await this.stop(false)
      throw error
    }
  }

  /** What the front has counted; nothing in the mode `cluster`. */
  counts(): FrontCounts | undefined {
    if (!this.#native) return undefined
    const [accepted = 0, handed = 0, takenBack = 0, refused = 0, waiting = 0, offered = 0] =
      processEngine().frontCounts?.() ?? []
    return { accepted, handed, takenBack, refused, waiting, offered }
  }

  /** Ends the front, then the workers; those that outlive the time-out are killed. */
  stop(graceful = true): Promise<void> {
    this.#stopped ??= this.#stop(graceful)
    return this.#stopped
  }

  #front(): number {
    const { host, port, loadBalancer } = this.#config
    const folder = mkdtempSync(join(tmpdir(), 'seawall-'))
    chmodSync(folder, 0o700)
    this.#folder = folder
    const e = processEngine()
    const native = nativeStrategy(loadBalancer)
    const ask = native ? undefined : this.#ask.bind(this)
    let started: number | undefined
    try {
      const control = join(folder, 'front')
      started = e.frontStart?.(host, port, control, this.#options(), seedOr(undefined), ask)
    } catch (error) {
      throw listenProblem(error, host, port)
    }
    if (started === undefined || started < 0) throw optionProblem('startServer', this.#config, e)
    return e.frontPort?.() ?? port
  }

  /** The numbers of `BalanceOptions`, in its order. */
  #options(): Float64Array {
    const none = Number.NaN
    const { loadBalancer, patienceMs, requestInspectionTimeoutMs, maxHeaderBytes } = this.#config
    const { strategy, weights = [none, none, none] } = nativeStrategy(loadBalancer) ?? {
      strategy: 0,
    }
    const rest = new Array(7).fill(none)
    return Float64Array.from([
      strategy,
      ...weights,
      ...rest,
      patienceMs ?? none,
      none,
      requestInspectionTimeoutMs,
      maxHeaderBytes,
    ])
  }

  #place(index: number): Place {
    const { respawnLimit = Number.NaN } = this.#config
    const none = Number.NaN
    const e = processEngine()
    const respawn = e.respawnNew(
      Float64Array.from([none, none, respawnLimit, none]),
      seedOr(undefined),
    )
    if (respawn < 0) throw optionProblem('startServer', this.#config, e)
    return { index, respawn, worker: undefined, timer: undefined, given: false }
  }

  #fork(place: Place): void {
    place.timer = undefined
    const env = { ...this.#config.workerEnv, [INDEX]: String(place.index) }
    place.worker = cluster.fork(this.#folder ? { ...env, [FOLDER]: this.#folder } : env)
    this.#candidates.add(place.index)
  }

  #follow(): void {
    const onMessage = (worker: ClusterWorker, message: unknown): void => {
      const place = this.#places.find(place => place.worker === worker)
      if (!place || !isWorkerMessage(message)) return
      this.#candidates.hear(place.index, message)
      this.#count('setGauge', 'healthy_backends', this.#candidates.able().length)
      if (message.type === 'defuss:worker-ready') this.#onReady?.()
    }
    const onExit = (worker: ClusterWorker): void => {
      const place = this.#places.find(place => place.worker === worker)
      if (place) this.#died(place, worker.process.pid)
    }
    cluster.on('message', onMessage)
    cluster.on('exit', onExit)
    this.#undo.push(
      () => cluster.off('message', onMessage),
      () => cluster.off('exit', onExit),
    )
  }

  #died(place: Place, pid: number | undefined): void {
    const { logger, respawnWorkers } = this.#config
    place.worker = undefined
    this.#candidates.remove(place.index)
    if (this.#stopping || !respawnWorkers) return
    const wait = processEngine().respawnDied(place.respawn, performance.now())
    if (wait < 0) {
      place.given = true
      logger.error(
        `[defuss-express] worker ${pid} exited again and again, index ${place.index} is given up`,
      )
      if (this.#places.every(({ given }) => given)) this.#lost()
      return
    }
    logger.warn(`[defuss-express] worker ${pid} exited, respawning index ${place.index}`)
    place.timer = setTimeout(() => this.#fork(place), wait)
  }

  /** No worker is left and none will come: a server that answers nothing but 503 is none. */
  #lost(): void {
    const error = new SeawallError(
      'SEAWALL_NO_WORKER',
      'startServer: every worker died again and again; their output says why',
    )
    if (this.#onLost) {
      this.#onLost(error)
      return
    }
    this.#config.logger.error(`[defuss-express] ${error.message}`)
    process.exitCode = 1
    void this.stop(false)
  }

  #firstReady(): Promise<void> {
    const ms = Math.max(5000, this.#config.gracefulShutdownTimeoutMs)
    let clear = (): void => {}
    return new Promise<void>((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error('defuss-express: no worker became ready during startup')),
        ms,
      )
      this.#onReady = resolve
      this.#onLost = reject
      clear = () => clearTimeout(late)
    }).finally(() => {
      this.#onReady = undefined
      this.#onLost = undefined
      clear()
    })
  }

  /** Lets the balancer of the user's choose. */
  #ask(id: number, head: Uint8Array, remoteAddress: string, remotePort: number): void {
    const { loadBalancer, logger } = this.#config
    const answer = async (): Promise<number> => {
      const candidate = await loadBalancer({
        candidates: this.#candidates.able(),
        request: parseRequestHead(head, remoteAddress, remotePort),
        socket: { remoteAddress, remotePort },
        previousIndex: this.#choices++,
      })
      return candidate.workerIndex
    }
    answer().then(
      index => processEngine().frontChoose?.(id, index),
      error => {
        logger.error('[defuss-express] load balancer connection error', error)
        this.#count('incrementCounter', 'proxy_errors', 1)
        processEngine().frontChoose?.(id, -1)
      },
    )
  }

  #count(how: 'incrementCounter' | 'setGauge', name: string, value: number): void {
    try {
      this.#config.telemetry[how](name, value)
    } catch (error) {
      report(error, 'startServer: the telemetry sink')
    }
  }

  /** The front's thread alone does not keep the process, which would end with its last worker. */
  #stayAlive(): void {
    if (!this.#native) return
    const timer = setInterval(() => {}, 2 ** 31 - 1)
    this.#undo.push(() => clearInterval(timer))
  }

  #listenToSignals(): void {
    const stop = (): void => void this.stop()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, stop)
      this.#undo.push(() => process.off(signal, stop))
    }
  }

  async #stop(graceful: boolean): Promise<void> {
    this.#stopping = true
    if (this.#native) processEngine().frontStop?.()
    const { gracefulShutdownTimeoutMs } = this.#config
    const gone = this.#places.map(async ({ worker, timer, respawn }) => {
      clearTimeout(timer)
      processEngine().respawnFree(respawn)
      if (!worker || worker.isDead()) return
      const exit = new Promise<void>(resolve => worker.process.once('exit', () => resolve()))
      worker.process.kill(graceful ? 'SIGTERM' : 'SIGKILL')
      // A little longer than the worker has: it is to end by itself.
      const late = setTimeout(() => worker.process.kill('SIGKILL'), gracefulShutdownTimeoutMs + 500)
      await exit
      clearTimeout(late)
    })
    await Promise.all(gone)
    for (const undo of this.#undo) undo()
    if (this.#folder) rmSync(this.#folder, { recursive: true, force: true })
  }
}

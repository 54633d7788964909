/** The primary's part: it starts workers and the front, and ends both. */
import cluster, { type Worker as ClusterWorker } from 'node:cluster'
import { processEngine } from '../engine/process/index.js'
import { optionProblem, SeawallError } from '../errors.js'
import { report } from '../events.js'
import { seedOr } from '../seed.js'
import { Candidates } from './candidates.js'
import type { ResolvedServerConfig } from './config.js'
import type { FrontCounts, Live, ServerStats } from './counts.js'
import { listeners } from './events.js'
import type { Front } from './front.js'
import { frontOf } from './fronts.js'
import { listenProblem } from './listen-error.js'
import { heapFlag } from './memory.js'
import { isWorkerFailure, isWorkerMessage, type WorkerFailure } from './messages.js'
import { endWorker, type Place } from './place.js'
import { parseRequestHead } from './request.js'
import type { StartServerResult } from './types.js'
import { INDEX } from './variables.js'

/** A little longer than a worker has: it is to end by itself. */
const KILL_LATER_MS = 500
/** How often counts go to the telemetry sink. */
const TELL_MS = 1000
/** A primary that runs. */
export class Primary {
  readonly #config: ResolvedServerConfig
  readonly #candidates: Candidates
  readonly #places: Place[] = []
  readonly #front: Front | undefined
  #choices = 0
  #stopping = false
  #stopped: Promise<void> | undefined
  #onReady: (() => void) | undefined
  #onLost: ((error: Error) => void) | undefined
  #reloading: Promise<void> | undefined
  #told = 0
  readonly #undo: (() => void)[] = []
  /** Old ones that finish what is under way, by their places. */
  readonly #leaving: Map<ClusterWorker, number> = new Map()

  constructor(config: ResolvedServerConfig) {
    this.#config = config
    this.#candidates = new Candidates(config)
    this.#front = frontOf(config, this.#ask.bind(this))
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
      // From the beginning: who is stopped while workers start must not leave them behind.
      if (this.#config.installSignalHandlers) this.#listenToSignals()
      port = this.#front?.start() ?? port
      this.#follow()
      for (let index = 0; index < workers; index++) this.#places.push(this.#place(index))
      const ready = this.#firstReady()
      for (const place of this.#places) this.#fork(place)
      await ready
      this.#open(port)
      this.#stayAlive()
      this.#tellCounts()
      logger.info(`[defuss-express] primary ${process.pid} listening on tcp://${host}:${port}`)
      return { mode: 'primary', pid: process.pid, host, port, workers }
    } catch (error) {
      await this.stop(false)
      throw error
    }
  }

  /** What the front has counted; nothing in the mode `cluster`. */
  counts(): FrontCounts | undefined {
    return this.#front?.counts()
  }

  /** The counts, and each worker as it is now. */
  stats(): ServerStats {
    const live = this.#live()
    const workers = this.#places.map(({ index, slot, worker, ready, starts }) => {
      const load = ready ? live.get(slot) : undefined
      return { index, pid: worker?.process.pid, ready, starts, ...load }
    })
    return { counts: this.counts(), workers }
  }

  /** Replaces every worker, one after the other: the new one is ready before the old one leaves. */
  reload(): Promise<void> {
    this.#reloading ??= this.#reload().finally(() => {
      this.#reloading = undefined
    })
    return this.#reloading
  }

  /** Ends the front, then the workers; those that outlive the time-out are killed. */
  stop(graceful = true): Promise<void> {
    this.#stopped ??= this.#stop(graceful)
    return this.#stopped
  }

  #open(port: number): void {
    try {
      this.#front?.open()
    } catch (error) {
      throw listenProblem(error, this.#config.host, port)
    }
  }

  #live(): Map<number, Live> {
    return this.#front?.loads() ?? new Map()
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
    return {
      index,
      respawn,
      slot: index,
      worker: undefined,
      ready: false,
      next: undefined,
      onNext: undefined,
      starts: 0,
      timer: undefined,
      given: false,
    }
  }

  #fork(place: Place): void {
    place.timer = undefined
    place.worker = this.#start(place, place.slot)
    this.#candidates.add(place.index)
  }

  #start(place: Place, slot: number): ClusterWorker {
    const { workerEnv } = this.#config
    const index = { [INDEX]: String(place.index) }
    const env = { ...workerEnv, ...index, ...this.#front?.environment(slot) }
    const flag = heapFlag(this.#config)
    const { execArgv = process.execArgv } = cluster.settings
    if (flag) cluster.setupPrimary({ execArgv: [...execArgv, flag] })
    const worker = cluster.fork(env)
    // The user's own processes are none of this.
    if (flag) cluster.setupPrimary({ execArgv })
    place.starts++
    listeners.emit('workerStarted', { index: place.index, pid: worker.process.pid })
    return worker
  }

  #follow(): void {
    const onMessage = (worker: ClusterWorker, message: unknown): void => {
      const place = this.#places.find(({ worker: now, next }) => now === worker || next === worker)
      if (!place) return
      if (isWorkerFailure(message)) this.#failed(message)
      if (!isWorkerMessage(message)) return
      const { index } = place
      const { pid } = worker.process
      const isReady = message.type === 'defuss:worker-ready'
      // It takes over; what the old one says is of no interest any more.
      if (place.next === worker && isReady) this.#takeOver(place)
      if (place.worker !== worker) return
      if (message.type !== 'defuss:worker-stats') place.ready = isReady
      this.#candidates.hear(index, pid, message)
      this.#count('setGauge', 'healthy_backends', this.#candidates.able().length)
      if (!isReady) return
      this.#front?.ready(place.slot, pid, message)
      listeners.emit('workerReady', { index, pid })
      this.#onReady?.()
      place.onNext?.(true)
    }
    const onExit = (worker: ClusterWorker, code: number | null, signal: string | null): void => {
      this.#front?.gone(worker.process.pid)
      const place = this.#places.find(place => place.worker === worker)
      const waiting = this.#places.find(place => place.next === worker)
      const index = (place ?? waiting)?.index ?? this.#leaving.get(worker)
      if (index === undefined) return
      const expected = this.#stopping || this.#leaving.delete(worker)
      const { pid } = worker.process
      listeners.emit('workerExited', { index, pid, code, signal, expected })
      if (place) this.#died(place, pid)
      if (waiting) {
        waiting.next = undefined
        waiting.onNext?.(false)
      }
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
    place.ready = false
    this.#candidates.remove(place.index)
    // Somebody is on the way already.
    if (this.#stopping || !respawnWorkers || place.next) return
    const wait = processEngine().respawnDied(place.respawn, performance.now())
    if (wait < 0) {
      place.given = true
      logger.error(
        `[defuss-express] worker ${pid} exited again and again, index ${place.index} is given up`,
      )
      listeners.emit('workerGivenUp', { index: place.index })
      if (this.#places.every(({ given }) => given)) this.#lost()
      return
    }
    logger.warn(`[defuss-express] worker ${pid} exited, respawning index ${place.index}`)
    place.timer = setTimeout(() => this.#fork(place), wait)
  }

  #takeOver(place: Place): void {
    const old = place.worker
    if (old) this.#leaving.set(old, place.index)
    place.worker = place.next
    place.next = undefined
    place.slot = this.#otherSlot(place)
    place.given = false
    this.#candidates.add(place.index)
  }

  /** A place has two numbers at the front, so that the old worker and the new one can be there at once. */
  #otherSlot({ index, slot }: Place): number {
    return slot === index ? index + this.#config.workers : index
  }

  async #reload(): Promise<void> {
    const { gracefulShutdownTimeoutMs, installSignalHandlers: signals } = this.#config
    for (const place of this.#places) {
      if (this.#stopping) return
      // Who died on the way is started again by its own account.
      if (!place.worker && !place.given) continue
      const { worker: old } = place
      place.next = this.#start(place, this.#otherSlot(place))
      const { next } = place
      const isReady = await new Promise<boolean>(resolve => {
        const late = setTimeout(resolve, this.#startMs, false)
        place.onNext = ready => {
          clearTimeout(late)
          resolve(ready)
        }
      })
      place.onNext = undefined
      if (this.#stopping) return
      if (!isReady) {
        place.next = undefined
        next.process.kill('SIGKILL')
        if (!place.worker) this.#fork(place)
        throw new SeawallError(
          'SEAWALL_RELOAD',
          `reloadServer: the new worker ${place.index} did not become ready; the old ones go on`,
        )
      }
      processEngine().respawnReset(place.respawn)
      const ms = gracefulShutdownTimeoutMs + KILL_LATER_MS
      if (old) await endWorker(old, { graceful: true, ms, signals })
    }
    listeners.emit('reloaded', { workers: this.#places.length })
  }

  /** A worker cannot listen; another try would not change that. */
  #failed({ code, message }: WorkerFailure): void {
    this.#onLost?.(new SeawallError(code ?? 'SEAWALL_LISTEN', message))
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

  /** How long a worker may take to become ready. */
  get #startMs(): number {
    return Math.max(5000, this.#config.gracefulShutdownTimeoutMs)
  }

  #firstReady(): Promise<void> {
    const ms = this.#startMs
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
  #ask(
    id: number,
    head: Uint8Array,
    remoteAddress: string,
    remotePort: number,
    waitedMs: number,
  ): void {
    const { loadBalancer, logger } = this.#config
    this.#count('recordHistogram', 'prelude_duration_ms', waitedMs)
    const live = this.#live()
    const slotOf = (index: number): number => this.#places[index]?.slot ?? index
    const candidates = this.#candidates.able(index => live.get(slotOf(index))?.connections)
    // Nobody to choose among: it waits for whoever comes first.
    if (candidates.length === 0) {
      this.#front?.choose(id, -2)
      return
    }
    const answer = async (): Promise<number> => {
      const candidate = await loadBalancer({
        candidates,
        request: parseRequestHead(head, remoteAddress, remotePort),
        socket: { remoteAddress, remotePort },
        previousIndex: this.#choices++,
      })
      return slotOf(candidate.workerIndex)
    }
    answer().then(
      index => this.#front?.choose(id, index),
      error => {
        this.#front?.choose(id, -1)
        this.#count('incrementCounter', 'proxy_errors', 1)
        logger.error('[defuss-express] load balancer connection error', error)
      },
    )
  }

  /** Connections are counted where no JavaScript runs for them. */
  #tellCounts(): void {
    if (!this.#front) return
    const tell = (): void => {
      const { accepted = 0 } = this.counts() ?? {}
      const more = accepted - this.#told
      this.#told = accepted
      if (more > 0) this.#count('incrementCounter', 'connections', more)
    }
    const timer = setInterval(tell, TELL_MS)
    this.#undo.push(() => {
      clearInterval(timer)
      tell()
    })
  }

  #count(
    how: 'incrementCounter' | 'setGauge' | 'recordHistogram',
    name: string,
    value: number,
  ): void {
    try {
      this.#config.telemetry[how](name, value)
    } catch (error) {
      report(error, 'startServer: the telemetry sink')
    }
  }

  /** The front's thread alone does not keep the process, which would end with its last worker. */
  #stayAlive(): void {
    if (!this.#front) return
    const timer = setInterval(() => {}, 2 ** 31 - 1)
    this.#undo.push(() => clearInterval(timer))
  }

  #listenToSignals(): void {
    const stop = (): void => void this.stop()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, stop)
      this.#undo.push(() => process.off(signal, stop))
    }
    if (!this.#config.reloadOnSighup) return
    const reload = (): void => {
      this.reload().catch(error => {
        this.#config.logger.error(`[defuss-express] ${error.message}`)
      })
    }
    process.on('SIGHUP', reload)
    this.#undo.push(() => process.off('SIGHUP', reload))
  }

  async #stop(graceful: boolean): Promise<void> {
    this.#stopping = true
    this.#front?.stop()
    if (graceful) await this.#front?.settle?.()
    const { gracefulShutdownTimeoutMs, installSignalHandlers } = this.#config
    const ms = gracefulShutdownTimeoutMs + KILL_LATER_MS
    const end = (worker: ClusterWorker, ready: boolean): Promise<void> =>
      endWorker(worker, { graceful, ms, signals: installSignalHandlers || !ready })
    const gone = this.#places.flatMap(({ worker, next, timer, respawn, ready, onNext }) => {
      clearTimeout(timer)
      processEngine().respawnFree(respawn)
      onNext?.(false)
      return [worker && end(worker, ready), next && end(next, false)]
    })
    const leaving = [...this.#leaving.keys()].map(worker => end(worker, true))
    this.#onLost?.(
      new SeawallError('SEAWALL_STOPPED', 'startServer: stopped before a worker was ready'),
    )
    await Promise.all([...gone, ...leaving])
    for (const undo of this.#undo) undo()
    this.#front?.end()
  }
}

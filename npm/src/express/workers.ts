/** The workers of a primary: started, heard, replaced, started again after a death, and ended. */
import cluster, { type Worker as ClusterWorker } from 'node:cluster'
import { processEngine } from '../engine/process/index.js'
import { optionProblem, SeawallError } from '../errors.js'
import { seedOr } from '../seed.js'
import type { Candidates } from './candidates.js'
import type { ResolvedServerConfig } from './config.js'
import { listeners } from './events.js'
import { heapFlag } from './memory.js'
import {
  isWorkerFailure,
  isWorkerMessage,
  type WorkerFailure,
  type WorkerMessage,
} from './messages.js'
import { endWorker, type Place } from './place.js'
import { INDEX } from './variables.js'

/** What the primary does for its workers, and what it is told. */
export interface WorkersHost {
  /** The variables a worker in this place of the front is started with, beside its index. */
  environment(slot: number): Record<string, string>
  /** A worker has said something of itself. */
  heard(): void
  /** The process `pid` takes connections in this place from now on. */
  ready(slot: number, pid: number | undefined, message: WorkerMessage): void
  /** It has ended. */
  gone(pid: number | undefined): void
  /** No worker is left and none will come. Not called while {@link Workers.start} waits. */
  lost(error: Error): void
}

export class Workers {
  readonly #config: ResolvedServerConfig
  readonly #candidates: Candidates
  readonly #host: WorkersHost
  readonly #places: Place[] = []
  /** Those that were ready once: they hear that they are to end, also while they leave by themselves. */
  readonly #hearing: WeakSet<ClusterWorker> = new WeakSet()
  /** Old ones that finish what is under way, by their places. */
  readonly #leaving: Map<ClusterWorker, number> = new Map()
  readonly #undo: (() => void)[] = []
  #stopping = false
  #onReady: (() => void) | undefined
  #onLost: ((error: Error) => void) | undefined

  constructor(config: ResolvedServerConfig, candidates: Candidates, host: WorkersHost) {
    this.#config = config
    this.#candidates = candidates
    this.#host = host
  }

  /** The places, each with the worker in it. */
  get places(): readonly Place[] {
    return this.#places
  }

  /**
   * Starts all of them.
   *
   * @returns when one is ready
   * @throws (as a rejection) where none becomes ready in time, or all die, or one cannot listen.
   */
  async start(): Promise<void> {
    this.#follow()
    for (let index = 0; index < this.#config.workers; index++) this.#places.push(this.#place(index))
    const ready = this.#firstReady()
    for (const place of this.#places) this.#again(place)
    await ready
  }

  /** Replaces each, one after the other: the new one is ready before the old one leaves. */
  async replace(): Promise<void> {
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
        if (!place.worker) this.#again(place)
        throw new SeawallError(
          'SEAWALL_RELOAD',
          `reloadServer: the new worker ${place.index} did not become ready; the old ones go on`,
        )
      }
      processEngine().respawnReset(place.respawn)
      if (old) await this.#end(old, { graceful: true, replaced: true })
    }
    listeners.emit('reloaded', { workers: this.#places.length })
  }

  /** None is started any more: all of them are about to be told to end. */
  ending(): void {
    this.#stopping = true
    for (const { timer } of this.#places) clearTimeout(timer)
  }

  /** Kills all of them; {@link stop} waits for them no longer than that takes. */
  kill(): void {
    const there = this.#places.flatMap(({ worker, next }) => [worker, next])
    for (const worker of [...there, ...this.#leaving.keys()]) worker?.process.kill('SIGKILL')
  }

  /** Ends all of them; resolves when they have ended, those that do not in time by being killed. */
  async stop(graceful: boolean): Promise<void> {
    this.ending()
    const ending = { graceful, replaced: false }
    const gone = this.#places.flatMap(({ worker, next, respawn, onNext }) => {
      processEngine().respawnFree(respawn)
      onNext?.(false)
      return [worker, next].map(each => each && this.#end(each, ending))
    })
    // They have been told, and signalled.
    const ms = this.#killMs
    const leaving = [...this.#leaving.keys()].map(worker =>
      endWorker(worker, { graceful, ms, signals: false }),
    )
    this.#onLost?.(
      new SeawallError('SEAWALL_STOPPED', 'startServer: stopped before a worker was ready'),
    )
    await Promise.all([...gone, ...leaving])
    for (const undo of this.#undo) undo()
  }

  /** By a signal, too, where one does not end it at once: unless it has nothing under way yet. */
  #end(worker: ClusterWorker, how: { graceful: boolean; replaced: boolean }): Promise<void> {
    // On Windows there is only one, that kills.
    const bears = this.#config.installSignalHandlers && process.platform !== 'win32'
    const signals = bears || !this.#hearing.has(worker)
    return endWorker(worker, { ...how, ms: this.#killMs, signals })
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
    place.given = false
    place.worker = this.#start(place, place.slot)
    this.#candidates.add(place.index)
  }

  #start(place: Place, slot: number): ClusterWorker {
    const { workerEnv } = this.#config
    const env = { ...workerEnv, [INDEX]: String(place.index), ...this.#host.environment(slot) }
    const flag = heapFlag(this.#config)
    const { execArgv = process.execArgv } = cluster.settings
    if (flag) cluster.setupPrimary({ execArgv: [...execArgv, flag] })
    let worker: ClusterWorker
    try {
      worker = cluster.fork(env)
    } finally {
      // The user's own processes are none of this.
      if (flag) cluster.setupPrimary({ execArgv })
    }
    // Where the system has no descriptor or no process left, none was started, and none exits.
    worker.on('error', error => {
      this.#config.logger.error('[defuss-express] worker error', error)
      if (worker.process.pid === undefined) this.#exited(worker, null, null)
    })
    place.starts++
    listeners.emit('workerStarted', { index: place.index, pid: worker.process.pid })
    return worker
  }

  #follow(): void {
    const onMessage = (worker: ClusterWorker, message: unknown): void => {
      const place = this.#places.find(({ worker: now, next }) => now === worker || next === worker)
      if (!place) return
      if (isWorkerFailure(message)) this.#failed(worker, message)
      if (!isWorkerMessage(message)) return
      const { index } = place
      const { pid } = worker.process
      const isReady = message.type === 'defuss:worker-ready'
      const isNext = place.next === worker
      if (isReady && !this.#join(place, worker, message)) return
      // It takes over; what the old one says is of no interest any more.
      if (isReady && isNext) this.#takeOver(place)
      if (place.worker !== worker) return
      if (message.type !== 'defuss:worker-stats') place.ready = isReady
      this.#candidates.hear(index, pid, message)
      this.#host.heard()
      if (!isReady) return
      listeners.emit('workerReady', { index, pid })
      this.#onReady?.()
      if (isNext) place.onNext?.(true)
    }
    const onExit = (worker: ClusterWorker, code: number | null, signal: string | null): void => {
      this.#exited(worker, code, signal)
    }
    cluster.on('message', onMessage)
    cluster.on('exit', onExit)
    this.#undo.push(
      () => cluster.off('message', onMessage),
      () => cluster.off('exit', onExit),
    )
  }

  /** Makes one that is ready known to the front; false where nobody could be sent to it. */
  #join(place: Place, worker: ClusterWorker, message: WorkerMessage): boolean {
    this.#hearing.add(worker)
    const slot = place.next === worker ? this.#otherSlot(place) : place.slot
    const { pid } = worker.process
    try {
      this.#host.ready(slot, pid, message)
      return true
    } catch (error) {
      // Another one may be luckier.
      this.#config.logger.error(`[defuss-express] worker ${pid} cannot be reached`, error)
      worker.process.kill('SIGKILL')
      return false
    }
  }

  #exited(worker: ClusterWorker, code: number | null, signal: string | null): void {
    this.#host.gone(worker.process.pid)
    const place = this.#places.find(place => place.worker === worker)
    const waiting = this.#places.find(place => place.next === worker)
    const index = (place ?? waiting)?.index ?? this.#leaving.get(worker)
    if (index === undefined) return
    const expected = this.#stopping || this.#leaving.delete(worker)
    const { pid } = worker.process
    listeners.emit('workerExited', { index, pid, code, signal, expected })
    if (place) this.#died(place, pid ?? 'unknown')
    if (waiting) {
      waiting.next = undefined
      waiting.onNext?.(false)
    }
  }

  #again(place: Place): void {
    try {
      this.#fork(place)
    } catch (error) {
      // Such as for want of memory.
      this.#config.logger.error('[defuss-express] worker error', error)
      this.#died(place, 'unknown')
    }
  }

  #died(place: Place, pid: number | string): void {
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
    place.timer = setTimeout(() => this.#again(place), wait)
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

  /** A worker cannot listen: another try at once would not change that, but one later may. */
  #failed(worker: ClusterWorker, { code, message }: WorkerFailure): void {
    const error = new SeawallError(code ?? 'SEAWALL_LISTEN', message)
    if (this.#onLost) {
      this.#onLost(error)
      return
    }
    this.#config.logger.error('[defuss-express] worker error', error)
    // Its program may have caught that, and live on for nothing.
    worker.process.kill('SIGKILL')
  }

  /** A server that answers nothing but 503 is none. */
  #lost(): void {
    const error = new SeawallError(
      'SEAWALL_NO_WORKER',
      'startServer: every worker died again and again; their output says why',
    )
    if (this.#onLost) this.#onLost(error)
    else this.#host.lost(error)
  }

  /** How long a worker may take to become ready. */
  get #startMs(): number {
    return processEngine().balanceStartMs(this.#config.gracefulShutdownTimeoutMs)
  }

  /** After how long a worker that was told to end is killed. */
  get #killMs(): number {
    return processEngine().balanceKillMs(this.#config.gracefulShutdownTimeoutMs)
  }

  #firstReady(): Promise<void> {
    const ms = this.#startMs
    let clear = (): void => {}
    return new Promise<void>((resolve, reject) => {
      const late = setTimeout(
        () =>
          reject(
            new SeawallError(
              'SEAWALL_NO_WORKER',
              'defuss-express: no worker became ready during startup',
            ),
          ),
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
}

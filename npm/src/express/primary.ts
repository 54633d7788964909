/** The primary's part: it starts workers and the front, and ends both. */
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
import { type FrontCounts, frontCounts, type Live, liveLoads, type ServerStats } from './counts.js'
import { listenProblem } from './listen-error.js'
import { parseRequestHead } from './request.js'
import type { StartServerResult } from './types.js'
import { FOLDER, SLOT } from './worker.js'
import { Workers } from './workers.js'

/** How often counts go to the telemetry sink. */
const TELL_MS = 1000
/** The longest path of a Unix socket is 107 bytes on Linux, 103 on macOS. */
const LONGEST_FOLDER = 80

/** The folder for the sockets between the processes, for this user alone. */
function makeFolder(): string {
  const place = tmpdir().length > LONGEST_FOLDER ? '/tmp' : tmpdir()
  const folder = mkdtempSync(join(place, 'seawall-'))
  chmodSync(folder, 0o700)
  return folder
}

/** A primary that runs. */
export class Primary {
  readonly #config: ResolvedServerConfig
  readonly #candidates: Candidates
  readonly #workers: Workers
  readonly #native: boolean
  #folder: string | undefined
  #choices = 0
  #stopped: Promise<void> | undefined
  #reloading: Promise<void> | undefined
  #told = 0
  readonly #undo: (() => void)[] = []

  constructor(config: ResolvedServerConfig) {
    this.#config = config
    this.#candidates = new Candidates(config)
    this.#workers = new Workers(config, this.#candidates, {
      environment: slot => this.#environment(slot),
      heard: () => this.#count('setGauge', 'healthy_backends', this.#candidates.able().length),
      lost: error => this.#lost(error),
    })
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
      // From the beginning: who is stopped while workers start must not leave them behind.
      if (this.#config.installSignalHandlers) this.#listenToSignals()
      if (this.#native) port = this.#front()
      await this.#workers.start()
      if (this.#native) this.#open(port)
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
    return this.#native ? frontCounts() : undefined
  }

  /** The counts, and each worker as it is now. */
  stats(): ServerStats {
    const live = this.#live()
    const workers = this.#workers.places.map(({ index, slot, worker, ready, starts }) => {
      const load = ready ? live.get(slot) : undefined
      return { index, pid: worker?.process.pid, ready, starts, ...load }
    })
    return { counts: this.counts(), workers }
  }

  /** Replaces every worker, one after the other: the new one is ready before the old one leaves. */
  reload(): Promise<void> {
    this.#reloading ??= this.#workers.replace().finally(() => {
      this.#reloading = undefined
    })
    return this.#reloading
  }

  /** Ends the front, then the workers; those that outlive the time-out are killed. */
  stop(graceful = true): Promise<void> {
    this.#stopped ??= this.#stop(graceful)
    return this.#stopped
  }

  #front(): number {
    const { host, port, loadBalancer } = this.#config
    const folder = makeFolder()
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

  #open(port: number): void {
    try {
      processEngine().frontOpen?.()
    } catch (error) {
      throw listenProblem(error, this.#config.host, port)
    }
  }

  /** Where a worker finds the front, and what it is called there. */
  #environment(slot: number): Record<string, string> {
    return this.#folder ? { [FOLDER]: this.#folder, [SLOT]: String(slot) } : {}
  }

  #live(): Map<number, Live> {
    return this.#native ? liveLoads() : new Map()
  }

  /** The numbers of `BalanceOptions`, in its order. */
  #options(): Float64Array {
    const none = undefined
    const config = this.#config
    const { strategy, weights = [none, none, none] } = nativeStrategy(config.loadBalancer) ?? {
      strategy: 0,
    }
    const numbers = [
      strategy,
      ...weights,
      config.stuckAfterMs,
      none,
      config.slowStartMs,
      config.ejectAfter,
      config.ejectForMs,
      config.latencyDecayMs,
      none,
      config.patienceMs,
      none,
      config.requestInspectionTimeoutMs,
      config.maxHeaderBytes,
    ]
    return Float64Array.from(numbers, number => number ?? Number.NaN)
  }

  /** No worker is left and none will come: a server that answers nothing but 503 is none. */
  #lost(error: Error): void {
    this.#config.logger.error(`[defuss-express] ${error.message}`)
    process.exitCode = 1
    void this.stop(false)
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
    const slotOf = (index: number): number => this.#workers.places[index]?.slot ?? index
    const candidates = this.#candidates.able(index => live.get(slotOf(index)))
    // Nobody to choose among: it waits for whoever comes first.
    if (candidates.length === 0) {
      processEngine().frontChoose?.(id, -2)
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
      index => processEngine().frontChoose?.(id, index),
      error => {
        processEngine().frontChoose?.(id, -1)
        this.#count('incrementCounter', 'proxy_errors', 1)
        logger.error('[defuss-express] load balancer connection error', error)
      },
    )
  }

  /** Connections are counted where no JavaScript runs for them. */
  #tellCounts(): void {
    if (!this.#native) return
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
    if (this.#native) processEngine().frontStop?.()
    await this.#workers.stop(graceful)
    for (const undo of this.#undo) undo()
    if (this.#folder) rmSync(this.#folder, { recursive: true, force: true })
  }
}

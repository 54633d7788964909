/** The primary's part: it starts workers and the front, and ends both. */
import { report } from '../events.js'
import { Candidates } from './candidates.js'
import type { ResolvedServerConfig } from './config.js'
import type { FrontCounts, Live, ServerStats } from './counts.js'
import type { Front } from './front.js'
import { frontOf } from './fronts.js'
import { Lent } from './lent.js'
import { listenProblem } from './listen-error.js'
import { parseRequestHead } from './request.js'
import type { StartServerResult } from './types.js'
import { Workers } from './workers.js'

/** How often counts go to the telemetry sink. */
const TELL_MS = 1000

/** Answers about a connection in place of a worker's place: it is closed, or goes to whoever is next. */
const NOBODY = -1
const ANYBODY = -2

/** A primary that runs. */
export class Primary {
  readonly #config: ResolvedServerConfig
  readonly #candidates: Candidates
  readonly #workers: Workers
  readonly #front: Front | undefined
  readonly #lent = new Lent()
  #choices = 0
  #stopped: Promise<void> | undefined
  /** Resolved when nobody waits for what is under way any more. */
  readonly #hurry: PromiseWithResolvers<void> = Promise.withResolvers()
  #reloading: Promise<void> | undefined
  #told = 0
  readonly #undo: (() => void)[] = []

  constructor(config: ResolvedServerConfig) {
    this.#config = config
    this.#candidates = new Candidates(config)
    const front = frontOf(config, this.#ask.bind(this))
    this.#front = front
    this.#workers = new Workers(config, this.#candidates, {
      environment: slot => front?.environment(slot) ?? {},
      heard: () => this.#count('setGauge', 'healthy_backends', this.#candidates.able().length),
      ready: (slot, pid, message) => front?.ready(slot, pid, message),
      gone: pid => front?.gone(pid),
      lost: error => this.#lost(error),
    })
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
      await this.#workers.start()
      this.#open(port)
      this.#stayAlive()
      this.#tellCounts()
      logger.info(`[defuss-express] primary ${process.pid} listening on tcp://${host}:${port}`)
      return { mode: 'primary', pid: process.pid, host, port, workers }
    } catch (error) {
      await (this.#stopped ?? this.stop(false))
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

  /**
   * Ends the front, then the workers; those that outlive the time-out are killed, and all of them where a
   * stop is not, or no longer, graceful.
   */
  stop(graceful = true): Promise<void> {
    if (this.#stopped && !graceful) {
      this.#hurry.resolve()
      this.#workers.kill()
    }
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
    descriptor: number,
  ): void {
    if (waitedMs < 0) {
      this.#lent.forget(id)
      return
    }
    const { loadBalancer, logger } = this.#config
    this.#count('recordHistogram', 'prelude_duration_ms', waitedMs)
    const live = this.#live()
    const slotOf = (index: number): number => this.#workers.places[index]?.slot ?? index
    const candidates = this.#candidates.able(index => live.get(slotOf(index)))
    const isLent = descriptor >= 0
    const socket = isLent
      ? this.#lent.take(id, descriptor, remoteAddress, remotePort)
      : { remoteAddress, remotePort }
    if (!socket) {
      this.#front?.choose(id, NOBODY)
      return
    }
    const answer = async (): Promise<number> => {
      // Nobody to choose among: it waits for whoever comes first.
      if (candidates.length === 0) return ANYBODY
      const candidate = await loadBalancer({
        candidates,
        request: parseRequestHead(head, remoteAddress, remotePort),
        socket,
        previousIndex: this.#choices++,
      })
      const { workerIndex } = candidate
      if (!Number.isInteger(workerIndex) || workerIndex < 0) {
        throw new TypeError('startServer: the loadBalancer answered what is no candidate')
      }
      return slotOf(workerIndex)
    }
    const choose = async (slot: number): Promise<void> => {
      const isServed = !isLent || (await this.#lent.giveBack(id))
      this.#front?.choose(id, isServed ? slot : NOBODY)
    }
    const lost = (error: unknown): void => report(error, 'startServer: the socket of a balancer')
    answer()
      .then(choose, error => {
        this.#count('incrementCounter', 'proxy_errors', 1)
        logger.error('[defuss-express] load balancer connection error', error)
        return choose(NOBODY)
      })
      .catch(lost)
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
    // Again and again, as in workers: npm passes on what its whole group has got already.
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, stop)
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
    this.#workers.ending()
    this.#front?.stop()
    try {
      if (graceful) await Promise.race([this.#front?.settle(), this.#hurry.promise])
      await this.#workers.stop(graceful)
    } finally {
      for (const undo of this.#undo) undo()
      this.#front?.end()
    }
  }
}

import type { Kysely } from 'kysely'
import { LoneCheck } from '../health/alone.js'
import { checkInterval, checkTimeout, type HealthLimits } from '../health/grade.js'
import { failed, type HealthCheckResult, lateText, lookAt, poolMetrics } from './check.js'
import { consoleLogger, type KyseraLogger, log } from './logger.js'
import type { MetricsPool } from './pool.js'

/** What a {@link HealthMonitor} looks at, and how often. Times are in milliseconds. */
export interface HealthMonitorOptions extends HealthLimits {
  /** A pool whose connections to report; see `createMetricsPool`. */
  pool?: MetricsPool | undefined
  /** From the start of one check to that of the next; above 0, past 24.8 days it counts as that. Default 30,000. */
  intervalMs?: number | undefined
  /** Default: the console. */
  logger?: KyseraLogger | undefined
}

/** Is told of each check. What it throws is logged and changes nothing. */
export type HealthCheckCallback = (result: HealthCheckResult) => void

/** The longest time runtimes accept; they fire at once for a longer one. */
const LONGEST = 2 ** 31 - 1

/** One time between `start` and `stop`. */
interface Run {
  onCheck: HealthCheckCallback | undefined
  /** Says whether a check may begin. */
  readonly alone: LoneCheck
  timer?: ReturnType<typeof setInterval>
}

/**
 * Checks a database again and again and keeps the latest result.
 *
 * A check that is still running when the next is due makes that one fall out. A query that hangs
 * past its time is not joined by others: the database counts as unhealthy until it ends, or until it
 * has hung for so long (a minute, then two, and so on) that another try is due. The monitor alone does
 * not keep a process alive.
 *
 * @example
 * ```ts
 * import { HealthMonitor } from 'seawall/kysely'
 * import type { Kysely } from 'kysely'
 *
 * export function watch(db: Kysely<unknown>): HealthMonitor {
 *   const monitor = new HealthMonitor(db, { intervalMs: 10_000 })
 *   monitor.start(({ status }) => console.log(status))
 *   return monitor // later: monitor.stop()
 * }
 * ```
 */
export class HealthMonitor<DB = unknown> implements Disposable {
  readonly #db: Kysely<DB>
  readonly #options: HealthMonitorOptions
  readonly #intervalMs: number
  readonly #timeoutMs: number
  readonly #logger: KyseraLogger
  #run: Run | undefined
  #lastCheck: HealthCheckResult | undefined

  /**
   * A monitor that does nothing until it is started.
   *
   * @throws OptionError for an `intervalMs` or for limits that are out of range.
   */
  constructor(db: Kysely<DB>, options: HealthMonitorOptions = {}) {
    this.#timeoutMs = checkTimeout('HealthMonitor', options)
    this.#db = db
    this.#options = options
    this.#intervalMs = checkInterval('HealthMonitor', options.intervalMs)
    this.#logger = options.logger ?? consoleLogger
  }

  /**
   * Checks now and then at each interval, until `stop`. Does nothing where it already runs; the
   * callback given then is not used.
   */
  start(onCheck?: HealthCheckCallback): void {
    if (this.#run) return
    const alone = new LoneCheck('HealthMonitor', this.#timeoutMs, this.#intervalMs)
    const run: Run = { onCheck, alone }
    this.#run = run
    log(this.#logger, 'debug', `Starting health monitor with ${this.#intervalMs}ms interval`)
    void this.#check(run)
    run.timer = setInterval(() => void this.#check(run), Math.min(this.#intervalMs, LONGEST))
    // Browsers and Workers have numbers for timers.
    run.timer.unref?.()
  }

  /**
   * Ends the checks; `start` begins anew. A check under way still becomes the last one, but its
   * callback is not called any more.
   */
  stop(): void {
    if (!this.#run) return
    log(this.#logger, 'debug', 'Stopping health monitor')
    clearInterval(this.#run.timer)
    this.#run = undefined
  }

  /** The same as {@link stop}. */
  destroy(): void {
    this.stop()
  }

  /** The same as {@link stop}. */
  [Symbol.dispose](): void {
    this.stop()
  }

  /** The result of the latest check, nothing before the first has ended. */
  getLastCheck(): HealthCheckResult | undefined {
    return this.#lastCheck
  }

  /** Whether it has been started and not been stopped. */
  isRunning(): boolean {
    return this.#run !== undefined
  }

  /**
   * Whether the latest result is too old to go by: there is none, it is older than three intervals and
   * the timeout, as while the event loop is blocked, or the monitor has been stopped.
   */
  isStale(): boolean {
    const reason = this.#run?.alone.reason()
    return reason === undefined || reason === 'pending' || reason === 'stale'
  }

  /** Checks once, whether it runs or not. Logs nothing and calls no callback. */
  async checkNow(): Promise<HealthCheckResult> {
    return this.#look()
  }

  async #look(ended?: () => void): Promise<HealthCheckResult> {
    const result = await lookAt(this.#db, this.#options.pool, this.#options, ended)
    this.#lastCheck = result
    return result
  }

  /** The result of a check of this run; nothing where the one before is still within its time. */
  async #once({ alone }: Run): Promise<HealthCheckResult | undefined> {
    const flight = alone.begin()
    if (flight === undefined) {
      if (alone.reason() !== 'hanging') return undefined
      this.#lastCheck = failed(lateText(this.#timeoutMs), poolMetrics(this.#options.pool))
      return this.#lastCheck
    }
    let ended = false
    let late = false
    const result = await this.#look(() => {
      ended = true
      // It only makes room for the next.
      if (late) alone.settle(flight, false)
    })
    if (ended) alone.settle(flight, result.status !== 'unhealthy')
    else {
      late = true
      alone.expire(flight)
    }
    return result
  }

  async #check(run: Run): Promise<void> {
    const result = await this.#once(run)
    if (result === undefined) return
    if (result.status !== 'healthy')
      log(this.#logger, 'warn', `Health check status: ${result.status}`)
    if (this.#run !== run) return
    try {
      await run.onCheck?.(result)
    } catch (error) {
      log(this.#logger, 'error', 'Health check callback failed:', error)
    }
  }
}

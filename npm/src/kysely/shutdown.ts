/** Closing a database in time, by hand or at a signal; takes the place of `@kysera/infra/shutdown`. */
import type { Kysely } from 'kysely'
import { describe, OptionError } from '../errors.js'
import { type Member, sharedRegistry } from '../lifecycle/registry.js'
import { limited } from './limited.js'
import { consoleLogger, type KyseraLogger, log } from './logger.js'

export type { KyseraLogger } from './logger.js'

/** How a database is shut down. */
export interface ShutdownOptions {
  /**
   * How many milliseconds `onShutdown` and the closing of the database may take together; past 24.8
   * days, or `Infinity`: no limit. 0 leaves only what is done at once. Default 30,000.
   */
  timeout?: number | undefined
  /** Called, and awaited, before the database is closed. It is closed also where this fails. */
  onShutdown?: (() => void | Promise<void>) | undefined
  /** Default: the console. */
  logger?: KyseraLogger | undefined
}

/** How a database is shut down at a signal. */
export interface RegisterShutdownOptions extends ShutdownOptions {
  /** The signals to listen to. Default SIGTERM and SIGINT. */
  signals?: readonly NodeJS.Signals[] | undefined
  /**
   * Whether another signal during the shutdown ends the process at once, with status 1. Default
   * false: it is ignored.
   */
  forceOnSecondSignal?: boolean | undefined
}

/** One shutdown of one database, however often and however it is asked for. */
export interface ShutdownController {
  /**
   * Shuts down; every call after the first answers with the same promise.
   *
   * @throws (as a rejection) what `onShutdown` or the database failed with, or an Error after the timeout.
   */
  execute: () => Promise<void>
  /**
   * Shuts down and ends the process at the signals of the options. What it answers takes the
   * listeners away again.
   */
  registerSignals: () => () => void
  /** Whether a shutdown has begun, by hand or at a signal. Stays true. */
  isShuttingDown: () => boolean
}

/** What is needed of the process of Node, Deno or Bun. */
interface Process {
  on(signal: string, listener: () => void): unknown
  off?(signal: string, listener: () => void): unknown
  exit(code: number): unknown
}

/**
 * Calls `onShutdown`, then closes the database; both within `timeout`. If `onShutdown` fails, the
 * database is closed all the same. After the timeout the work goes on in the background.
 *
 * @throws (as a rejection) what `onShutdown` failed with, else what the database failed with, after
 * it was logged; Error `Shutdown timeout after <timeout>ms`; OptionError for a timeout that is
 * negative or no number, before anything is done.
 *
 * @example
 * ```ts
 * import { gracefulShutdown } from 'seawall/kysely'
 * import type { Kysely } from 'kysely'
 *
 * export async function stop(db: Kysely<unknown>): Promise<void> {
 *   await gracefulShutdown(db, { timeout: 5000, onShutdown: () => console.log('closing') })
 * }
 * ```
 */
export async function gracefulShutdown<DB>(
  db: Kysely<DB>,
  options: ShutdownOptions = {},
): Promise<void> {
  checkTimeout('gracefulShutdown', options)
  const { timeout = 30_000 } = options
  await limited(() => close(db, options), timeout, `Shutdown timeout after ${timeout}ms`)
}

/**
 * Closes the database, without a limit of time.
 *
 * @throws (as a rejection) what the database failed with
 */
export async function shutdownDatabase<DB>(db: Kysely<DB>): Promise<void> {
  await db.destroy()
}

/**
 * Shuts the database down at the first SIGTERM or SIGINT and ends the process: with status 0, or 1
 * where the shutdown failed or took too long. Where several databases are registered, the process
 * ends after the last of them.
 *
 * Where the lifecycle of `seawall/lifecycle` has been started, it ends the process, and the database
 * is closed in its turn, when no request needs it any more.
 *
 * Without signals, as in Workers, it logs a warning and does nothing.
 *
 * @returns what takes the listeners away again
 * @throws OptionError for a timeout that is negative or no number
 *
 * @example
 * ```ts
 * import { registerShutdownHandlers } from 'seawall/kysely'
 * import type { Kysely } from 'kysely'
 *
 * export function main(db: Kysely<unknown>): void {
 *   registerShutdownHandlers(db, { timeout: 10_000, forceOnSecondSignal: true })
 * }
 * ```
 */
export function registerShutdownHandlers<DB>(
  db: Kysely<DB>,
  options: RegisterShutdownOptions = {},
): () => void {
  checkTimeout('registerShutdownHandlers', options)
  return new Shutdown(db, options).registerSignals()
}

/**
 * A shutdown to carry out by hand, at signals, or both; the database is closed once.
 *
 * @throws OptionError for a timeout that is negative or no number
 *
 * @example
 * ```ts
 * import { createShutdownController } from 'seawall/kysely'
 * import type { Kysely } from 'kysely'
 *
 * export async function run(db: Kysely<unknown>): Promise<void> {
 *   const shutdown = createShutdownController(db, { timeout: 10_000 })
 *   const unregister = shutdown.registerSignals()
 *   await shutdown.execute()
 *   unregister()
 * }
 * ```
 */
export function createShutdownController<DB>(
  db: Kysely<DB>,
  options: RegisterShutdownOptions = {},
): ShutdownController {
  checkTimeout('createShutdownController', options)
  const shutdown = new Shutdown(db, options)
  return {
    execute: () => shutdown.execute('Starting graceful shutdown...'),
    registerSignals: () => shutdown.registerSignals(),
    isShuttingDown: () => shutdown.isRunning(),
  }
}

/** The longest time runtimes accept. */
const LONGEST = 2 ** 31 - 1
/** How much longer than its own limit the lifecycle gives it, in ms. */
const SPARE_MS = 50

class Shutdown<DB> implements Member {
  readonly name = 'database'
  readonly phase = 'db'
  readonly #db: Kysely<DB>
  readonly #options: RegisterShutdownOptions
  readonly #logger: KyseraLogger
  #done: Promise<void> | undefined
  #signalled = false

  constructor(db: Kysely<DB>, options: RegisterShutdownOptions) {
    this.#db = db
    this.#options = options
    this.#logger = options.logger ?? consoleLogger
  }

  /** A little more than its own limit, so that it can say that it was too late. */
  get timeoutMs(): number | undefined {
    const { timeout } = this.#options
    return timeout !== undefined && timeout <= LONGEST ? timeout + SPARE_MS : undefined
  }

  isRunning(): boolean {
    return this.#done !== undefined
  }

  run(reason: string): Promise<void> {
    return this.execute(`Received ${reason}, starting graceful shutdown...`)
  }

  execute(announcement: string): Promise<void> {
    if (this.#done) return this.#done
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    // Set before anything is called, so that `onShutdown` finds the shutdown begun.
    this.#done = promise
    log(this.#logger, 'info', announcement)
    gracefulShutdown(this.#db, this.#options).then(() => {
      log(this.#logger, 'info', 'Database connections closed successfully')
      resolve()
    }, reject)
    return promise
  }

  registerSignals(): () => void {
    const proc = (globalThis as { process?: Partial<Process> }).process
    if (typeof proc?.on !== 'function' || typeof proc.exit !== 'function') {
      log(
        this.#logger,
        'warn',
        'Process signal handlers are not available in this runtime. Shutdown handlers will not be registered. Use createShutdownController().execute() for manual shutdown.',
      )
      return () => {}
    }
    const { signals = ['SIGTERM', 'SIGINT'] } = this.#options
    const listeners = signals.map(
      signal => [signal, () => this.#onSignal(signal, proc as Process)] as const,
    )
    const { members } = sharedRegistry()
    const unregister = (): void => {
      members.delete(this)
      for (const [signal, listener] of listeners) proc.off?.(signal, listener)
    }
    try {
      for (const [signal, listener] of listeners) proc.on(signal, listener)
    } catch (error) {
      unregister()
      throw error
    }
    members.add(this)
    return unregister
  }

  #onSignal(signal: string, proc: Process): void {
    const { started, shutdown } = sharedRegistry()
    if (started) {
      // Its turn comes with the databases. A signal that the lifecycle does not listen to begins it.
      shutdown?.(signal)
      return
    }
    if (this.#signalled) {
      if (!this.#options.forceOnSecondSignal) return
      log(this.#logger, 'warn', `Received ${signal} during shutdown, exiting at once`)
      proc.exit(1)
      return
    }
    this.#signalled = true
    if (this.#done)
      log(this.#logger, 'info', `Received ${signal}, graceful shutdown has already begun`)
    void this.#exitAfter(this.run(signal), proc)
  }

  async #exitAfter(done: Promise<void>, proc: Process): Promise<void> {
    // Other copies of this package may be closing theirs: the process ends with the last.
    const shared = sharedRegistry()
    shared.leaving++
    try {
      await done
    } catch (error) {
      shared.failed = true
      log(this.#logger, 'error', 'Error during shutdown:', error)
    }
    shared.leaving--
    if (shared.leaving > 0) return
    const code = shared.failed ? 1 : 0
    shared.failed = false
    proc.exit(code)
  }
}

/** Both steps, the second whatever becomes of the first; each failure is logged, the first is thrown. */
async function close<DB>(
  db: Kysely<DB>,
  { onShutdown, logger = consoleLogger }: ShutdownOptions,
): Promise<void> {
  const failures: unknown[] = []
  for (const step of [onShutdown, () => db.destroy()]) {
    try {
      await step?.()
    } catch (error) {
      failures.push(error)
      log(logger, 'error', 'Error during database shutdown:', error)
    }
  }
  if (failures.length > 0) throw failures[0]
}

function checkTimeout(where: string, { timeout }: ShutdownOptions): void {
  if (timeout === undefined || timeout >= 0) return
  throw new OptionError(
    `${where}: \`timeout\` must be a number of at least 0, got ${describe(timeout)}`,
    'timeout',
  )
}

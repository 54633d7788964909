/** What becomes of failures that nobody caught: the process says why, and ends in order. */
import type { Clock } from '../clock.js'
import { report } from '../events.js'
import { startTimer } from '../timer.js'
import type { LifecycleOptions } from './options.js'

type Origin = 'uncaughtException' | 'unhandledRejection'

/** What is needed of a lifecycle. */
interface Dying {
  readonly clock: Clock
  /** Begins the shutdown with exit code 1. */
  fail(error: unknown, reason: string, neverServed: boolean): void
  /** Ends the process with exit code 1, without hooks. */
  exit(): void
}

/** An error of `server.listen()`, with what the system adds to it. */
interface ListenError extends Error {
  code: string
  port?: number
  address?: string
}

/**
 * In words why a server cannot listen, with the port; `undefined` for any other error.
 *
 * @example
 * ```ts
 * import { describeListenError } from 'seawall/lifecycle'
 *
 * const error = Object.assign(new Error('listen EADDRINUSE'), { code: 'EADDRINUSE', syscall: 'listen', port: 80 })
 * console.log(describeListenError(error)) // port 80 is in use already (EADDRINUSE)
 * ```
 */
export function describeListenError(error: unknown): string | undefined {
  if (!isListenError(error)) return undefined
  const { code, port, address } = error
  const host = address !== undefined && port !== undefined && port >= 0 ? ` of ${address}` : ''
  // A socket of the file system has its path as the address, and no port.
  const what = port !== undefined && port >= 0 ? `port ${port}${host}` : `${address ?? 'a port'}`
  const why: Record<string, string> = {
    EADDRINUSE: 'is in use already',
    EACCES: 'is not allowed to this user',
    EADDRNOTAVAIL: 'is not an address of this machine',
  }
  return `${what} ${why[code] ?? 'cannot be listened on'} (${code})`
}

function isListenError(error: unknown): error is ListenError {
  const { code, syscall } = (error ?? {}) as { code?: unknown; syscall?: unknown }
  return typeof code === 'string' && (syscall === 'listen' || syscall === 'bind')
}

/** Listens for what nobody caught, as the options say. */
export class Death {
  readonly #dying: Dying
  readonly #options: LifecycleOptions
  readonly #undo: (() => void)[] = []
  #reports: Promise<unknown> = Promise.resolve()

  constructor(dying: Dying, options: LifecycleOptions) {
    this.#dying = dying
    this.#options = options
    const { uncaughtException = 'drain', unhandledRejection = 'drain' } = options
    this.#listen('uncaughtException', uncaughtException)
    this.#listen('unhandledRejection', unhandledRejection)
  }

  /** Resolves when all that was reported is reported, or has taken too long. */
  get reported(): Promise<unknown> {
    return this.#reports
  }

  stop(): void {
    for (const undo of this.#undo) undo()
  }

  #listen(origin: Origin, then: 'drain' | 'exit' | 'warn' | 'ignore'): void {
    const { process } = globalThis
    if (then === 'ignore' || typeof process?.on !== 'function') return
    const listener = (error: unknown): void => this.#struck(error, origin, then)
    process.on(origin as 'uncaughtException', listener)
    this.#undo.push(() => process.off?.(origin, listener))
  }

  #struck(error: unknown, origin: Origin, then: 'drain' | 'exit' | 'warn'): void {
    const listen = describeListenError(error)
    const title = origin === 'uncaughtException' ? 'uncaught exception' : 'unhandled rejection'
    // First of all: what follows may fail, and a process that ends says nothing by itself.
    print(listen ? `${listen}: ${textOf(error)}` : `${title}: ${textOf(error)}`)
    this.#report(error, origin)
    if (then === 'drain') this.#dying.fail(error, listen ?? title, listen !== undefined)
    if (then === 'exit') this.#reports.then(() => this.#dying.exit())
  }

  #report(error: unknown, origin: Origin): void {
    const { reporter, reporterTimeoutMs = 2000 } = this.#options
    if (!reporter) return
    const late = Promise.withResolvers<void>()
    const cancel = startTimer(this.#dying.clock, reporterTimeoutMs, () => {
      print(`the reporter took longer than ${reporterTimeoutMs} ms`)
      late.resolve()
    })
    const tell = async (): Promise<unknown> => reporter(error, origin)
    const told = tell().catch(failure => report(failure, 'lifecycle: reporter'))
    const one = Promise.race([told, late.promise]).finally(cancel)
    this.#reports = Promise.all([this.#reports, one])
  }
}

/** A line on stderr. Never throws, now or later. */
export function print(message: string): void {
  try {
    const stderr = globalThis.process?.stderr
    if (typeof stderr?.write !== 'function') {
      console.error(`seawall: ${message}`)
      return
    }
    stderr.write(`seawall: ${message}\n`, error => {
      // Where its reader is gone, the error would be an uncaught exception of its own, which would be
      // printed in its turn, for ever.
      if (error && stderr.listenerCount('error') === 0) stderr.once('error', () => {})
    })
  } catch {
    // Nobody can read it.
  }
}

/** What was thrown, with its stack and causes as far as the runtime prints them. */
export function textOf(error: unknown): string {
  try {
    const util = globalThis.process?.getBuiltinModule?.('node:util')
    if (util) return util.inspect(error)
    return error instanceof Error ? (error.stack ?? String(error)) : String(error)
  } catch {
    return 'an error that cannot be printed'
  }
}

/** The options of a lifecycle, and how they cross to the engine. */
import type { Clock } from '../clock.js'
import { describe, OptionError } from '../errors.js'
import { check, type Kind } from '../options.js'
import type { HealthLike } from './state.js'

/** What reports a failure somewhere before the process ends. It may answer a promise. */
export type Reporter = (
  error: unknown,
  origin: 'uncaughtException' | 'unhandledRejection',
) => unknown

/** How a process ends. Times are in milliseconds. */
export interface LifecycleOptions {
  /**
   * From the request to end until the process is killed from outside, what a `preStop` hook takes
   * included: `terminationGracePeriodSeconds` of Kubernetes in ms. Above 0. Default what the
   * environment variable `TERMINATION_GRACE_PERIOD_SECONDS` says, in seconds; else 30,000.
   */
  graceMs?: number | undefined
  /**
   * How much earlier than that the process is gone; less than `graceMs`. Default 2000, at most half
   * of `graceMs`.
   */
  marginMs?: number | undefined
  /** What a `preStop` hook has spent of the grace period when the signal comes. Default 0. */
  preStopMs?: number | undefined
  /**
   * For how long requests are still taken when the process says that it is not ready, until all that
   * send some have noticed. What `preStop` has waited counts. Default 5000 in Kubernetes (where
   * `KUBERNETES_SERVICE_HOST` is set), else 0.
   */
  drainDelayMs?: number | undefined
  /** How long requests may take to finish after that. Default: until only the hooks' time is left. */
  drainTimeoutMs?: number | undefined
  /** How long your longest request takes, for the check of the budget. Default 0: not known. */
  longestRequestMs?: number | undefined
  /** How much is kept for all hooks, and what a hook may take that does not say. Default 5000. */
  hooksMs?: number | undefined
  /** A signal that comes this soon after the same one is ignored. Default 2000. */
  repeatWithinMs?: number | undefined
  /** How much is left after a second signal. Default 1000. */
  shortenedMs?: number | undefined
  /** The signals that begin the shutdown. Default SIGTERM and SIGINT. */
  signals?: readonly NodeJS.Signals[] | undefined
  /**
   * What an uncaught exception does: `'drain'` (default) shuts down with exit code 1, `'exit'` ends the
   * process once the reporter is done, `'ignore'` leaves it to whoever else listens, or to the runtime.
   */
  uncaughtException?: 'drain' | 'exit' | 'ignore' | undefined
  /** The same for a rejection that nobody handles; `'warn'` prints it and goes on. Default `'drain'`. */
  unhandledRejection?: 'drain' | 'exit' | 'warn' | 'ignore' | undefined
  /** Is told of what nobody caught, and awaited before the process ends. */
  reporter?: Reporter | undefined
  /** How long the reporter is awaited at most. Default 2000. */
  reporterTimeoutMs?: number | undefined
  /** Health checks that are told at once that the process is no longer ready: `useHealth()`. */
  health?: HealthLike | undefined
  /** Where lines go. Default: warnings and errors to stderr. */
  log?: ((level: 'info' | 'warn' | 'error', message: string) => void) | undefined
}

/** What a {@link Lifecycle} that is not the one of the process stands on, for tests. */
export interface LifecycleHost {
  /** Where time and timers come from. With another than the runtime's, no thread keeps the deadline. */
  clock?: Clock | undefined
  /** What ends the process. Default `process.exit`. */
  exit?: ((code: number) => void) | undefined
}

const FIELDS: Record<string, Kind> = {
  graceMs: 'number',
  marginMs: 'number',
  preStopMs: 'number',
  drainDelayMs: 'number',
  drainTimeoutMs: 'number',
  longestRequestMs: 'number',
  hooksMs: 'number',
  repeatWithinMs: 'number',
  shortenedMs: 'number',
  signals: 'object',
  uncaughtException: ['drain', 'exit', 'ignore'],
  unhandledRejection: ['drain', 'exit', 'warn', 'ignore'],
  reporter: 'function',
  reporterTimeoutMs: 'number',
  health: 'object',
  log: 'function',
}

/** A crash must end the process at once, and the last two cannot be caught. */
const NOT_OURS = ['SIGSEGV', 'SIGILL', 'SIGBUS', 'SIGFPE', 'SIGABRT', 'SIGKILL', 'SIGSTOP']

/** Refuses unknown options and wrong types; ranges are the engine's business. */
export function checkLifecycle(options: LifecycleOptions): void {
  check('lifecycle', options, FIELDS)
  const { signals, reporterTimeoutMs } = options
  if (reporterTimeoutMs !== undefined && reporterTimeoutMs < 0) {
    throw new OptionError(
      `lifecycle: \`reporterTimeoutMs\` must be a number of at least 0, got ${reporterTimeoutMs}`,
      'reporterTimeoutMs',
    )
  }
  if (signals === undefined) return
  const numbers = signalNumbers()
  for (const signal of Array.isArray(signals) ? signals : [signals]) {
    if (Object.hasOwn(numbers, signal) && !NOT_OURS.includes(signal)) continue
    throw new OptionError(
      `lifecycle: \`signals\` must be names of signals other than ${NOT_OURS.join(', ')}, got ${describe(signal)}`,
      'signals',
    )
  }
}

/** The options as `LifecycleOptions` of `core/src/lifecycle/options.rs`, field by field. */
export function lifecycleNumbers(options: LifecycleOptions): Float64Array {
  const seconds = environment('TERMINATION_GRACE_PERIOD_SECONDS')
  const numbers = [
    options.graceMs,
    options.marginMs,
    options.preStopMs,
    options.drainDelayMs,
    options.drainTimeoutMs,
    options.longestRequestMs,
    options.hooksMs,
    options.repeatWithinMs,
    options.shortenedMs,
    environment('KUBERNETES_SERVICE_HOST') !== undefined,
    seconds === undefined ? undefined : Number.parseFloat(seconds),
  ]
  return Float64Array.from(numbers, value => (value === undefined ? Number.NaN : Number(value)))
}

function environment(name: string): string | undefined {
  try {
    return globalThis.process?.env?.[name] || undefined
  } catch {
    // Deno without the permission to read it.
    return undefined
  }
}

/** The numbers of the signals here: they are not the same everywhere. */
export function signalNumbers(): Record<string, number> {
  const os = globalThis.process?.getBuiltinModule?.('node:os')
  return os?.constants.signals ?? { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 }
}

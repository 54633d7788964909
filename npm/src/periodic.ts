/**
 * Jobs that repeat for ever. When the next run is due is the engine's decision; this file holds
 * the timer and the promise of the run.
 */
import { type Clock, systemClock } from './clock.js'
import { policyEngine } from './engine/policies/index.js'
import type { PoliciesEngine } from './engine/policies/types.js'
import { optionProblem } from './errors.js'
import { call, report } from './events.js'
import { check, type Kind } from './options.js'
import { seedOr } from './seed.js'
import { startTimer } from './timer.js'

/** How a job repeats. */
export interface PeriodicOptions {
  /**
   * Where in the period the runs lie: `'random'` (default) is drawn once, so that processes
   * started together do not run together; a number is so many ms after the start. The first run
   * comes one period after that; 0 is the rhythm of `setInterval`.
   */
  offset?: 'random' | number | undefined
  /**
   * How far each run may lie before or after its time, as a share of the period from 0 to 0.5.
   * Default 0. It does not add up.
   */
  jitter?: number | undefined
  /** Stops the job when aborted; the run under way is not interrupted. */
  signal?: AbortSignal | undefined
  /** Called with what a run throws or rejects with. Default: a process warning. */
  onError?: ((error: unknown) => void) | undefined
  /** The same seed gives the same offset and jitter. Default a random one. */
  seed?: number | undefined
  /** Where time and timers come from. Default the runtime's. */
  clock?: Clock | undefined
}

/** How a job ends. */
export interface StopOptions {
  /** Run once more, after the run under way if there is one. Default `false`. */
  flush?: boolean | undefined
}

const FIELDS: Record<string, Kind> = {
  offset: ['random'],
  jitter: 'number',
  signal: 'object',
  onError: 'function',
  seed: 'number',
  clock: 'object',
}
const NUMBER_FIELDS: Record<string, Kind> = { ...FIELDS, offset: 'number' }

/**
 * A job that repeats until it is stopped.
 *
 * There is one run at a time; times that pass during a run are skipped. Its timer keeps no process
 * alive where the runtime can help it. A run that fails does not end the job.
 */
export class Periodic implements Disposable, AsyncDisposable {
  readonly #engine: PoliciesEngine
  readonly #handle: number
  readonly #clock: Clock
  readonly #task: () => unknown
  readonly #onError: ((error: unknown) => void) | undefined
  readonly #signal: AbortSignal | undefined
  readonly #abort = (): void => this.#end()
  #cancel: (() => void) | undefined
  #run: Promise<void> | undefined
  #last: Promise<void> | undefined
  /** The latest time known: a timer that has fired proves its own. */
  #seen = 0
  #stopped = false
  #skipped = 0

  /** @throws OptionError for an option that is unknown, of a wrong type or out of range */
  constructor(periodMs: number, task: () => unknown, options: PeriodicOptions = {}) {
    const { offset, clock = systemClock, signal } = options
    const numeric = typeof offset === 'number'
    check('every', options, numeric ? NUMBER_FIELDS : FIELDS)
    check('every', { periodMs, task }, { periodMs: 'number', task: 'function' })
    const core = policyEngine()
    this.#engine = core
    this.#clock = clock
    this.#task = task
    this.#onError = options.onError
    this.#signal = signal
    const now = clock.now()
    const from = numeric ? offset : undefined
    this.#handle = core.periodicNew(periodMs, from, options.jitter, now, seedOr(options.seed))
    if (this.#handle < 0) throw optionProblem('every', { periodMs, ...options }, core)
    if (signal?.aborted) this.#end()
    else {
      signal?.addEventListener('abort', this.#abort, { once: true })
      this.#arm()
    }
  }

  /** Whether a run is under way. */
  get running(): boolean {
    return this.#run !== undefined
  }

  /** Whether the job has been stopped. */
  get stopped(): boolean {
    return this.#stopped
  }

  /** How many times have passed during runs. */
  get skipped(): number {
    return this.#skipped
  }

  /** Ends the job. The promise resolves when the run under way, and the last one if asked, is over. */
  async stop(options: StopOptions = {}): Promise<void> {
    check('stop', options, { flush: 'boolean' })
    this.#end()
    await this.#run
    if (options.flush) this.#last ??= this.#execute()
    await this.#last
  }

  /** Ends the job without waiting. */
  [Symbol.dispose](): void {
    this.#end()
  }

  /** Ends the job and waits for the run under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  #end(): void {
    if (this.#stopped) return
    this.#stopped = true
    this.#cancel?.()
    this.#signal?.removeEventListener('abort', this.#abort)
    this.#engine.periodicFree(this.#handle)
  }

  #now(): number {
    return Math.max(this.#clock.now(), this.#seen)
  }

  #arm(): void {
    const due = this.#engine.periodicDue(this.#handle)
    // Runtimes cut fractions off, which would fire early; a nanosecond of rounding is none.
    const wait = Math.max(0, Math.ceil(due - this.#now() - 1e-6))
    this.#cancel = startTimer(this.#clock, wait, () => this.#fire(due), true)
  }

  #fire(due: number): void {
    this.#seen = Math.max(this.#seen, due)
    if (!this.#engine.periodicBegin(this.#handle, this.#now())) {
      this.#arm()
      return
    }
    this.#run = this.#execute().then(() => {
      this.#run = undefined
      if (this.#stopped) return
      this.#skipped += this.#engine.periodicFinish(this.#handle, this.#now())
      this.#arm()
    })
  }

  async #execute(): Promise<void> {
    try {
      await this.#task()
    } catch (error) {
      const onError = this.#onError
      if (onError) call(() => onError(error), 'every: onError')
      else report(error, 'every: task')
    }
  }
}

/**
 * Runs `task` each `periodMs` milliseconds (above 0), from now until it is stopped.
 *
 * @example
 * ```ts
 * await using refresh = every(60_000, () => rates.refresh())
 * ```
 */
export function every(periodMs: number, task: () => unknown, options?: PeriodicOptions): Periodic {
  return new Periodic(periodMs, task, options)
}

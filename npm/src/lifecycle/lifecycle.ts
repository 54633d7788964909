/**
 * A process from its start to its end, as a service sees it. What the engine decides stands in
 * `plan.ts`, the way from the first word to the last in `course.ts`.
 */
import { type Clock, systemClock } from '../clock.js'
import { OptionError, SeawallError } from '../errors.js'
import { call, Listeners, report } from '../events.js'
import { check } from '../options.js'
import { seconds } from './alive.js'
import { Course } from './course.js'
import { Death, print, textOf } from './death.js'
import { type Drainable, Drains } from './drains.js'
import { HOOK_PHASES, type Hook, type HookOptions, Hooks } from './hooks.js'
import { checkLifecycle, type LifecycleHost, type LifecycleOptions } from './options.js'
import { CAUSE, EVENT, Plan } from './plan.js'
import { sharedRegistry } from './registry.js'
import { isMainThread, isNode, type Repeat, SignalSource } from './signals.js'
import type { HealthLike, LifecycleEvents, LifecyclePhase, LifecycleState } from './state.js'

/** Takes back what was registered; the same as disposing of it. */
export type Unregister = (() => void) & Disposable

/**
 * Takes a process from its first signal to its end: readiness goes at once, requests are served until
 * everybody has noticed, those under way are finished, what is open is closed, and by the deadline the
 * process is gone, whatever hangs.
 *
 * Use {@link lifecycle} to get the one of this process, which all libraries share.
 *
 * | exit code | when |
 * |---|---|
 * | 0 | all requests were finished and all hooks have ended |
 * | 75 | requests were cut off, or the deadline came before the end (`EX_TEMPFAIL`: try again) |
 * | 1 | an uncaught exception or unhandled rejection began it; or a hook failed or was given up |
 * | 128 + n | a third signal, number n, ended it at once: 130 for SIGINT, 143 for SIGTERM |
 */
export class Lifecycle implements Disposable {
  readonly #listeners = new Listeners<LifecycleEvents>('lifecycle')
  readonly #hooks = new Hooks()
  readonly #drains = new Drains()
  readonly #health = new Set<HealthLike>()
  readonly #host: LifecycleHost
  readonly #plan: Plan
  readonly #course: Course
  /** @internal */
  readonly clock: Clock
  #options: LifecycleOptions = {}
  #started = false
  #guarded = false
  #source: SignalSource | undefined
  #death: Death | undefined
  #unrecoverable: Error | undefined
  #checking = false
  #warned = 0

  /** One of its own, for tests; a service wants {@link lifecycle}. */
  constructor(host: LifecycleHost = {}) {
    check('Lifecycle', host, { clock: 'object', exit: 'function' })
    const { clock = systemClock } = host
    this.#host = host
    this.clock = clock
    this.#plan = new Plan(clock, () => this.#hooks.neededMs)
    this.#course = new Course({
      clock,
      host,
      plan: this.#plan,
      hooks: this.#hooks,
      drains: this.#drains,
      listeners: this.#listeners,
      guarded: () => this.#guarded,
      isShared: () => isShared(this),
      reported: () => this.#death?.reported,
      leave: () => this.#tellHealth(),
      log: (level, message) => this.#log(level, message),
    })
  }

  /**
   * From now on signals, and what nobody catches, shut the process down. Warns if the steps do not
   * fit into the grace period.
   *
   * Called again, by another library, it adds its signals; the other options stay those of the first.
   *
   * A shutdown that has begun keeps the times it began with, and gets signals and a thread that keeps
   * its deadline.
   *
   * @throws OptionError for an option that is unknown, of a wrong type or out of range
   * @throws SeawallError `SEAWALL_DISPOSED` after it was disposed of
   *
   * @example
   * ```ts
   * import { lifecycle } from 'seawall/lifecycle'
   *
   * using life = lifecycle().start({ graceMs: 60_000, drainDelayMs: 10_000 })
   * life.on('phase', ({ phase, leftMs }) => console.log(phase, leftMs))
   * ```
   */
  start(options: LifecycleOptions = {}): this {
    checkLifecycle(options)
    if (this.#plan.gone) {
      throw new SeawallError('SEAWALL_DISPOSED', 'Lifecycle: started after it was disposed')
    }
    if (this.#started) return this.#startAgain(options)
    // One that is on its way has promised its times.
    const core = this.phase === 'running' ? this.#plan.make(options) : this.#plan.core
    this.#options = options
    const native = isNode() && isMainThread() && this.clock === systemClock && !this.#host.exit
    this.#guarded = native && this.#plan.guard()
    const now = (): number => this.clock.now()
    this.#source = new SignalSource(core, this.#plan.handle, now, (repeat, signal) =>
      this.#onSignal(repeat, signal),
    )
    try {
      this.#source.listen(options.signals ?? ['SIGTERM', 'SIGINT'], this.#guarded)
    } catch (error) {
      this.#plan.release()
      this.#source = undefined
      throw error
    }
    this.#started = true
    this.#death = new Death(
      {
        clock: this.clock,
        fail: (error, reason, neverServed) => this.#fail(error, reason, neverServed),
        exit: () => this.#course.exit(1),
      },
      options,
    )
    if (options.health) this.useHealth(options.health)
    if (isShared(this)) {
      const shared = sharedRegistry()
      shared.started = true
      shared.shutdown = reason => void this.shutdown(reason)
    }
    this.#checkBudget()
    return this
  }

  #startAgain(options: LifecycleOptions): this {
    const { signals, health, ...others } = options
    const ignored = Object.entries(others).filter(
      ([key, value]) =>
        value !== undefined && value !== this.#options[key as keyof LifecycleOptions],
    )
    if (ignored.length > 0) {
      const names = ignored.map(([key]) => `\`${key}\``).join(', ')
      report(new Error(`started before with other options; ${names} changed nothing`), 'lifecycle')
    }
    const before = this.#options.signals ?? ['SIGTERM', 'SIGINT']
    const all = [...new Set([...before, ...(signals ?? [])])]
    if (all.length > before.length) {
      this.#source?.listen(all, this.#guarded)
      this.#options = { ...this.#options, signals: all }
    }
    if (health) this.useHealth(health)
    return this
  }

  /** Whether {@link start} has been called. */
  get started(): boolean {
    return this.#started
  }

  /** How far the process is. */
  get phase(): LifecyclePhase {
    return this.#course.phase
  }

  /** Whether requests may be sent here: it runs, and nothing has happened that it cannot recover from. */
  ready(): boolean {
    return this.phase === 'running' && !this.#unrecoverable
  }

  /** Whether it has to be restarted: an unrecoverable error was set. A shutdown is no reason. */
  live(): boolean {
    return !this.#unrecoverable
  }

  /** Something has failed for good: from now on it is neither ready nor live, so it is restarted. */
  setUnrecoverableError(error: Error): void {
    this.#unrecoverable ??= error
    this.#tellHealth()
  }

  /** What {@link setUnrecoverableError} was told first. */
  get unrecoverable(): Error | undefined {
    return this.#unrecoverable
  }

  /** How it stands, as plain data. */
  get state(): LifecycleState {
    const { deadline, budget } = this.#plan
    return {
      phase: this.phase,
      ready: this.ready(),
      reason: this.#course.reason,
      leftMs: deadline < 0 ? undefined : Math.max(0, deadline - this.clock.now()),
      unrecoverable: this.#unrecoverable,
      budget,
      hooks: [
        ...(this.#hooks.running ? [this.#hooks.running.entry] : []),
        ...this.#hooks.waiting,
      ].map(({ name, phase }) => ({ name, phase })),
      drainables: [...this.#drains.all].map(drainable => ({
        name: drainable.name,
        ...this.#drains.report(drainable),
      })),
      native: { signals: this.#source?.native === true, deadline: this.#guarded },
    }
  }

  /** Calls `listener` at each such event; what it answers takes the listener away again. */
  on<E extends keyof LifecycleEvents>(
    event: E,
    listener: (event: LifecycleEvents[E]) => void,
  ): () => void {
    return this.#listeners.add(event, listener)
  }

  /**
   * Registers what is to be done at the end. Groups run one after the other (http, workers, queues,
   * db, logs), within a group the last registered runs first. One that fails, or takes longer than it
   * may, skips none of the others.
   *
   * @throws OptionError for an option that is unknown or of a wrong type
   *
   * @example
   * ```ts
   * import { lifecycle } from 'seawall/lifecycle'
   *
   * declare const consumer: { stop(options: { signal: AbortSignal }): Promise<void> }
   * lifecycle().onShutdown('orders', ({ signal }) => consumer.stop({ signal }), {
   *   phase: 'queues',
   *   timeoutMs: 3000,
   * })
   * ```
   */
  onShutdown(name: string, fn: Hook, options: HookOptions = {}): Unregister {
    const fields = { phase: HOOK_PHASES, timeoutMs: 'number', order: 'number' } as const
    check('onShutdown', options, fields)
    check('onShutdown', { name, fn }, { name: 'string', fn: 'function' })
    if (options.timeoutMs !== undefined && options.timeoutMs < 0) {
      throw new OptionError(
        `onShutdown: \`timeoutMs\` must be a number of at least 0, got ${options.timeoutMs}`,
        'timeoutMs',
      )
    }
    const entry = this.#hooks.add(name, fn, options)
    this.#hooksChanged()
    return unregister(() => {
      if (this.#hooks.remove(entry)) this.#hooksChanged()
    })
  }

  /** The same as {@link onShutdown}. */
  addHook(name: string, fn: Hook, options: HookOptions = {}): Unregister {
    return this.onShutdown(name, fn, options)
  }

  /** Has something that serves brought to its end, such as a `ServerTracker`. */
  add(drainable: Drainable): Unregister {
    for (const key of ['beginDrain', 'close', 'force', 'report'] as const) {
      if (typeof drainable?.[key] === 'function') continue
      throw new OptionError(`lifecycle.add: \`${key}\` must be a function`, key)
    }
    this.#drains.add(drainable)
    return unregister(() => this.#drains.remove(drainable))
  }

  /** What was given to {@link add}. */
  get drainables(): readonly Drainable[] {
    return [...this.#drains.all]
  }

  /**
   * Has health checks, such as `HealthChecks` of `seawall/health`, told at once that the process is no
   * longer ready, and what {@link setUnrecoverableError} was told.
   *
   * @example
   * ```ts
   * import { HealthChecks, startProbeServer } from 'seawall/health'
   * import { lifecycle } from 'seawall/lifecycle'
   *
   * const checks = new HealthChecks()
   * await using probes = await startProbeServer({ port: 0, checks })
   * using registered = lifecycle().useHealth(checks)
   * ```
   */
  useHealth(checks: HealthLike): Unregister {
    this.#health.add(checks)
    if (this.phase !== 'running' || this.#unrecoverable) this.#tellOne(checks)
    return unregister(() => this.#health.delete(checks))
  }

  /**
   * Shuts down by hand; every call answers with the same promise. The process ends, so what waits for
   * it is usually never called; `exitCode` is what a {@link Lifecycle} with an `exit` of its own gets.
   */
  shutdown(reason = 'shutdown'): Promise<number> {
    this.#begin(reason, CAUSE.ASKED)
    return this.#course.end
  }

  #onSignal(meaning: Repeat, signal: string): void {
    this.#listeners.emit('signal', { signal, meaning })
    if (meaning === 'first') {
      this.#log('info', `${signal}: shutting down`)
      this.#course.begin(signal)
    } else if (meaning === 'hastened') {
      const { shortenedMs = 1000 } = this.#options
      this.#log('warn', `${signal} again: at most ${seconds(shortenedMs)} left`)
      this.#hooks.hasten()
      this.#course.step(EVENT.TIME)
    } else if (meaning === 'exit') {
      this.#course.step(EVENT.TIME)
    }
  }

  #fail(error: unknown, reason: string, neverServed: boolean): void {
    const wrapped = error instanceof Error ? error : new Error(textOf(error))
    if (neverServed) this.setUnrecoverableError(wrapped)
    this.#begin(reason, neverServed ? CAUSE.NEVER_SERVED : CAUSE.FAILURE)
  }

  #begin(reason: string, cause: number): void {
    if (this.#plan.begin(cause)) this.#course.begin(reason)
    else if (cause !== CAUSE.ASKED) this.#course.step(EVENT.FAILED)
  }

  #tellHealth(): void {
    for (const checks of this.#health) this.#tellOne(checks)
  }

  #tellOne(checks: HealthLike): void {
    call(() => checks.drain(), 'lifecycle: health')
    const error = this.#unrecoverable
    if (error) call(() => checks.setUnrecoverable?.(error), 'lifecycle: health')
  }

  #hooksChanged(): void {
    this.#plan.hooksChanged()
    if (!this.#started || this.#checking || this.phase !== 'running') return
    this.#checking = true
    // Once for all that are registered together.
    queueMicrotask(() => {
      this.#checking = false
      if (this.#started && this.phase === 'running') this.#checkBudget()
    })
  }

  #checkBudget(): void {
    const { budget } = this.#plan
    if (budget.shortMs <= this.#warned) return
    this.#warned = budget.shortMs
    this.#listeners.emit('budget', budget)
    const { delayMs, longestRequestMs, hooksMs, marginMs, graceMs, neededMs } = budget
    this.#log(
      'warn',
      `the shutdown may need ${seconds(neededMs)} (delay ${seconds(delayMs)}, longest request ` +
        `${seconds(longestRequestMs)}, hooks ${seconds(hooksMs)}, ${seconds(marginMs)} to spare), ` +
        `and the grace period is ${seconds(graceMs)}: what does not fit is cut short`,
    )
  }

  #log(level: 'info' | 'warn' | 'error', message: string): void {
    const { log } = this.#options
    if (log) call(() => log(level, message), 'lifecycle: log')
    else if (level !== 'info') print(message)
  }

  /**
   * Lets signals, deadline and failures be what they were before {@link start}. What is under way goes
   * on, without anybody who ends the process.
   */
  [Symbol.dispose](): void {
    this.#course.stop()
    this.#source?.stop()
    this.#death?.stop()
    this.#started = false
    this.#plan.free()
    const shared = sharedRegistry()
    if (shared.lifecycle !== this) return
    shared.started = false
    delete shared.shutdown
    delete shared.lifecycle
  }
}

function isShared(lifecycle: Lifecycle): boolean {
  return sharedRegistry().lifecycle === lifecycle
}

function unregister(undo: () => void): Unregister {
  return Object.assign(() => undo(), { [Symbol.dispose]: undo })
}

/**
 * The lifecycle of this process: one for all libraries, and all copies of this package, so that none
 * ends the process before the others are done. With options it is started, too.
 *
 * @example
 * ```ts
 * import { lifecycle } from 'seawall/lifecycle'
 *
 * declare const pool: { end(): Promise<void> }
 * const life = lifecycle({ graceMs: 30_000 })
 * life.onShutdown('pool', () => pool.end(), { phase: 'db' })
 * ```
 */
export function lifecycle(options?: LifecycleOptions): Lifecycle {
  const shared = sharedRegistry()
  shared.lifecycle ??= new Lifecycle()
  const life = shared.lifecycle as Lifecycle
  return options ? life.start(options) : life
}

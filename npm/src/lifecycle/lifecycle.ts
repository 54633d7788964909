/**
 * A process from its start to its end. When which phase begins, how long each step may take, what a
 * repeated signal means and the exit code are the engine's decisions; this file holds the timers, the
 * hooks and the words.
 */
import { type Clock, systemClock } from '../clock.js'
import { processEngine } from '../engine/process/index.js'
import type { ProcessEngine } from '../engine/process/types.js'
import { OptionError, optionProblem } from '../errors.js'
import { call, Listeners, report } from '../events.js'
import { check } from '../options.js'
import { startTimer } from '../timer.js'
import { activeResources, aliveNow, seconds } from './alive.js'
import { Death, print, textOf } from './death.js'
import { type Drainable, type DrainReport, Drains } from './drains.js'
import {
  HOOK_PHASES,
  type Hook,
  type HookEnd,
  type HookOptions,
  type HookPhase,
  Hooks,
} from './hooks.js'
import {
  checkLifecycle,
  type LifecycleHost,
  type LifecycleOptions,
  lifecycleNumbers,
} from './options.js'
import { sharedRegistry } from './registry.js'
import { isMainThread, isNode, type Native, type Repeat, SignalSource } from './signals.js'

/** `Phase` of `core/src/lifecycle/mod.rs`. */
const PHASES = ['running', 'notReady', 'draining', 'hooks', 'done', 'forced'] as const

/** How far a process is on its way to the end. */
export type LifecyclePhase = (typeof PHASES)[number]

/** `Event` and `Cause` of the same file. */
const [TIME, DRAINED, HOOKS_ENDED, CUT, HOOK_FAILED, FAILED] = [0, 1, 2, 3, 4, 5]
const [ASKED, FAILURE, NEVER_SERVED] = [0, 1, 2]

/** How often, at most, it is told anew what is alive, in ms. */
const TICK_MS = 250
/** How long stdout and stderr may take to be written, in ms. */
const FLUSH_MS = 100

/** What a lifecycle tells its listeners. */
export interface LifecycleEvents {
  /** Each phase, once; also as an event of its own name. */
  phase: PhaseEvent
  notReady: PhaseEvent
  draining: PhaseEvent
  hooks: PhaseEvent
  done: PhaseEvent
  forced: PhaseEvent
  /** A signal, and what it means. */
  signal: { signal: string; meaning: Repeat }
  /** A hook has ended. */
  hook: HookEnd
  /** Requests of a drainable were cut off, as time was up. */
  cut: { name: string; inFlight: DrainReport['inFlight'] }
  /** The steps do not fit into the grace period. */
  budget: ShutdownBudget
  /** The last before the process ends. */
  exit: { code: number }
}

/** A phase has begun. */
export interface PhaseEvent {
  phase: LifecyclePhase
  /** Why the process ends: the name of a signal, or what was said to `shutdown()`. */
  reason: string
  /** How much is left until the deadline, in ms. */
  leftMs: number
}

/** What a shutdown needs at most, in ms, and what it is given. */
export interface ShutdownBudget {
  /** The drain delay, or what `preStop` takes if that is longer. */
  delayMs: number
  longestRequestMs: number
  hooksMs: number
  marginMs: number
  graceMs: number
  /** The sum of all but `graceMs`. */
  neededMs: number
  /** By how much `graceMs` is too short; 0 if it is long enough. */
  shortMs: number
}

/** How a lifecycle stands, as plain data. */
export interface LifecycleState {
  phase: LifecyclePhase
  ready: boolean
  /** Why the process ends; `undefined` while it runs. */
  reason: string | undefined
  /** How much is left until the deadline, in ms; `undefined` while it runs. */
  leftMs: number | undefined
  /** What can never get well again, see {@link Lifecycle.setUnrecoverableError}. */
  unrecoverable: Error | undefined
  budget: ShutdownBudget
  /** The hooks that have not ended, in the order in which they run. */
  hooks: { name: string; phase: HookPhase }[]
  drainables: ({ name: string } & DrainReport)[]
  /** Whether threads keep the deadline and hear signals even while JavaScript is blocked. */
  native: Native
}

/** What is told that the process is no longer ready, and that it cannot recover. */
export interface HealthLike {
  drain(): unknown
  setUnrecoverable?: ((error: Error) => unknown) | undefined
}

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
  #onExit: ((code: number) => void) | undefined
  readonly #host: LifecycleHost
  readonly #end = Promise.withResolvers<number>()
  /** @internal */
  readonly clock: Clock
  #options: LifecycleOptions = {}
  #engine: ProcessEngine | undefined
  #handle = -1
  #started = false
  #deadline = false
  #source: SignalSource | undefined
  #death: Death | undefined
  #phase: LifecyclePhase = 'running'
  #reason: string | undefined
  #unrecoverable: Error | undefined
  #settled = false
  #ended = false
  #stopTimer: (() => void) | undefined
  #checking = false
  #warned = 0

  /** One of its own, for tests; a service wants {@link lifecycle}. */
  constructor(host: LifecycleHost = {}) {
    check('Lifecycle', host, { clock: 'object', exit: 'function' })
    this.#host = host
    this.clock = host.clock ?? systemClock
  }

  /**
   * From now on signals, and what nobody catches, shut the process down. Warns if the steps do not
   * fit into the grace period.
   *
   * Called again, by another library, it adds its signals; the other options stay those of the first.
   *
   * @throws OptionError for an option that is unknown, of a wrong type or out of range
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
    if (this.#started) return this.#startAgain(options)
    this.#make(options)
    const native = isNode() && isMainThread() && this.clock === systemClock && !this.#host.exit
    const core = this.#engine as ProcessEngine
    const now = (): number => this.clock.now()
    this.#deadline = native && core.lifecycleGuard?.(this.#handle, now()) === true
    this.#source = new SignalSource(core, this.#handle, now, (repeat, signal) =>
      this.#onSignal(repeat, signal),
    )
    try {
      this.#source.listen(options.signals ?? ['SIGTERM', 'SIGINT'], this.#deadline)
    } catch (error) {
      core.lifecycleRelease?.(this.#handle)
      this.#source = undefined
      throw error
    }
    this.#started = true
    this.#death = new Death(
      {
        clock: this.clock,
        fail: (error, reason, neverServed) => this.#fail(error, reason, neverServed),
        exit: () => this.#exit(1),
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
      this.#source?.listen(all, this.#deadline)
      this.#options = { ...this.#options, signals: all }
    }
    if (health) this.useHealth(health)
    return this
  }

  /** The engine's part; a shutdown without a start has the defaults. */
  #make(options: LifecycleOptions): ProcessEngine {
    const core = processEngine()
    const handle = core.lifecycleNew(lifecycleNumbers(options))
    if (handle < 0) throw optionProblem('lifecycle', options, core)
    if (this.#handle >= 0) core.lifecycleFree(this.#handle)
    this.#engine = core
    this.#handle = handle
    this.#options = options
    core.lifecycleHooks(handle, this.#hooks.neededMs)
    return core
  }

  get #core(): ProcessEngine {
    return this.#engine ?? this.#make(this.#options)
  }

  /** Whether {@link start} has been called. */
  get started(): boolean {
    return this.#started
  }

  /** How far the process is. */
  get phase(): LifecyclePhase {
    return this.#phase
  }

  /** Whether requests may be sent here: it runs, and nothing has happened that it cannot recover from. */
  ready(): boolean {
    return this.#phase === 'running' && !this.#unrecoverable
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
    const deadline = this.#time(0)
    return {
      phase: this.#phase,
      ready: this.ready(),
      reason: this.#reason,
      leftMs: deadline < 0 ? undefined : Math.max(0, deadline - this.clock.now()),
      unrecoverable: this.#unrecoverable,
      budget: this.#budget(),
      hooks: [
        ...(this.#hooks.running ? [this.#hooks.running.entry] : []),
        ...this.#hooks.waiting,
      ].map(({ name, phase }) => ({ name, phase })),
      drainables: [...this.#drains.all].map(drainable => ({
        name: drainable.name,
        ...this.#drains.report(drainable),
      })),
      native: { signals: this.#source?.native === true, deadline: this.#deadline },
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
    if (this.#phase !== 'running' || this.#unrecoverable) this.#tellOne(checks)
    return unregister(() => this.#health.delete(checks))
  }

  /**
   * Shuts down by hand; every call answers with the same promise. The process ends, so what waits for
   * it is usually never called; `exitCode` is what a {@link Lifecycle} with an `exit` of its own gets.
   */
  shutdown(reason = 'shutdown'): Promise<number> {
    this.#begin(reason, ASKED)
    return this.#end.promise
  }

  #onSignal(meaning: Repeat, signal: string): void {
    this.#listeners.emit('signal', { signal, meaning })
    if (meaning === 'first') {
      this.#log('info', `${signal}: shutting down`)
      this.#begun(signal)
    } else if (meaning === 'hastened') {
      const { shortenedMs = 1000 } = this.#options
      this.#log('warn', `${signal} again: at most ${seconds(shortenedMs)} left`)
      this.#hooks.hasten()
      this.#step(TIME)
    } else if (meaning === 'exit') {
      this.#step(TIME)
    }
  }

  #fail(error: unknown, reason: string, neverServed: boolean): void {
    const wrapped = error instanceof Error ? error : new Error(textOf(error))
    if (neverServed) this.setUnrecoverableError(wrapped)
    this.#begin(reason, neverServed ? NEVER_SERVED : FAILURE)
  }

  #begin(reason: string, cause: number): void {
    const began = this.#core.lifecycleBegin(this.#handle, this.clock.now(), cause)
    if (began > 0) this.#begun(reason)
    else if (cause !== ASKED) this.#step(FAILED)
  }

  #begun(reason: string): void {
    if (this.#reason !== undefined) return
    this.#reason = reason
    this.#watchExit()
    this.#enter('notReady')
    this.#tellHealth()
    const [readyUntil, drainUntil] = [this.#time(1), this.#time(2)]
    const now = this.clock.now()
    this.#drains.begin(Math.max(0, (readyUntil > now ? readyUntil : drainUntil) - now))
    this.#tick()
    // Others hear the same signal in this turn of the loop, or the next.
    void turns(2).then(() => {
      this.#settled = true
      this.#step(TIME)
    })
  }

  #tellHealth(): void {
    for (const checks of this.#health) this.#tellOne(checks)
  }

  #tellOne(checks: HealthLike): void {
    call(() => checks.drain(), 'lifecycle: health')
    const error = this.#unrecoverable
    if (error) call(() => checks.setUnrecoverable?.(error), 'lifecycle: health')
  }

  /** Somebody else may end the process before this is done, such as a listener of the same signal. */
  #watchExit(): void {
    if (this.#host.exit || this.clock !== systemClock) return
    this.#onExit = code => {
      if (this.#ended) return
      const alive = aliveNow(this.#hooks, this.#drains, true, this.clock.now())
      const left =
        alive.length > 0 ? `; not finished: ${alive.map(({ what }) => what).join(', ')}` : ''
      this.#log(
        'error',
        `process.exit() was called in phase '${this.#phase}': ends with exit code ${code}${left}`,
      )
    }
    globalThis.process?.on?.('exit', this.#onExit)
  }

  /** Takes an event, and goes as far as the engine says. */
  #step(event: number): void {
    if (this.#ended || this.#handle < 0) return
    let next = event
    // Until the listeners of the signal have all been called, only the deadline counts.
    while (this.#settled || next !== TIME || this.#isDue()) {
      const number = this.#core.lifecycleAdvance(this.#handle, this.clock.now(), next)
      const phase = PHASES[number] ?? 'forced'
      next = TIME
      if (phase === this.#phase) break
      this.#enter(phase)
    }
    this.#tick()
  }

  #isDue(): boolean {
    return this.clock.now() >= this.#time(0)
  }

  #enter(phase: LifecyclePhase): void {
    this.#phase = phase
    const leftMs = Math.max(0, this.#time(0) - this.clock.now())
    const event = { phase, reason: this.#reason ?? '', leftMs }
    this.#listeners.emit('phase', event)
    if (phase !== 'running') this.#listeners.emit(phase, event)
    if (phase === 'draining') this.#drains.close(() => queueMicrotask(() => this.#step(DRAINED)))
    else if (phase === 'hooks') void this.#runHooks()
    else if (phase === 'done') void this.#finish()
    else if (phase === 'forced') this.#forced()
  }

  async #runHooks(): Promise<void> {
    this.#cutOff()
    if (isShared(this)) {
      for (const member of sharedRegistry().members) {
        const { name, phase, timeoutMs } = member
        this.#hooks.add(name, ({ reason }) => member.run(reason), { phase, timeoutMs })
      }
    }
    for (;;) {
      const end = await this.#hooks.next(this.#reason ?? '', this.clock, (entry, later) => {
        const limits = later.map(({ timeoutMs }) => timeoutMs).filter(ms => ms !== undefined)
        const sum = limits.reduce((a, b) => a + b, 0)
        const open = later.length - limits.length
        const now = this.clock.now()
        // Now, as it may block.
        this.#tell()
        return this.#core.lifecycleHookLimit(
          this.#handle,
          now,
          entry.timeoutMs ?? Number.NaN,
          sum,
          open,
        )
      })
      if (this.#ended || !end) break
      if (end.error !== undefined) {
        this.#log('error', `hook '${end.name}' of ${end.phase} failed: ${textOf(end.error)}`)
        this.#step(HOOK_FAILED)
      }
      this.#listeners.emit('hook', end)
      this.#tell()
    }
    await this.#death?.reported
    this.#step(HOOKS_ENDED)
  }

  /** Whoever has not finished by now is cut off. */
  #cutOff(): void {
    for (const { name, inFlight } of this.#drains.force()) {
      if (inFlight.length === 0) continue
      this.#listeners.emit('cut', { name, inFlight })
      for (const { what, ageMs } of inFlight) {
        this.#log('warn', `cut off after ${seconds(ageMs)}: ${what} (${name})`)
      }
      this.#step(CUT)
    }
    for (const { name, error } of this.#drains.failed) {
      this.#log('error', `'${name}' did not close: ${textOf(error)}`)
      this.#step(HOOK_FAILED)
    }
  }

  async #finish(): Promise<void> {
    const code = this.#core.lifecycleExitCode(this.#handle)
    this.#log('info', `done, exit code ${code}`)
    await flushed(this.clock)
    this.#exit(code)
  }

  #forced(): void {
    const code = this.#core.lifecycleExitCode(this.#handle)
    const now = this.clock.now()
    const why = code > 128 ? 'a third signal has come' : 'the deadline has come'
    this.#log('error', `${why}: ends with exit code ${code}`)
    for (const { what, since } of aliveNow(this.#hooks, this.#drains, true, now)) {
      this.#log('error', `alive: ${what}, for ${seconds(now - since)}`)
    }
    const resources = activeResources()
    if (resources) this.#log('error', `active resources: ${resources}`)
    this.#exit(code)
  }

  #exit(code: number): void {
    if (this.#ended) return
    this.#ended = true
    this.#stopTimer?.()
    this.#listeners.emit('exit', { code })
    this.#end.resolve(code)
    const exit = this.#host.exit ?? ((code: number) => globalThis.process?.exit(code))
    exit(code)
  }

  /** The timer that leads on, and keeps the process alive while it ends; it tells what is alive. */
  #tick(): void {
    this.#stopTimer?.()
    if (this.#ended || this.#phase === 'running' || this.#phase === 'done') return
    this.#tell()
    const due = this.#core.lifecycleDue(this.#handle)
    if (due < 0) return
    // Runtimes cut fractions off, which would fire early.
    const wait = Math.max(0, Math.ceil(due - this.clock.now()))
    this.#stopTimer = startTimer(this.clock, Math.min(wait, TICK_MS), () => this.#step(TIME))
  }

  /** Lets the thread that keeps the deadline know what it would have to report. */
  #tell(): void {
    if (!this.#deadline) return
    const now = this.clock.now()
    const inHooks = this.#phase === 'hooks'
    const alive = aliveNow(this.#hooks, this.#drains, inHooks, now)
    const resources = activeResources()
    this.#core.lifecycleAlive?.(
      now,
      alive.map(({ what }) => what),
      Float64Array.from(alive, ({ since }) => since),
      resources && `active resources: ${resources}`,
    )
  }

  #hooksChanged(): void {
    if (!this.#engine) return
    this.#engine.lifecycleHooks(this.#handle, this.#hooks.neededMs)
    if (!this.#started || this.#checking || this.#phase !== 'running') return
    this.#checking = true
    // Once for all that are registered together.
    queueMicrotask(() => {
      this.#checking = false
      if (this.#started && this.#phase === 'running') this.#checkBudget()
    })
  }

  #time(which: number): number {
    return this.#core.lifecycleTime(this.#handle, which)
  }

  #budget(): ShutdownBudget {
    return {
      delayMs: this.#time(3),
      longestRequestMs: this.#time(4),
      hooksMs: this.#time(5),
      marginMs: this.#time(6),
      graceMs: this.#time(7),
      neededMs: this.#time(8),
      shortMs: this.#time(9),
    }
  }

  #checkBudget(): void {
    const budget = this.#budget()
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
    this.#stopTimer?.()
    this.#ended = true
    if (this.#onExit) globalThis.process?.off?.('exit', this.#onExit)
    this.#source?.stop()
    this.#death?.stop()
    this.#started = false
    if (this.#engine) {
      this.#engine.lifecycleRelease?.(this.#handle)
      this.#engine.lifecycleFree(this.#handle)
      this.#handle = -1
    }
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

/** Lets the event loop go round. */
async function turns(count: number): Promise<void> {
  const { setImmediate } = globalThis as { setImmediate?: (fn: () => void) => void }
  for (let i = 0; i < count; i++) {
    await new Promise<void>(resolve => (setImmediate ?? setTimeout)(() => resolve()))
  }
}

/** Resolves when stdout and stderr are written, or are not read fast enough. */
function flushed(clock: Clock): Promise<unknown> {
  const { stdout, stderr } = globalThis.process ?? {}
  const waiting = [stdout, stderr].filter(stream => (stream?.writableLength ?? 0) > 0)
  if (waiting.length === 0) return Promise.resolve()
  const all = waiting.map(stream => new Promise(resolve => stream?.write('', resolve)))
  return Promise.race([
    Promise.all(all),
    new Promise<void>(resolve => startTimer(clock, FLUSH_MS, resolve)),
  ])
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

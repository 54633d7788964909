/** The way of a process from the first word of its end to the last: timers, hooks and words. */
import { type Clock, systemClock } from '../clock.js'
import type { Listeners } from '../events.js'
import { startTimer } from '../timer.js'
import { activeResources, aliveNow, seconds } from './alive.js'
import { textOf } from './death.js'
import type { Drains } from './drains.js'
import type { Hooks } from './hooks.js'
import type { LifecycleHost } from './options.js'
import { EVENT, type Plan } from './plan.js'
import { sharedRegistry } from './registry.js'
import type { LifecycleEvents, LifecyclePhase } from './state.js'

/** How often, at most, it is told anew what is alive, in ms. */
const TICK_MS = 250
/** How long stdout and stderr may take to be written, in ms. */
const FLUSH_MS = 100

/** What of a lifecycle its course stands on. */
export interface Traveller {
  readonly clock: Clock
  readonly host: LifecycleHost
  readonly plan: Plan
  readonly hooks: Hooks
  readonly drains: Drains
  readonly listeners: Listeners<LifecycleEvents>
  /** Whether a thread keeps the deadline. */
  guarded(): boolean
  /** Whether it is the one of the process, which others have joined. */
  isShared(): boolean
  /** Resolves when what killed the process is reported. */
  reported(): Promise<unknown> | undefined
  /** It is no longer ready. */
  leave(): void
  log(level: 'info' | 'warn' | 'error', message: string): void
}

/** One course; it begins at most once. */
export class Course {
  readonly #of: Traveller
  readonly #end = Promise.withResolvers<number>()
  #phase: LifecyclePhase = 'running'
  #reason: string | undefined
  #settled = false
  #ended = false
  #stopTimer: (() => void) | undefined
  #onExit: ((code: number) => void) | undefined

  constructor(traveller: Traveller) {
    this.#of = traveller
  }

  get phase(): LifecyclePhase {
    return this.#phase
  }

  get reason(): string | undefined {
    return this.#reason
  }

  /** Resolves with the exit code, where somebody else ends the process. */
  get end(): Promise<number> {
    return this.#end.promise
  }

  /** It has begun, as the engine says. */
  begin(reason: string): void {
    if (this.#reason !== undefined) return
    const { plan, drains, clock } = this.#of
    this.#reason = reason
    this.#watchExit()
    this.#enter('notReady')
    this.#of.leave()
    const { readyUntil, drainUntil } = plan
    const now = clock.now()
    drains.begin(Math.max(0, (readyUntil > now ? readyUntil : drainUntil) - now))
    this.#tick()
    // Others hear the same signal in this turn of the loop, or the next.
    void turns(2).then(() => {
      this.#settled = true
      this.step(EVENT.TIME)
    })
  }

  /** Takes an event, and goes as far as the engine says. */
  step(event: number): void {
    const { plan, clock } = this.#of
    if (this.#ended || plan.gone) return
    let next = event
    // Until the listeners of the signal have all been called, only the deadline counts.
    while (this.#settled || next !== EVENT.TIME || clock.now() >= plan.deadline) {
      const phase = plan.advance(next)
      next = EVENT.TIME
      if (phase === this.#phase) break
      this.#enter(phase)
    }
    this.#tick()
  }

  /** Ends the process, or has the host end it. */
  exit(code: number): void {
    if (this.#ended) return
    this.#ended = true
    this.#stopTimer?.()
    this.#of.listeners.emit('exit', { code })
    this.#end.resolve(code)
    const exit = this.#of.host.exit ?? ((code: number) => globalThis.process?.exit(code))
    exit(code)
  }

  /** Goes no further. */
  stop(): void {
    this.#stopTimer?.()
    this.#ended = true
    if (this.#onExit) globalThis.process?.off?.('exit', this.#onExit)
  }

  #enter(phase: LifecyclePhase): void {
    this.#phase = phase
    const { plan, clock, listeners, drains } = this.#of
    const leftMs = Math.max(0, plan.deadline - clock.now())
    const event = { phase, reason: this.#reason ?? '', leftMs }
    listeners.emit('phase', event)
    if (phase !== 'running') listeners.emit(phase, event)
    if (phase === 'draining') drains.close(() => queueMicrotask(() => this.step(EVENT.DRAINED)))
    else if (phase === 'hooks') void this.#runHooks()
    else if (phase === 'done') void this.#finish()
    else if (phase === 'forced') this.#forced()
  }

  async #runHooks(): Promise<void> {
    const { hooks, plan, clock, listeners } = this.#of
    this.#cutOff()
    if (this.#of.isShared()) {
      for (const member of sharedRegistry().members) {
        const { name, phase, timeoutMs } = member
        hooks.add(name, ({ reason }) => member.run(reason), { phase, timeoutMs })
      }
    }
    for (;;) {
      const end = await hooks.next(this.#reason ?? '', clock, (entry, later) => {
        // Now, as it may block.
        this.#tell()
        return plan.hookLimit(entry, later)
      })
      if (this.#ended || !end) break
      if (end.error !== undefined) {
        this.#of.log('error', `hook '${end.name}' of ${end.phase} failed: ${textOf(end.error)}`)
        this.step(EVENT.HOOK_FAILED)
      }
      listeners.emit('hook', end)
      this.#tell()
    }
    await this.#of.reported()
    this.step(EVENT.HOOKS_ENDED)
  }

  /** Whoever has not finished by now is cut off. */
  #cutOff(): void {
    const { drains, listeners } = this.#of
    for (const { name, inFlight } of drains.force()) {
      if (inFlight.length === 0) continue
      listeners.emit('cut', { name, inFlight })
      for (const { what, ageMs } of inFlight) {
        this.#of.log('warn', `cut off after ${seconds(ageMs)}: ${what} (${name})`)
      }
      this.step(EVENT.CUT)
    }
    for (const { name, error } of drains.failed) {
      this.#of.log('error', `'${name}' did not close: ${textOf(error)}`)
      this.step(EVENT.HOOK_FAILED)
    }
  }

  async #finish(): Promise<void> {
    const code = this.#of.plan.exitCode
    this.#of.log('info', `done, exit code ${code}`)
    await flushed(this.#of.clock)
    this.exit(code)
  }

  #forced(): void {
    const code = this.#of.plan.exitCode
    const now = this.#of.clock.now()
    const why = code > 128 ? 'a third signal has come' : 'the deadline has come'
    this.#of.log('error', `${why}: ends with exit code ${code}`)
    for (const { what, since } of this.#alive(true, now)) {
      this.#of.log('error', `alive: ${what}, for ${seconds(now - since)}`)
    }
    const resources = activeResources()
    if (resources) this.#of.log('error', `active resources: ${resources}`)
    this.exit(code)
  }

  /** The timer that leads on, and keeps the process alive while it ends; it tells what is alive. */
  #tick(): void {
    this.#stopTimer?.()
    if (this.#ended || this.#phase === 'running' || this.#phase === 'done') return
    this.#tell()
    const { plan, clock } = this.#of
    const { due } = plan
    if (due === undefined) return
    // Runtimes cut fractions off, which would fire early.
    const wait = Math.max(0, Math.ceil(due - clock.now()))
    this.#stopTimer = startTimer(clock, Math.min(wait, TICK_MS), () => this.step(EVENT.TIME))
  }

  #tell(): void {
    if (!this.#of.guarded()) return
    const resources = activeResources()
    const alive = this.#alive(this.#phase === 'hooks', this.#of.clock.now())
    this.#of.plan.tell(alive, resources && `active resources: ${resources}`)
  }

  #alive(inHooks: boolean, now: number): ReturnType<typeof aliveNow> {
    return aliveNow(this.#of.hooks, this.#of.drains, inHooks, now)
  }

  /** Somebody else may end the process before this is done, such as a listener of the same signal. */
  #watchExit(): void {
    if (this.#of.host.exit || this.#of.clock !== systemClock) return
    this.#onExit = code => {
      if (this.#ended) return
      const alive = this.#alive(true, this.#of.clock.now())
      const left =
        alive.length > 0 ? `; not finished: ${alive.map(({ what }) => what).join(', ')}` : ''
      this.#of.log(
        'error',
        `process.exit() was called in phase '${this.#phase}': ends with exit code ${code}${left}`,
      )
    }
    globalThis.process?.on?.('exit', this.#onExit)
  }
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

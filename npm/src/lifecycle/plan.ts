/**
 * What the engine decides about one lifecycle: when which phase begins, how long each step may take,
 * and the exit code. The numbers are those of `core/src/lifecycle/mod.rs`.
 */
import type { Clock } from '../clock.js'
import { processEngine } from '../engine/process/index.js'
import type { ProcessEngine } from '../engine/process/types.js'
import { optionProblem } from '../errors.js'
import type { Alive } from './alive.js'
import type { Entry } from './hooks.js'
import { type LifecycleOptions, lifecycleNumbers } from './options.js'
import { type LifecyclePhase, PHASES, type ShutdownBudget } from './state.js'

/** What happened. */
export const EVENT = {
  TIME: 0,
  DRAINED: 1,
  HOOKS_ENDED: 2,
  CUT: 3,
  HOOK_FAILED: 4,
  FAILED: 5,
} as const

/** Why a process ends. */
export const CAUSE = { ASKED: 0, FAILURE: 1, NEVER_SERVED: 2 } as const

/** One lifecycle of the engine, made when it is first needed. */
export class Plan {
  readonly #clock: Clock
  readonly #hooksMs: () => number
  #engine: ProcessEngine | undefined
  #handle = -1
  #gone = false
  #options: LifecycleOptions = {}

  /** @param hooksMs - what the hooks say that they need */
  constructor(clock: Clock, hooksMs: () => number) {
    this.#clock = clock
    this.#hooksMs = hooksMs
  }

  /** As the options say; one that was made before, with defaults, is given back. */
  make(options: LifecycleOptions): ProcessEngine {
    const core = processEngine()
    const handle = core.lifecycleNew(lifecycleNumbers(options))
    if (handle < 0) throw optionProblem('lifecycle', options, core)
    if (this.#handle >= 0) core.lifecycleFree(this.#handle)
    this.#engine = core
    this.#handle = handle
    this.#options = options
    core.lifecycleHooks(handle, this.#hooksMs())
    return core
  }

  /** The engine; a shutdown without a start has the defaults. */
  get core(): ProcessEngine {
    return this.#engine ?? this.make(this.#options)
  }

  get handle(): number {
    return this.#handle
  }

  /** Whether it was given back. */
  get gone(): boolean {
    return this.#gone
  }

  /** Has a thread keep the deadline; false where there is none. */
  guard(): boolean {
    return this.core.lifecycleGuard?.(this.#handle, this.#clock.now()) === true
  }

  /** Begins the end for a `CAUSE`; false if it had begun. */
  begin(cause: number): boolean {
    return this.core.lifecycleBegin(this.#handle, this.#clock.now(), cause) > 0
  }

  /** Takes an `EVENT`; the next phase at most. */
  advance(event: number): LifecyclePhase {
    const number = this.core.lifecycleAdvance(this.#handle, this.#clock.now(), event)
    return PHASES[number] ?? 'forced'
  }

  /** When the phase changes by time alone; `undefined` if never. */
  get due(): number | undefined {
    const due = this.core.lifecycleDue(this.#handle)
    return due < 0 ? undefined : due
  }

  /** When the process is gone; below 0 while it runs. */
  get deadline(): number {
    return this.#time(0)
  }

  /** Until when it takes requests although it is not ready; below 0 while it runs. */
  get readyUntil(): number {
    return this.#time(1)
  }

  /** Until when requests may finish; below 0 while it runs. */
  get drainUntil(): number {
    return this.#time(2)
  }

  get exitCode(): number {
    return this.core.lifecycleExitCode(this.#handle)
  }

  get budget(): ShutdownBudget {
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

  /** The hooks, and so what they need, are not what they were. */
  hooksChanged(): void {
    this.#engine?.lifecycleHooks(this.#handle, this.#hooksMs())
  }

  /** How long a hook may take, in ms, before those that are to run `later`. */
  hookLimit(entry: Entry, later: Entry[]): number {
    const limits = later.map(({ timeoutMs }) => timeoutMs).filter(ms => ms !== undefined)
    const sum = limits.reduce((a, b) => a + b, 0)
    const open = later.length - limits.length
    const own = entry.timeoutMs ?? Number.NaN
    return this.core.lifecycleHookLimit(this.#handle, this.#clock.now(), own, sum, open)
  }

  /** Lets the thread that keeps the deadline know what it would have to report. */
  tell(alive: Alive[], note: string): void {
    const what = alive.map(each => each.what)
    const since = Float64Array.from(alive, each => each.since)
    this.core.lifecycleAlive?.(this.#clock.now(), what, since, note)
  }

  /** Nobody keeps the deadline any more. */
  release(): void {
    this.#engine?.lifecycleRelease?.(this.#handle)
  }

  /** Gives the engine's part back. */
  free(): void {
    this.#gone = true
    if (!this.#engine) return
    this.release()
    this.#engine.lifecycleFree(this.#handle)
    this.#handle = -1
  }

  #time(which: number): number {
    return this.core.lifecycleTime(this.#handle, which)
  }
}

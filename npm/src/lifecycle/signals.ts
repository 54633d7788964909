/** How signals come in: through the engine's thread where there is one, else as events of `process`. */
import type { ProcessEngine } from '../engine/process/types.js'
import { signalNumbers } from './options.js'

/** What a signal is: `Repeat` of `core/src/lifecycle/signals.rs`. */
export const REPEATS = ['first', 'ignored', 'hastened', 'exit'] as const

/** What a signal means: it begins the shutdown, is ignored, hastens it, or ends it at once. */
export type Repeat = (typeof REPEATS)[number]

type Caught = (repeat: Repeat, signal: string) => void

/** Whether signals and deadlines are kept by threads of the engine. */
export interface Native {
  signals: boolean
  deadline: boolean
}

/** The signals of a process that a lifecycle hears. */
export class SignalSource {
  readonly #engine: ProcessEngine
  readonly #handle: number
  readonly #now: () => number
  readonly #caught: Caught
  #listeners = new Map<string, () => void>()
  #native = false

  constructor(engine: ProcessEngine, handle: number, now: () => number, caught: Caught) {
    this.#engine = engine
    this.#handle = handle
    this.#now = now
    this.#caught = caught
  }

  get native(): boolean {
    return this.#native
  }

  /** Hears these signals, and no others, from now on. @throws what `process.on` throws */
  listen(signals: readonly string[], native: boolean): void {
    const numbers = signalNumbers()
    const names = new Map(signals.map(name => [numbers[name] ?? 0, name]))
    const told = (repeat: number, number: number): void =>
      this.#caught(REPEATS[repeat] ?? 'first', names.get(number) ?? `signal ${number}`)
    this.#native = native && this.#engine.lifecycleCatch?.([...names.keys()], told) === true
    const former = this.#listeners
    this.#listeners = new Map()
    if (!this.#native) {
      for (const [number, name] of names) {
        const listener = (): void =>
          told(this.#engine.lifecycleSignal(this.#handle, this.#now(), number), number)
        globalThis.process?.on?.(name as NodeJS.Signals, listener)
        this.#listeners.set(name, listener)
      }
    }
    for (const [name, listener] of former) globalThis.process?.off?.(name, listener)
  }

  /** Hears none any more; what the engine's thread hears ends with its guard. */
  stop(): void {
    for (const [name, listener] of this.#listeners) globalThis.process?.off?.(name, listener)
    this.#listeners.clear()
  }
}

/** Whether the threads of the engine can be used: Bun and Deno have the addon's door, but no libuv. */
export function isNode(): boolean {
  const { versions } = globalThis.process ?? {}
  return versions?.uv !== undefined && versions.bun === undefined && versions.deno === undefined
}

/** Whether this is the thread that the process's signals and its end belong to. */
export function isMainThread(): boolean {
  const threads = globalThis.process?.getBuiltinModule?.('node:worker_threads')
  return threads?.isMainThread !== false
}

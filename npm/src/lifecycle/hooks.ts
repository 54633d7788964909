/** What is to be closed at the end of a process, and in which order. */
import type { Clock } from '../clock.js'
import { TimeoutError } from '../errors.js'
import { startTimer } from '../timer.js'

/** The groups of hooks, in the order in which they run: what depends on another goes before it. */
export const HOOK_PHASES = ['http', 'workers', 'queues', 'db', 'logs'] as const

/** A group of hooks. */
export type HookPhase = (typeof HOOK_PHASES)[number]

/** Where a hook stands, and how long it may take. */
export interface HookOptions {
  /** Its group. Default `'workers'`. */
  phase?: HookPhase | undefined
  /**
   * How long it may take, in ms. After that its signal is aborted and the next one runs. Default
   * the `hooksMs` of the lifecycle. If all of them together would not fit into what is left, each
   * gets less, in proportion.
   */
  timeoutMs?: number | undefined
  /** Within a group, lower runs first. Default 0; among equals the last registered runs first. */
  order?: number | undefined
}

/** What a hook is told. */
export interface HookContext {
  /** Aborted when its time is up. */
  readonly signal: AbortSignal
  /** Why the process ends: the name of the signal, or what was said to `shutdown()`. */
  readonly reason: string
  /** How long it may take, in ms. */
  readonly timeoutMs: number
}

/** What is called at the end of a process. */
export type Hook = (context: HookContext) => unknown

/** How a hook ended. */
export interface HookEnd {
  name: string
  phase: HookPhase
  ms: number
  /** What it failed with; a `TimeoutError` if its time was up. */
  error?: unknown
}

/** A registered hook. */
export interface Entry {
  readonly name: string
  readonly fn: Hook
  readonly phase: HookPhase
  readonly timeoutMs: number | undefined
  readonly order: number
  readonly index: number
}

/** The hooks of a process. */
export class Hooks {
  readonly #entries = new Set<Entry>()
  #index = 0
  #running: { entry: Entry; since: number } | undefined
  #hasten: (() => void) | undefined

  add(name: string, fn: Hook, options: HookOptions = {}): Entry {
    const { phase = 'workers', timeoutMs, order = 0 } = options
    const entry = { name, fn, phase, timeoutMs, order, index: this.#index++ }
    this.#entries.add(entry)
    return entry
  }

  remove(entry: Entry): boolean {
    return this.#entries.delete(entry)
  }

  get size(): number {
    return this.#entries.size
  }

  /** The hook that is running now, and since when. */
  get running(): { entry: Entry; since: number } | undefined {
    return this.#running
  }

  /** Those that have not run, in the order in which they will. */
  get waiting(): Entry[] {
    return [...this.#entries].sort(
      (a, b) =>
        HOOK_PHASES.indexOf(a.phase) - HOOK_PHASES.indexOf(b.phase) ||
        a.order - b.order ||
        b.index - a.index,
    )
  }

  /** What all of them need, as far as they said so. */
  get neededMs(): number {
    let sum = 0
    for (const { timeoutMs } of this.#entries) sum += timeoutMs ?? 0
    return sum
  }

  /**
   * Runs the next one, if there is one. One that is added meanwhile to a group that is yet to come,
   * or that is running, still has its turn.
   */
  async next(
    reason: string,
    clock: Clock,
    limit: (entry: Entry, later: Entry[]) => number,
  ): Promise<HookEnd | undefined> {
    const [entry, ...later] = this.waiting
    if (!entry) return undefined
    this.#entries.delete(entry)
    const { name, phase } = entry
    const since = clock.now()
    this.#running = { entry, since }
    const timeoutMs = limit(entry, later)
    const failure = await runWithin(entry.fn, reason, timeoutMs, clock, shorten => {
      this.#hasten = () => shorten(limit(entry, this.waiting))
    })
    this.#running = undefined
    this.#hasten = undefined
    const ms = clock.now() - since
    if (!failure) return { name, phase, ms }
    // `undefined` would be no failure.
    const { error = new Error('it failed with undefined') } = failure
    return { name, phase, ms, error }
  }

  /** Less is left than there was: the hook that is running gets its share of that, as those after it. */
  hasten(): void {
    this.#hasten?.()
  }
}

/**
 * A hook, for as long as it may take; what it throws afterwards is nobody's business any more. `begun`
 * gets what gives it less time, counted from then on.
 */
async function runWithin(
  fn: Hook,
  reason: string,
  timeoutMs: number,
  clock: Clock,
  begun: (shorten: (leftMs: number) => void) => void,
): Promise<{ error: unknown } | undefined> {
  const controller = new AbortController()
  const late = Promise.withResolvers<{ error: unknown }>()
  const since = clock.now()
  let until = since + timeoutMs
  const arm = (leftMs: number): (() => void) =>
    startTimer(clock, leftMs, () => {
      const error = new TimeoutError(
        `it took longer than ${Math.round(until - since)} ms`,
        until - since,
      )
      controller.abort(error)
      late.resolve({ error })
    })
  let cancel = arm(timeoutMs)
  begun(leftMs => {
    const now = clock.now()
    if (now + leftMs >= until) return
    until = now + leftMs
    cancel()
    cancel = arm(leftMs)
  })
  const run = async (): Promise<undefined> => {
    await fn({ signal: controller.signal, reason, timeoutMs })
  }
  try {
    return await Promise.race([run().catch(error => ({ error })), late.promise])
  } finally {
    cancel()
  }
}

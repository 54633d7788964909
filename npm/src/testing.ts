/**
 * For tests of code that uses Seawall: time that is moved by hand, and another side that behaves as
 * the test says.
 */
import type { Clock } from './clock.js'

interface Timer {
  at: number
  order: number
  fn: () => void
}

/** Lets everything go on that waits for nothing but promises. */
function settle(): Promise<void> {
  const { setImmediate } = globalThis as { setImmediate?: (fn: () => void) => void }
  return new Promise(resolve => (setImmediate ? setImmediate(resolve) : setTimeout(resolve, 0)))
}

/**
 * Time that stands still until it is moved. Give it to any policy as `clock`.
 *
 * @example
 * ```ts
 * import { CircuitBreaker } from 'seawall'
 * import { VirtualClock } from 'seawall/testing'
 *
 * const clock = new VirtualClock()
 * const breaker = new CircuitBreaker({ threshold: 1, resetTimeMs: 60_000, clock })
 * await breaker.tryExecute(async () => Promise.reject(new Error('down')))
 * await clock.advance(60_001)
 * console.log(await breaker.execute(() => 'probed'))
 * ```
 */
export class VirtualClock implements Clock {
  #now: number
  #order = 0
  readonly #timers = new Set<Timer>()

  /** @param now - what it shows at first, in ms; default 0 */
  constructor(now = 0) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  setTimer(fn: () => void, ms: number): unknown {
    const timer = { at: this.#now + Math.max(0, ms), order: this.#order++, fn }
    this.#timers.add(timer)
    return timer
  }

  clearTimer(timer: unknown): void {
    this.#timers.delete(timer as Timer)
  }

  /** Timers that have not fired. */
  get pending(): number {
    return this.#timers.size
  }

  /**
   * Moves time on by `ms`. Each timer fires at its time, the earliest first, and what waits for it
   * goes on before the next; so do timers that are set meanwhile.
   */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    await settle()
    for (let timer = this.#next(end); timer; timer = this.#next(end)) {
      this.#timers.delete(timer)
      this.#now = Math.max(this.#now, timer.at)
      timer.fn()
      await settle()
    }
    this.#now = end
    await settle()
  }

  /** Moves time from timer to timer until none is left, at most `steps` of them. Default 1,000. */
  async run(steps = 1_000): Promise<void> {
    await settle()
    for (let i = 0; i < steps; i++) {
      const timer = this.#next(Number.POSITIVE_INFINITY)
      if (!timer) return
      await this.advance(timer.at - this.#now)
    }
  }

  /** Sets the time as a clock that is put right does, also back. Timers keep their times. */
  set(now: number): void {
    this.#now = now
  }

  #next(end: number): Timer | undefined {
    let next: Timer | undefined
    for (const timer of this.#timers) {
      if (timer.at > end) continue
      if (!next || timer.at < next.at || (timer.at === next.at && timer.order < next.order)) {
        next = timer
      }
    }
    return next
  }
}

/** How a scripted dependency answers one call. */
export interface Step {
  /** After how long, in ms of the clock. Default 0: at once. */
  afterMs?: number
  /** What it answers. */
  result?: unknown
  /** What it fails with; in place of `result`. */
  error?: unknown
  /** It never answers, unless its signal is aborted. */
  hang?: boolean
  /** How many calls in a row this step is for. Default 1. */
  times?: number
}

/** A call that reached a scripted dependency. */
export interface Reached {
  /** When, in ms of the clock. */
  at: number
  /** What it was called with. */
  args: unknown[]
}

/** Another side that answers as it is told; see {@link scripted}. */
export interface Scripted {
  (...args: unknown[]): Promise<unknown>
  /** The calls that reached it. */
  readonly calls: Reached[]
  /** How many of them have not been answered. */
  readonly running: number
  /** The most that ran at a time. */
  readonly peak: number
}

/**
 * A dependency that plays `steps` call by call and repeats the last one for ever. It looks at the
 * `signal` of its first argument.
 *
 * @example
 * ```ts
 * import { policy } from 'seawall'
 * import { scripted, VirtualClock } from 'seawall/testing'
 *
 * const clock = new VirtualClock()
 * const other = scripted([{ error: Object.assign(new Error('no'), { code: 'ECONNREFUSED' }), times: 2 }, { result: 7 }], clock)
 * const answer = policy({ retry: { delayMs: 100 }, clock }).execute(other)
 * await clock.run()
 * console.log(await answer, other.calls.length)
 * ```
 */
export function scripted(steps: readonly Step[], clock: Clock): Scripted {
  const calls: Reached[] = []
  let [running, peak, place, used] = [0, 0, 0, 0]
  const next = (): Step => {
    const step = steps[place] ?? {}
    if (++used >= (step.times ?? 1) && place < steps.length - 1) [place, used] = [place + 1, 0]
    return step
  }
  const play = (step: Step, signal: AbortSignal | undefined): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const abort = (): void => {
        clock.clearTimer(timer)
        reject(signal?.reason)
      }
      const end = (): void => {
        signal?.removeEventListener('abort', abort)
        if ('error' in step) reject(step.error)
        else resolve(step.result)
      }
      const timer = step.hang || !step.afterMs ? undefined : clock.setTimer(end, step.afterMs)
      if (signal?.aborted) return abort()
      signal?.addEventListener('abort', abort, { once: true })
      if (!step.hang && !step.afterMs) end()
    })
  const dependency = async (...args: unknown[]): Promise<unknown> => {
    calls.push({ at: clock.now(), args })
    peak = Math.max(peak, ++running)
    try {
      return await play(next(), (args[0] as { signal?: AbortSignal } | undefined)?.signal)
    } finally {
      running--
    }
  }
  return Object.defineProperties(dependency, {
    calls: { value: calls },
    running: { get: () => running },
    peak: { get: () => peak },
  }) as Scripted
}

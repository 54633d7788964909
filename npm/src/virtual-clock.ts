/** Time that is moved by hand. */
import type { Clock } from './clock.js'
import { OptionError } from './errors.js'

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
   *
   * @throws OptionError for what is no time to come; see {@link set} for clocks that are put back
   */
  async advance(ms: number): Promise<void> {
    if (!(ms >= 0)) {
      throw new OptionError(`VirtualClock: \`ms\` must be a number of at least 0, got ${ms}`, 'ms')
    }
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

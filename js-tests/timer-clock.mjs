// A clock with timers that stands still until it is moved.

/** Lets everything run that needs no time. */
export const settled = () => new Promise(resolve => setImmediate(resolve))

export class TimerClock {
  #now
  /** @type {Map<number, { at: number, fn: () => void }>} */
  #timers = new Map()
  #last = 0

  constructor(now = 0) {
    this.#now = now
  }

  now() {
    return this.#now
  }

  setTimer(fn, ms) {
    this.#timers.set(++this.#last, { at: this.#now + ms, fn })
    return this.#last
  }

  clearTimer(timer) {
    this.#timers.delete(timer)
  }

  /** Moves on by `ms` while the loop is blocked: no timer fires. */
  jump(ms) {
    this.#now += ms
  }

  /** When the first timer is due. */
  get next() {
    return Math.min(...[...this.#timers.values()].map(({ at }) => at))
  }

  /** How many timers there have been. */
  get set() {
    return this.#last
  }

  /** How many timers are set. */
  get timers() {
    return this.#timers.size
  }

  /** Moves on by `ms`, firing what is due at its time and in its order. */
  async pass(ms) {
    const end = this.#now + ms
    for (;;) {
      await settled()
      const due = [...this.#timers].filter(([, { at }]) => at <= end)
      if (due.length === 0) break
      const [id, { at, fn }] = due.reduce((a, b) => (b[1].at < a[1].at ? b : a))
      this.#timers.delete(id)
      this.#now = Math.max(this.#now, at)
      fn()
    }
    this.#now = end
    await settled()
  }
}

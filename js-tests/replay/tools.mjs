// What replays of decision vectors need, in any runtime.

/** A clock with timers that stands still until it is moved. */
export class Clock {
  time = 0
  #timers = new Map()
  #last = 0

  now = () => this.time

  setTimer(fn, ms) {
    this.#timers.set(++this.#last, { at: this.time + ms, fn })
    return this.#last
  }

  clearTimer(timer) {
    this.#timers.delete(timer)
  }

  /** Shows another time. What is due then does not come. */
  set(at) {
    this.time = at
  }

  /** Moves on to that time; what is due comes at its time and in its order. */
  async pass(at) {
    for (;;) {
      await settled()
      const due = [...this.#timers].filter(([, timer]) => timer.at <= at)
      if (due.length === 0) break
      const [id, timer] = due.reduce((a, b) => (b[1].at < a[1].at ? b : a))
      this.#timers.delete(id)
      this.time = Math.max(this.time, timer.at)
      timer.fn()
      await turn()
    }
    this.time = at
  }
}

/** Lets everything run that waits for no time. */
export async function settled() {
  for (let i = 0; i < 40; i++) await undefined
}

/** What comes after a timer comes after a turn of the event loop, where there is a word for it. */
function turn() {
  return new Promise(resolve => (globalThis.setImmediate ?? queueMicrotask)(resolve))
}

/**
 * One vector, on what `World` makes of it.
 *
 * @throws an error that names the step and what was otherwise.
 */
export async function replay(World, vector) {
  const world = new World(vector)
  for (const [index, step] of vector.steps.entries()) {
    const seen = (await world.step(step)) ?? {}
    for (const [field, expected] of Object.entries(step.expect ?? {})) {
      if (same(seen[field] ?? null, expected)) continue
      const where = `${vector.name}, step ${index + 1} (${JSON.stringify(step)})`
      throw new Error(`${where}: ${field} is ${JSON.stringify(seen[field])}`)
    }
  }
}

/** Times are compared to the nanosecond. */
function same(seen, expected) {
  if (typeof expected === 'number') return Math.abs(seen - expected) < 1.5e-6 && seen !== null
  if (!Array.isArray(expected)) return seen === expected
  return (
    seen?.length === expected.length && expected.every((entry, index) => same(seen[index], entry))
  )
}

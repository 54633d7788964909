// What the tests of the circuit breaker share.
import { CircuitBreaker } from 'seawall'

/** A clock that stands still until it is moved. */
export class ManualClock {
  #now

  constructor(now = 0) {
    this.#now = now
  }

  now() {
    return this.#now
  }

  pass(ms) {
    this.#now += ms
  }

  set(ms) {
    this.#now = ms
  }
}

/** A breaker on a clock of its own. */
export function onClock(options = {}, start = 0) {
  const clock = new ManualClock(start)
  return { clock, breaker: new CircuitBreaker({ clock, ...options }) }
}

export const down = new Error('the other side is down')

/** Fails `times` calls in a row, each with `error`. */
export async function failing(breaker, times, error = down) {
  for (let i = 0; i < times; i++) await breaker.execute(() => Promise.reject(error)).catch(() => {})
}

export async function succeeding(breaker, times) {
  for (let i = 0; i < times; i++) await breaker.execute(async () => i)
}

/** How a call ended: its value, or the error it rejected with. */
export function outcome(promise) {
  return promise.then(
    value => ({ value }),
    error => ({ error }),
  )
}

/** A call that ends when it is told to. */
export function hanging(breaker, options) {
  const { promise, resolve, reject } = Promise.withResolvers()
  const result = outcome(breaker.execute(() => promise, options))
  return {
    result,
    succeed(value) {
      resolve(value)
      return result
    },
    fail(error = down) {
      reject(error)
      return result
    },
  }
}

/** The warnings of this package during `act`, which are not printed. */
export async function warnings(act) {
  const heard = []
  const others = process.listeners('warning')
  process.removeAllListeners('warning')
  process.on('warning', warning => {
    if (warning.name === 'SeawallWarning') heard.push(warning.message)
    else for (const other of others) other(warning)
  })
  try {
    await act()
    // Warnings are emitted a tick later.
    await new Promise(resolve => setImmediate(resolve))
  } finally {
    process.removeAllListeners('warning')
    for (const other of others) process.on('warning', other)
  }
  return heard
}

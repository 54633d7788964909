// What the tests of coalescing, caches and stores share.

/** A clock that stands still, with its timers, until it is moved. */
export class VirtualClock {
  #now
  #next = 1
  timers = new Map()

  constructor(now = 0) {
    this.#now = now
  }

  now() {
    return this.#now
  }

  setTimer(fn, ms) {
    const timer = this.#next++
    this.timers.set(timer, { at: this.#now + ms, fn })
    return timer
  }

  clearTimer(timer) {
    this.timers.delete(timer)
  }

  /** Sets it without calling timers, back too. */
  set(ms) {
    this.#now = ms
  }

  /** Lets time pass; timers that are due are called in their order, each with what follows from it. */
  async pass(ms) {
    const end = this.#now + ms
    for (;;) {
      await turn()
      const due = [...this.timers].filter(([, { at }]) => at <= end)
      if (due.length === 0) break
      const [timer, { at, fn }] = due.reduce((a, b) => (b[1].at < a[1].at ? b : a))
      this.timers.delete(timer)
      this.#now = Math.max(this.#now, at)
      fn()
    }
    this.#now = end
    await turn()
  }
}

/** Lets everything run that waits for nothing but its turn. */
export function turn() {
  return new Promise(resolve => setImmediate(resolve))
}

/** A function whose calls end when they are told to. */
export function manual() {
  const calls = []
  const fn = context => {
    const { promise, resolve, reject } = Promise.withResolvers()
    calls.push({ context, resolve, reject })
    return promise
  }
  fn.calls = calls
  return fn
}

/** How a promise stands: 'pending', or its outcome. */
export async function state(promise) {
  const pending = { pending: true }
  const settled = promise.then(
    value => ({ value }),
    error => ({ error }),
  )
  await turn()
  const answer = await Promise.race([settled, Promise.resolve(pending)])
  return answer === pending ? 'pending' : answer
}

/** Numbers from 0 to 1, the same for the same seed. */
export function random(seed) {
  let bits = seed >>> 0
  return () => {
    bits = (bits + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(bits ^ (bits >>> 15), bits | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A store in a map that tells what was asked of it, and fails or hangs when told. */
export function spyStore() {
  const items = new Map()
  let last = 0
  const asked = []
  const does =
    (what, act) =>
    async (key, ...rest) => {
      asked.push(`${what} ${key}`)
      if (store.broken) throw new Error('the store is down')
      if (store.hanging) return new Promise(() => {})
      return act(key, ...rest)
    }
  const bytes = value => (typeof value === 'string' ? new TextEncoder().encode(value) : value)
  const put = (key, value, expiryMs) =>
    items.set(key, { value: bytes(value), token: ++last, expiryMs })
  const store = {
    items,
    asked,
    broken: false,
    hanging: false,
    get: does('get', key => items.get(key)),
    set: does('set', (key, value, ms) => void put(key, value, ms)),
    add: does('add', (key, value, ms) => (items.has(key) ? false : Boolean(put(key, value, ms)))),
    delete: does('delete', key => items.delete(key)),
    compareAndSet: does('cas', (key, token, value, ms) =>
      items.get(key)?.token === token ? Boolean(put(key, value, ms)) : false,
    ),
  }
  return store
}

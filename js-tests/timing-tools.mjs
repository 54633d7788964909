// What the tests of time-outs and hedges share.
import { getEventListeners } from 'node:events'

/** A clock with timers that stands still until it is moved. */
export class VirtualClock {
  #now = 0
  #last = 0
  timers = new Map()

  now() {
    return this.#now
  }

  setTimer(fn, ms) {
    const id = ++this.#last
    this.timers.set(id, { fn, due: this.#now + ms, id })
    return id
  }

  clearTimer(id) {
    this.timers.delete(id)
  }

  /** Lets time pass: each timer fires when it is due, and what it starts goes on before the next. */
  async pass(ms) {
    const end = this.#now + ms
    await turn()
    for (let timer = this.#first(end); timer; timer = this.#first(end)) {
      this.#now = Math.max(this.#now, timer.due)
      this.timers.delete(timer.id)
      timer.fn()
      await turn()
    }
    this.#now = end
    await turn()
  }

  /** The event loop is blocked: nothing happens, and afterwards all that was due, at once. */
  async block(ms, meanwhile = () => {}) {
    this.#now += ms
    for (let timer = this.#first(this.#now); timer; timer = this.#first(this.#now)) {
      this.timers.delete(timer.id)
      timer.fn()
    }
    meanwhile()
    await turn()
  }

  #first(end) {
    const due = [...this.timers.values()].filter(timer => timer.due <= end)
    return due.sort((a, b) => a.due - b.due || a.id - b.id)[0]
  }
}

/** One turn of the event loop, and what follows from it. */
export async function turn() {
  for (let i = 0; i < 3; i++) await new Promise(resolve => setImmediate(resolve))
}

/** How a call ended, `undefined` while it has not. */
export function watched(promise) {
  const call = { promise, ended: undefined }
  call.done = promise.then(
    value => {
      call.ended = { value }
    },
    error => {
      call.ended = { error }
    },
  )
  return call
}

/** A function that ends when it is told to, and remembers what it was given. */
export function controlled() {
  const calls = []
  const fn = context => {
    const { promise, resolve, reject } = Promise.withResolvers()
    calls.push({ context, resolve, reject })
    return promise
  }
  return { fn, calls }
}

export const listeners = signal => getEventListeners(signal, 'abort').length

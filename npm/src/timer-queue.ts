/**
 * Many waits on one timer. Waits of the same length end in the order in which they began, so a list
 * is enough: adding and removing is a matter of two links, and only the first has a timer. Setting
 * and clearing one for each call costs several times as much as all the rest of a time-out. Where
 * timers end with the request that set them, each wait has its own.
 */
import type { Clock } from './clock.js'
import { startTimer, timersEndWithRequest } from './timer.js'

/** What waits; the fields are the queue's. @internal */
export interface Timed {
  due: number
  previous: Timed | undefined
  next: Timed | undefined
  /** Takes back a timer of its own. */
  cancel: (() => void) | undefined
  waiting: boolean
  /** The wait is over, `late` ms after it was due. Must not throw. */
  expire(late: number): void
}

/** The longest time runtimes accept. */
const LONGEST = 2 ** 31 - 1

/**
 * While something waits, the timer keeps the process alive: who waits for an answer gets one, if it
 * is that there is none. While nothing does, the timer is let go of, or, where that would cost much
 * (a runtime that can `unref`), no longer keeps the process alive and fires once at most. @internal
 */
export class TimerQueue {
  readonly #clock: Clock
  #first: Timed | undefined
  #last: Timed | undefined
  /** Those with a timer of their own. */
  #others: Set<Timed> | undefined
  #timer: unknown
  /** When the timer fires. */
  #armed = 0
  /** Whose timer it is: fake timers of a test must not be waited for by real ones, nor the reverse. */
  #by: unknown
  /** Whether each wait has a timer of its own; found out at the first. */
  #apart: boolean | undefined
  /** How many wait. */
  size = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** When the first wait is over, `undefined` where nothing waits. */
  get nextDue(): number | undefined {
    let next = this.#first?.due
    for (const { due } of this.#others ?? []) if (next === undefined || due < next) next = due
    return next
  }

  /** Lets `entry` wait for `ms` from `now`, which is the present. */
  add(entry: Timed, now: number, ms: number): void {
    const due = now + ms
    entry.due = due
    entry.waiting = true
    this.size++
    this.#apart ??= timersEndWithRequest(this.#clock)
    const last = this.#last
    if (this.#apart || (last !== undefined && due < last.due)) {
      this.#addApart(entry, ms)
      return
    }
    if (last !== undefined) {
      last.next = entry
      entry.previous = last
      this.#last = entry
      return
    }
    this.#first = entry
    this.#last = entry
    const isTheirs = this.#by === globalThis.setTimeout
    if (this.#timer !== undefined && this.#armed <= due && isTheirs) {
      ;(this.#timer as NodeJS.Timeout).ref()
      return
    }
    if (this.#timer !== undefined && isTheirs) this.#clock.clearTimer(this.#timer)
    this.#arm(now, ms)
  }

  #addApart(entry: Timed, ms: number): void {
    this.#others ??= new Set()
    this.#others.add(entry)
    entry.cancel = startTimer(this.#clock, Math.ceil(ms), () => {
      this.#others?.delete(entry)
      entry.cancel = undefined
      entry.waiting = false
      this.size--
      entry.expire(Math.max(0, this.#clock.now() - entry.due))
    })
  }

  /** Ends a wait; nothing if it is over. */
  remove(entry: Timed): void {
    if (!entry.waiting) return
    entry.waiting = false
    this.size--
    if (entry.cancel !== undefined) {
      entry.cancel()
      entry.cancel = undefined
      this.#others?.delete(entry)
      return
    }
    this.#unlink(entry)
    if (this.#first === undefined) this.#rest()
  }

  #unlink(entry: Timed): void {
    const { previous, next } = entry
    if (previous === undefined) this.#first = next
    else previous.next = next
    if (next === undefined) this.#last = previous
    else next.previous = previous
    // A removed entry may live long, and must not keep its neighbours.
    entry.previous = undefined
    entry.next = undefined
  }

  #arm(now: number, ms: number): void {
    const span = Math.min(LONGEST, Math.max(0, ms))
    this.#armed = now + span
    // Runtimes cut fractions off, which would fire early.
    this.#by = globalThis.setTimeout
    const timer: unknown = this.#clock.setTimer(() => {
      if (this.#timer === timer) this.#fired()
    }, Math.ceil(span))
    this.#timer = timer
  }

  #rest(): void {
    const timer = this.#timer as Partial<NodeJS.Timeout> | undefined
    if (timer === undefined) return
    if (typeof timer.unref === 'function' && typeof timer.ref === 'function') {
      timer.unref()
      return
    }
    this.#clock.clearTimer(timer)
    this.#timer = undefined
  }

  #fired(): void {
    this.#timer = undefined
    // That the timer fired proves that its time has come, also where it was a little early or time is
    // made by a test.
    const now = Math.max(this.#clock.now(), this.#armed)
    for (let entry = this.#first; entry !== undefined && entry.due <= now; entry = this.#first) {
      this.#unlink(entry)
      entry.waiting = false
      this.size--
      entry.expire(Math.max(0, now - entry.due))
    }
    const first = this.#first
    if (first !== undefined && this.#timer === undefined) this.#arm(now, first.due - now)
  }
}

/** Calls `fn` after one turn of I/O: what has come in by now is seen before. @internal */
export function afterTurn(clock: Clock, fn: () => void): void {
  // Timers come before I/O in a turn of Node's loop, and this after it.
  if (typeof globalThis.setImmediate === 'function') globalThis.setImmediate(fn)
  else clock.setTimer(fn, 0)
}

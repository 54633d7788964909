/**
 * The bulkhead. Who begins, waits and goes is the engine's decision (`core/src/limit/bulkhead`);
 * this file keeps promises, one timer and the count of calls under way.
 *
 * While nobody waits, a call does not reach the engine: the engine has said how many calls may run
 * before it wants to be asked, which is 0 as soon as one waits. Both numbers are plain fields, since
 * a bulkhead belongs to one isolate, where nothing changes between the answer and its use. A call
 * then costs a `.then` with two prebuilt closures and little else.
 */
import {
  type BulkheadEvents,
  type BulkheadExplanation,
  type BulkheadLimits,
  type BulkheadOptions,
  type BulkheadPermit,
  bulkheadNumbers,
  checkBulkhead,
  LIMITS,
} from './bulkhead-options.js'
import { explanation } from './bulkhead-report.js'
import { type Clock, systemClock } from './clock.js'
import { type CallContext, FreeCall } from './context.js'
import { Handles } from './engine/handles.js'
import { policyEngine } from './engine/policies/index.js'
import { optionProblem, type RejectedError, rejected, SeawallError } from './errors.js'
import { Listeners } from './events.js'
import { type Gate, type GateCall, rejecting, through } from './gate.js'
import { check, updated } from './options.js'
import { failed, type Outcome, succeeded } from './outcome.js'
import { Priorities, prioritiesHandle, rankCode } from './priority.js'
import { startTimer, timersEndWithRequest } from './timer.js'

interface Waiter {
  resolve(ticket: number): void
  reject(error: unknown): void
  signal: AbortSignal | undefined
  abort: (() => void) | undefined
  /** Takes the timer of its deadline back. */
  cancel: (() => void) | undefined
}

/** `core/src/limit/bulkhead/code.rs`. */
const ADMITTED = 1
const KIND = 3
const MORE = 4
const SLOT_SHIFT = 3
const MAY_RUN = 2 ** 23
const PRIORITY = 2

/** All places are alike. */
const TICKET = 0

const MESSAGES = {
  full: 'Bulkhead is full',
  queueTimeout: 'Bulkhead has let the call wait too long',
  priority: 'Bulkhead keeps its queue for calls of higher priority',
}

const handles = new Handles(handle => policyEngine().bulkheadFree(handle))

let gateOf: (bulkhead: Bulkhead) => Gate

/** The bulkhead as a part of a pipeline. @internal */
export function bulkheadGate(bulkhead: Bulkhead): Gate {
  return gateOf(bulkhead)
}

/**
 * Lets so many calls run at once and no more; others wait in the order they came, or are refused.
 *
 * A place is free again when the function has ended, not when its caller has given up. Waiting calls
 * run in the `AsyncLocalStorage` context of their own caller, and are never overtaken.
 *
 * @example
 * ```ts
 * import { Bulkhead } from 'seawall'
 *
 * const bulkhead = new Bulkhead({ maxConcurrent: 10, maxQueue: 100, queueTimeoutMs: 1_000 })
 * const page = await bulkhead.execute(async ({ signal }) => `a page, ${signal.aborted}`)
 * console.log(page, bulkhead.explain().running)
 * ```
 */
export class Bulkhead implements Disposable {
  static {
    gateOf = bulkhead => bulkhead.#gate
  }

  /** Calls under way. */
  #running = 0
  /** Below how many the next begins without asking; the engine's word. */
  #mayRun = 0
  readonly #ok: (value: unknown) => unknown
  readonly #err: (error: unknown) => never
  readonly #gate: Gate
  #handle: number
  #options: BulkheadOptions
  readonly #clock: Clock
  readonly #priorities: Priorities | undefined
  readonly #ownsPriorities: boolean
  /** Those who wait, by the slot the engine gave them. */
  #waiters: Array<Waiter | undefined> = []
  #waiting = 0
  #limit = 0
  #maxQueue = 0
  #timeoutMs = -1
  /** Takes the timer back. */
  #cancel: (() => void) | undefined
  /** When the timer is due. */
  #due = Number.POSITIVE_INFINITY
  #listeners: Listeners<BulkheadEvents> | undefined

  /** @throws OptionError naming the option, what is allowed and what came. */
  constructor(options: BulkheadOptions) {
    checkBulkhead(options)
    const { priorities, clock = systemClock, seed } = options
    this.#options = { ...options }
    this.#clock = clock
    const e = policyEngine()
    this.#handle = e.bulkheadNew(bulkheadNumbers(options))
    if (this.#handle < 0) throw optionProblem('Bulkhead', options, e)
    handles.watch(this, this.#handle)
    this.#ownsPriorities = priorities === true
    this.#priorities = priorities === true ? new Priorities({ seed }) : priorities || undefined
    this.#ok = value => {
      this.#leave()
      return value
    }
    this.#err = error => {
      this.#leave()
      throw error
    }
    this.#gate = { enter: call => this.#enter(call), leave: () => this.#leave() }
    this.#learn()
  }

  /** Its name, if it was given one. */
  get name(): string | undefined {
    return this.#options.name
  }

  /**
   * Calls `fn` as soon as there is a place for it, and answers what it answers.
   *
   * @throws what `fn` throws; {@link RejectedError} (`SEAWALL_BULKHEAD_FULL`) without calling it if
   * there is no place; the reason of `signal` if that is aborted before it is called.
   */
  execute<T>(fn: (context: CallContext) => PromiseLike<T> | T, options?: GateCall): Promise<T> {
    if (this.#running >= this.#mayRun || options !== undefined) {
      return through(this.#gate, fn, options)
    }
    this.#running++
    let promise: PromiseLike<T> | T
    try {
      promise = fn(new FreeCall())
    } catch (error) {
      promise = Promise.reject(error)
    }
    // What `Promise.resolve` does, but inlined: a subclass may have a `then` of its own.
    const plain = promise instanceof Promise && promise.constructor === Promise
    const native = (plain ? promise : Promise.resolve(promise)) as Promise<unknown>
    return native.then(this.#ok, this.#err) as Promise<T>
  }

  /** Like {@link execute}, but answers `{ ok: true, value }` or `{ ok: false, error }` and never throws. */
  tryExecute<T>(
    fn: (context: CallContext) => PromiseLike<T> | T,
    options?: GateCall,
  ): Promise<Outcome<T>> {
    return this.execute(fn, options).then<Outcome<T>, Outcome<T>>(succeeded, failed)
  }

  /**
   * A place to be given back by hand: `using permit = await bulkhead.acquire()`.
   *
   * @throws as {@link execute} does without calling anything.
   */
  async acquire(options?: GateCall): Promise<BulkheadPermit> {
    const signal = options?.signal
    signal?.throwIfAborted()
    const ticket = this.#enter(options)
    if (ticket instanceof Promise) {
      await ticket
      if (signal?.aborted) {
        this.#leave()
        throw signal.reason
      }
    } else if (typeof ticket !== 'number') throw ticket
    let held = true
    const release = (): void => {
      if (!held) return
      held = false
      this.#leave()
    }
    return { release, [Symbol.dispose]: release }
  }

  /** The bulkhead as it stands: counts, limits, and when the next of those who wait has to go. */
  explain(): BulkheadExplanation {
    return explanation(this.#numbers())
  }

  /**
   * Other limits from now on; what is left out stays. Calls that run go on, calls that wait keep
   * their places, and begin at once where there is room now.
   *
   * @throws OptionError; nothing has changed then.
   */
  update(options: Partial<BulkheadLimits>): void {
    check('Bulkhead', options, LIMITS)
    const merged = updated(this.#options, options)
    const e = policyEngine()
    if (e.bulkheadUpdate(this.#live(), this.#running, bulkheadNumbers(merged)) < 0) {
      throw optionProblem('Bulkhead', merged, e)
    }
    this.#options = merged
    this.#learn()
    this.#disarm()
    this.#drain(this.#now())
  }

  /** Calls `listener` at each such event until the function returned is called. */
  on<E extends keyof BulkheadEvents>(
    event: E,
    listener: (detail: BulkheadEvents[E]) => void,
  ): () => void {
    this.#listeners ??= new Listeners('Bulkhead')
    return this.#listeners.add(event, listener)
  }

  /** Refuses those who wait and lets go of what the engine holds. Calls that run go on. */
  [Symbol.dispose](): void {
    if (this.#handle < 0) return
    handles.release(this, this.#handle)
    this.#handle = -1
    this.#mayRun = 0
    this.#disarm()
    if (this.#ownsPriorities) this.#priorities?.[Symbol.dispose]()
    for (const slot of this.#waiters.keys()) this.#take(slot)?.reject(disposed())
  }

  #now(): number {
    return this.#clock.now()
  }

  #live(): number {
    if (this.#handle < 0) throw disposed()
    return this.#handle
  }

  #numbers(): number[] {
    return Array.from(policyEngine().bulkheadExplain(this.#live(), this.#running, this.#now()))
  }

  /** Takes over the limits as the engine understands them. */
  #learn(): void {
    const [limit = 0, maxQueue = 0, timeoutMs = -1, , , mayRun = 0] = this.#numbers()
    this.#limit = limit
    this.#maxQueue = maxQueue
    this.#timeoutMs = timeoutMs
    this.#mayRun = mayRun
  }

  #enter(call: GateCall | undefined): number | SeawallError | Promise<number> {
    if (this.#running < this.#mayRun) {
      this.#running++
      return TICKET
    }
    return this.#ask(call)
  }

  #leave(): void {
    this.#running--
    if (this.#mayRun === 0 && this.#handle >= 0) this.#drain(this.#now())
  }

  /** Everything but a call that finds a place and nobody before it. */
  #ask(call: GateCall | undefined): number | SeawallError | Promise<number> {
    if (call?.signal?.aborted) return rejecting(call.signal.reason)
    const now = this.#now()
    // Those who have waited too long take no place from this call, however late the timer.
    if (now >= this.#due) this.#drain(now)
    if (this.#handle < 0) return disposed()
    const e = policyEngine()
    const code = this.#priorities
      ? e.bulkheadEnterRanked(
          this.#handle,
          this.#running,
          now,
          prioritiesHandle(this.#priorities),
          rankCode(call?.priority),
          call?.user,
        )
      : e.bulkheadEnter(this.#handle, this.#running, now)
    if (code < 0) return this.#refuse(-code)
    const low = this.#read(code)
    if ((low & KIND) !== ADMITTED) return this.#queue(low >>> SLOT_SHIFT, call, now)
    this.#running++
    return TICKET
  }

  /** Takes over how many may run, and answers the rest of the engine's answer. */
  #read(code: number): number {
    this.#mayRun = Math.floor(code / MAY_RUN)
    return code - this.#mayRun * MAY_RUN
  }

  #queue(slot: number, call: GateCall | undefined, now: number): Promise<number> {
    const { signal, deadline = Number.POSITIVE_INFINITY } = call ?? {}
    const promise = new Promise<number>((resolve, reject) => {
      let abort: (() => void) | undefined
      if (signal) {
        abort = () => this.#drop(slot, () => signal.reason)
        signal.addEventListener('abort', abort, { once: true })
      }
      const waiter: Waiter = { resolve, reject, signal, abort, cancel: undefined }
      this.#waiters[slot] = waiter
      const ms = Math.max(0, deadline - now)
      const patience = this.#patience(ms)
      if (patience >= 0) {
        const due = now + patience
        const over = (): void => this.#drain(Math.max(this.#now(), due))
        waiter.cancel = startTimer(this.#clock, Math.ceil(patience), over)
        return
      }
      if (deadline === Number.POSITIVE_INFINITY) return
      const late = (): RejectedError => this.#rejection('queueTimeout', { deadlineMs: ms })
      waiter.cancel = startTimer(this.#clock, Math.ceil(ms - 1e-6), () => this.#drop(slot, late))
    })
    this.#waiting++
    this.#arm()
    if (this.#listeners?.has('queued')) {
      this.#listeners.emit('queued', { queued: this.#waiting, bulkhead: this })
    }
    return promise
  }

  /** After how long a call needs a timer of its own for the queue's patience, below 0 for none. */
  #patience(leftMs: number): number {
    if (!timersEndWithRequest(this.#clock)) return -1
    return policyEngine().bulkheadPatience(this.#handle, this.#running, leftMs)
  }

  #take(slot: number): Waiter | undefined {
    const waiter = this.#waiters[slot]
    if (!waiter) return undefined
    this.#waiters[slot] = undefined
    this.#waiting--
    if (this.#waiting === 0) this.#waiters = []
    if (waiter.abort) waiter.signal?.removeEventListener('abort', waiter.abort)
    waiter.cancel?.()
    return waiter
  }

  /** One goes from the queue before its time has come. */
  #drop(slot: number, why: () => unknown): void {
    const waiter = this.#take(slot)
    this.#mayRun = policyEngine().bulkheadCancel(this.#handle, this.#running, slot)
    waiter?.reject(why())
    this.#arm()
  }

  /** Lets all go from the queue who may begin, or have waited too long. */
  #drain(now: number): void {
    const e = policyEngine()
    let more = true
    while (more && this.#handle >= 0) {
      const low = this.#read(e.bulkheadNext(this.#handle, this.#running, now))
      more = (low & MORE) !== 0
      const kind = low & KIND
      if (kind === 0) break
      const waiter = this.#take(low >>> SLOT_SHIFT)
      if (kind === ADMITTED) {
        this.#running++
        waiter?.resolve(TICKET)
      } else waiter?.reject(this.#rejection('queueTimeout', { queueTimeoutMs: this.#timeoutMs }))
    }
    this.#arm()
  }

  /** Keeps the one timer there while somebody waits, for the first who has to go. */
  #arm(): void {
    if (this.#waiting === 0) this.#disarm()
    if (this.#waiting === 0 || this.#cancel || this.#timeoutMs < 0 || this.#handle < 0) return
    const due = policyEngine().bulkheadDue(this.#handle, this.#running)
    this.#due = due
    // Runtimes cut fractions off, which would fire early; a nanosecond of rounding is none.
    const wait = Math.max(0, Math.ceil(due - this.#now() - 1e-6))
    this.#cancel = startTimer(this.#clock, wait, () => {
      this.#disarm()
      // A timer that has fired proves its time.
      this.#drain(Math.max(this.#now(), due))
    })
  }

  #disarm(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#due = Number.POSITIVE_INFINITY
  }

  #refuse(code: number): RejectedError {
    if ((code & KIND) !== PRIORITY) return this.#rejection('full', {})
    return this.#rejection('priority', { level: (code >> 2) & 511, threshold: code >> 11 })
  }

  #rejection(rule: keyof typeof MESSAGES, more: Record<string, number>): RejectedError {
    const error = rejected('SEAWALL_BULKHEAD_FULL', MESSAGES[rule], {
      rule,
      counts: {
        running: this.#running,
        queued: this.#waiting,
        limit: this.#limit,
        maxQueue: this.#maxQueue,
        ...more,
      },
      policy: this.#options.name,
    })
    this.#listeners?.emit('rejected', { error, bulkhead: this })
    return error
  }
}

function disposed(): SeawallError {
  return new SeawallError('SEAWALL_DISPOSED', 'Bulkhead: used after it was disposed')
}

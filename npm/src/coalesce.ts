/**
 * Parallel calls for the same thing share one execution. It belongs to all who wait for it: whoever
 * asked first may leave like any other, and only when the last one has left is it aborted.
 */
import { type Clock, systemClock } from './clock.js'
import { Attempt, type CallContext, type CallOptions } from './context.js'
import { policyEngine } from './engine/policies/index.js'
import { optionProblem, SeawallError, TimeoutError } from './errors.js'
import { Listeners } from './events.js'
import { rejecting } from './gate.js'
import { check } from './options.js'
import type { Outcome } from './outcome.js'
import { startTimer, timersEndWithRequest } from './timer.js'

/** How calls are put together. */
export interface CoalescerOptions {
  /** In errors and explanations. */
  name?: string | undefined
  /**
   * How many shared executions there may be at a time, a whole number of at least 1. A call beyond
   * that is executed for its caller alone. Default 10,000; `Infinity`: no limit.
   */
  maxKeys?: number | undefined
  /**
   * An execution that began longer ago than this, in ms, is joined by nobody any more, so that one
   * which hangs does not hold its key for ever. Default 60,000; `Infinity`: no limit.
   */
  joinWithinMs?: number | undefined
  /** Where time and timers come from. Default the runtime's. */
  clock?: Clock | undefined
}

/** What a coalescer tells; see {@link Coalescer.on}. */
export interface CoalescerEvents {
  /** A call waits for an execution that was under way. */
  joined: { key: string; waiting: number; coalescer: Coalescer }
  /** The last one who waited has left; the execution's signal is aborted. */
  abandoned: { key: string; reason: unknown; coalescer: Coalescer }
}

/** What a coalescer does and has done; see {@link Coalescer.explain}. */
export interface CoalescerExplanation {
  name: string | undefined
  /** Shared executions under way, and how many there may be. */
  keys: number
  maxKeys: number
  /** How many calls wait for them. */
  waiting: number
  /** Executions begun so far, and among them those for one caller because there were too many. */
  executions: number
  alone: number
  /** Calls that joined an execution so far. */
  joined: number
  /** Executions that everybody had left. */
  abandoned: number
}

/** One execution and who waits for it. The context that its function sees. */
class Shared<T> implements CallContext {
  readonly attempt: number = 1
  readonly key: string
  readonly began: number
  readonly #clock: Clock
  /** Bears the signal, which is nobody's own. */
  readonly call: Attempt
  promise!: Promise<T>
  waiting = 0
  over = false
  /** By its function; else it was lost. */
  answered = false
  /** The last moment anybody waits for. */
  deadline: number = Number.NEGATIVE_INFINITY

  constructor(key: string, clock: Clock) {
    this.key = key
    this.#clock = clock
    this.began = clock.now()
    this.call = new Attempt(1, Number.POSITIVE_INFINITY, undefined, clock)
  }

  get signal(): AbortSignal {
    return this.call.signal
  }

  remaining(): number {
    if (this.deadline === Number.POSITIVE_INFINITY) return this.deadline
    return Math.max(0, this.deadline - this.#clock.now())
  }
}

/**
 * Lets parallel calls with the same key share one execution.
 *
 * A failure is the failure of all who waited for it, and is not kept: the next call is a new
 * execution. An execution must not wait for its own key, which would be for itself.
 *
 * @example
 * ```ts
 * import { Coalescer } from 'seawall'
 *
 * const users = new Coalescer()
 * let fetched = 0
 * const load = async () => ++fetched
 * const both = await Promise.all([users.execute('user 7', load), users.execute('user 7', load)])
 * console.log(both, users.explain().joined) // [1, 1] 1
 * ```
 */
export class Coalescer implements Disposable {
  /** Its name, if it was given one. */
  readonly name: string | undefined
  readonly #maxKeys: number
  readonly #joinWithinMs: number
  readonly #clock: Clock
  readonly #running = new Map<string, Shared<unknown>>()
  #listeners: Listeners<CoalescerEvents> | undefined
  #waiting = 0
  #executions = 0
  #alone = 0
  #joined = 0
  #abandoned = 0
  #disposed = false

  /** @throws OptionError for an option that is unknown, of a wrong type or out of range. */
  constructor(options: CoalescerOptions = {}) {
    check('Coalescer', options, {
      name: 'string',
      maxKeys: 'number',
      joinWithinMs: 'number',
      clock: 'object',
    })
    const { name, maxKeys = Number.NaN, joinWithinMs = Number.NaN, clock = systemClock } = options
    const e = policyEngine()
    const limits = e.coalesceLimits(Float64Array.of(maxKeys, joinWithinMs))
    if (limits.length === 0) throw optionProblem('Coalescer', options, e)
    this.name = name
    this.#maxKeys = limits[0] as number
    this.#joinWithinMs = limits[1] as number
    this.#clock = clock
  }

  /**
   * The answer of the execution under way for `key`, or of `fn` if there is none. `fn` runs in the
   * context (`AsyncLocalStorage`) of the call that began it; what waits goes on in its own.
   *
   * An abort of `signal`, or the `deadline`, ends the wait of this call alone.
   *
   * @throws what the execution threw; the reason of the signal; TimeoutError past the deadline
   */
  execute<T>(
    key: string,
    fn: (context: CallContext) => PromiseLike<T> | T,
    options?: CallOptions,
  ): Promise<T> {
    if (this.#disposed) return rejecting(disposed())
    const signal = options?.signal
    const deadline = options?.deadline ?? Number.POSITIVE_INFINITY
    if (signal?.aborted) return rejecting(signal.reason)
    if (deadline !== Number.POSITIVE_INFINITY && deadline <= this.#clock.now()) {
      return rejecting(this.#late(0))
    }
    const running = this.#running.get(key) as Shared<T> | undefined
    if (running && this.#clock.now() - running.began <= this.#joinWithinMs) {
      const again = this.#mayBeLost ? () => this.execute(key, fn, options) : undefined
      const promise = this.#wait(running, signal, deadline, again)
      this.#joined++
      if (this.#listeners?.has('joined')) {
        this.#listeners.emit('joined', { key, waiting: running.waiting, coalescer: this })
      }
      return promise
    }
    return this.#begin(key, fn, signal, deadline)
  }

  /** Like {@link execute}, but answers a result instead of rejecting. */
  tryExecute<T>(
    key: string,
    fn: (context: CallContext) => PromiseLike<T> | T,
    options?: CallOptions,
  ): Promise<Outcome<T>> {
    return this.execute(key, fn, options).then(
      value => ({ ok: true, value }),
      error => ({ ok: false, error }),
    )
  }

  /** The next call for `key` is a new execution. Who waits for the old one gets its answer. */
  forget(key: string): void {
    this.#running.delete(key)
  }

  /** What it does and has done. */
  explain(): CoalescerExplanation {
    return {
      name: this.name,
      keys: this.#running.size,
      maxKeys: this.#maxKeys,
      waiting: this.#waiting,
      executions: this.#executions,
      alone: this.#alone,
      joined: this.#joined,
      abandoned: this.#abandoned,
    }
  }

  /** Calls `listener` at each such event until the function returned is called. */
  on<E extends keyof CoalescerEvents>(
    event: E,
    listener: (detail: CoalescerEvents[E]) => void,
  ): () => void {
    this.#listeners ??= new Listeners('Coalescer')
    return this.#listeners.add(event, listener)
  }

  /** Takes no further calls. What is under way goes on. */
  [Symbol.dispose](): void {
    this.#disposed = true
    this.#running.clear()
  }

  #begin<T>(
    key: string,
    fn: (context: CallContext) => PromiseLike<T> | T,
    signal: AbortSignal | undefined,
    deadline: number,
  ): Promise<T> {
    const shared = new Shared<T>(key, this.#clock)
    shared.deadline = deadline
    this.#executions++
    // One that is too old to be joined leaves its place to this one.
    if (this.#running.size < this.#maxKeys || this.#running.has(key)) this.#running.set(key, shared)
    else this.#alone++
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    // In place before the function is called, which may ask for the same key while it is.
    shared.promise = promise
    let result: PromiseLike<T> | T
    try {
      result = fn(shared)
    } catch (error) {
      result = Promise.reject(error)
    }
    Promise.resolve(result).then(
      value => {
        shared.answered = true
        this.#end(shared)
        resolve(value)
      },
      error => {
        shared.answered = true
        this.#end(shared)
        reject(error)
      },
    )
    return this.#wait(shared, signal, deadline)
  }

  #end(shared: Shared<unknown>): void {
    shared.over = true
    this.#waiting -= shared.waiting
    shared.waiting = 0
    this.#remove(shared)
  }

  #remove(shared: Shared<unknown>): void {
    if (this.#running.get(shared.key) === shared) this.#running.delete(shared.key)
  }

  /** Whether an execution may vanish: in Workers it ends with the request that began it. */
  get #mayBeLost(): boolean {
    return timersEndWithRequest(this.#clock)
  }

  #wait<T>(
    shared: Shared<T>,
    signal: AbortSignal | undefined,
    deadline: number,
    again?: () => Promise<T>,
  ): Promise<T> {
    shared.waiting++
    this.#waiting++
    if (deadline > shared.deadline) shared.deadline = deadline
    const timed = deadline !== Number.POSITIVE_INFINITY
    if (!signal && !timed && !again) return shared.promise
    return new Promise<T>((resolve, reject) => {
      const leave = (reason: unknown): void => {
        stop()
        this.#leave(shared, reason)
        reject(reason)
      }
      const abort = (): void => leave(signal?.reason)
      let cancel: (() => void) | undefined
      const stop = (): void => {
        cancel?.()
        signal?.removeEventListener('abort', abort)
      }
      // The function may have aborted the signal of the call that began it.
      if (signal?.aborted) return abort()
      signal?.addEventListener('abort', abort, { once: true })
      if (timed) {
        const ms = Math.max(0, deadline - this.#clock.now())
        cancel = startTimer(this.#clock, ms, () => leave(this.#late(ms)))
      }
      shared.promise.then(
        value => {
          stop()
          resolve(value)
        },
        error => {
          stop()
          // Whoever ends an execution says so before its promise does: this one was ended by nobody.
          if (again && !shared.answered) {
            this.#end(shared)
            resolve(again())
          } else reject(error)
        },
      )
    })
  }

  #leave(shared: Shared<unknown>, reason: unknown): void {
    if (shared.over) return
    shared.waiting--
    this.#waiting--
    if (shared.waiting > 0) return
    // Nobody joins what is aborted.
    this.#remove(shared)
    this.#abandoned++
    shared.promise.catch(() => {})
    shared.call.abort(reason)
    this.#listeners?.emit('abandoned', { key: shared.key, reason, coalescer: this })
  }

  #late(ms: number): TimeoutError {
    const who = this.name === undefined ? 'Coalescer' : `Coalescer ${this.name}`
    return new TimeoutError(`${who}: no answer within ${Math.round(ms)} ms`, ms, this.name)
  }
}

function disposed(): SeawallError {
  return new SeawallError('SEAWALL_DISPOSED', 'Coalescer: used after it was disposed')
}

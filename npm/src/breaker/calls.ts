/**
 * Calls through a breaker. Every decision is the engine's; this file runs functions and keeps promises.
 *
 * While a breaker is closed a call does not reach the engine at all: the engine has written into
 * the breaker's cell (see `core/src/breaker/cell.rs`) that calls may go through, and a success
 * adds one to a counter there. The closures that do so are built once for each generation of the
 * breaker and check that it is still the present one. A `.then` with such closures measured at
 * 0.24 of the overhead of cockatiel's breaker, of which the promise reaction alone is 0.22; an
 * `async` function cannot get below 0.35.
 *
 * All that a breaker has is in fields of one object: a second one would be a tenth of its bytes.
 */
import { causeOf } from '../causes.js'
import { CELL_WORDS, type Cells, cells, GATE, NO_CELLS } from '../engine/cells.js'
import { Handles } from '../engine/handles.js'
import { engine } from '../engine/index.js'
import {
  type CircuitBreakerError,
  optionProblem,
  type RejectionReason,
  SeawallError,
} from '../errors.js'
import { Listeners } from '../events.js'
import { FAILURE, type Gate, rejecting, SUCCESS } from '../gate.js'
import { failed, type Outcome, succeeded } from '../outcome.js'
import { seedOr } from '../seed.js'
import {
  ASKING,
  admits,
  countRefusal,
  countSuccess,
  holds,
  isClocked,
  isProbe,
  permitOf,
  refusedFor,
  refuses,
  retryAfter,
  stateOf,
} from './cell.js'
import type { BreakerEvents, ExecuteOptions } from './events.js'
import type { Inside } from './inside.js'
import { closesWith, closing, itself, tellChange } from './news.js'
import { breakerNumbers, type CircuitBreakerOptions, checkBreaker } from './options.js'
import { isBad, isHeard, isPlain, isSlow, leftAlone, weighed } from './outcome.js'
import { REASONS, Refused, refusal } from './refusal.js'
import type { BreakerExplanation } from './report.js'
import { type Ends, okOfCall, okOfGate, type Settler } from './settlers.js'

const SLOW = 4

const DEFAULTS: CircuitBreakerOptions = Object.freeze({})
const NO_NUMBERS = new Float64Array(0)

const handles = new Handles(handle => engine().breakerForget(handle))

/** What else there is to do with a breaker does it by these. @internal */
export let inside: Inside
let ends: Ends<BreakerCalls>

/**
 * How a call reaches the engine: the same function twice, for breakers that seldom ask and for those
 * that always do. Were it one, its body would be compiled into every place that calls `execute` as
 * soon as one breaker of the process asks always, and calls to all others would take a tenth longer.
 */
type Ask = (
  breaker: BreakerCalls,
  fn: () => unknown,
  signal: AbortSignal | undefined,
) => Promise<unknown>
let askSeldom: Ask
let askAlways: Ask

/** What a breaker is to calls. */
export abstract class BreakerCalls implements Disposable {
  static {
    askSeldom = (breaker, fn, signal) => breaker.#ask(fn, signal)
    askAlways = (breaker, fn, signal) => breaker.#ask(fn, signal)
    ends = {
      count: (breaker, gate, permit, now) => breaker.#succeedTimed(gate, permit, now),
      check: breaker => breaker.#check(),
      late: (breaker, permit) => breaker.#late(permit),
      record: (breaker, permit, outcome, error, value, started, signal) =>
        breaker.#record(permit, outcome, error, value, started, signal),
      now: breaker => breaker.#now(),
    }
    inside = {
      handle: breaker => breaker.#handle,
      live: breaker => breaker.#live(),
      gate: breaker => breaker.#pass(),
      options: breaker => breaker.#options,
      now: breaker => breaker.#now(),
      state: breaker => breaker.#state(),
      sync: breaker => breaker.#sync(),
      admit: (breaker, now) => breaker.#admit(now),
      record: (breaker, permit, outcome, error, started) =>
        breaker.#record(permit, outcome, error, undefined, started),
      change: (breaker, options) => {
        breaker.#options = options
        breaker.#unprepare()
      },
    }
  }

  /** This breaker's cell alone, once there are closures for its gate: two looks less than below. */
  #cell: Int32Array = ASKING
  /** The gate the two closures below were built for; none says both to admit and to refuse. */
  #gate = -1
  #base = 0
  #ok: Settler['ok'] | undefined
  #err: Settler['err'] | undefined
  #cells: Cells = NO_CELLS
  readonly #otherwise: Ask
  #handle: number
  /** The state listeners have heard of. */
  #seen = 0
  #options: CircuitBreakerOptions
  #listeners: Listeners<BreakerEvents> | undefined

  /**
   * A closed breaker: with options, or with `threshold` and `resetTimeMs` in this order.
   *
   * @throws OptionError naming the option, what is allowed and what came.
   */
  constructor(options?: CircuitBreakerOptions | number, resetTimeMs?: number) {
    const given: CircuitBreakerOptions =
      typeof options === 'number' ? { threshold: options, resetTimeMs } : (options ?? DEFAULTS)
    checkBreaker(given)
    // A copy: what the caller changes later must not reach half of the breaker.
    this.#options = given === DEFAULTS ? given : { ...given }
    this.#otherwise = isPlain(given) ? askSeldom : askAlways
    const e = engine()
    const numbers = given === DEFAULTS ? NO_NUMBERS : breakerNumbers(given)
    this.#handle = e.breakerNew(numbers, seedOr(given.seed), given.name, this.#now())
    if (this.#handle < 0) throw optionProblem('CircuitBreaker', given, e)
    handles.keep(this, this.#handle)
    this.#cells = cells(e.breakerBlock(this.#handle))
    this.#base = e.breakerOffset(this.#handle) / 4
    this.#seen = this.#state()
  }

  /**
   * Calls `fn` if the breaker lets it, and answers what it answers.
   *
   * @throws what `fn` throws; {@link CircuitBreakerError} without calling it if the breaker refuses.
   */
  execute<T>(fn: () => PromiseLike<T> | T, options?: ExecuteOptions): Promise<T> {
    if (this.#cell[GATE] !== this.#gate || options !== undefined) {
      return this.#otherwise(this, fn, options?.signal) as Promise<T>
    }
    let promise: PromiseLike<T> | T
    try {
      promise = fn()
    } catch (error) {
      promise = Promise.reject(error)
    }
    // What `Promise.resolve` does, but inlined: a subclass may have a `then` of its own. (Asking with
    // `instanceof` too took 0.01 of cockatiel's overhead.)
    const native = (
      (promise as Promise<T> | undefined)?.constructor === Promise
        ? promise
        : Promise.resolve(promise)
    ) as Promise<unknown>
    return native.then(this.#ok, this.#err) as Promise<T>
  }

  /**
   * Like {@link execute}, but answers a result instead of throwing: `{ ok: true, value }` or
   * `{ ok: false, error }`. A refusal costs a tenth of a thrown one; its `error` is made when read.
   */
  tryExecute<T>(fn: () => PromiseLike<T> | T, options?: ExecuteOptions): Promise<Outcome<T>> {
    if (this.#handle >= 0 && !options?.signal?.aborted) {
      const refused = this.#refusedByCell()
      if (refused >= 0) return Promise.resolve(new Refused(this, this.#options, refused))
    }
    return this.execute(fn, options).then<Outcome<T>, Outcome<T>>(succeeded, failed)
  }

  /** Calls `listener` at each such event until the function returned is called. */
  on<E extends keyof BreakerEvents>(
    event: E,
    listener: (detail: BreakerEvents[E]) => void,
  ): () => void {
    this.#listeners ??= new Listeners('CircuitBreaker')
    return this.#listeners.add(event, listener)
  }

  /** Lets go of what the engine holds for this breaker. Using it afterwards is an error. */
  [Symbol.dispose](): void {
    if (this.#handle < 0) return
    engine().breakerFree(this.#handle)
    this.#handle = -1
    this.#cells = NO_CELLS
    this.#unprepare()
  }

  /** Why the breaker is as it is, and when that may change. */
  abstract explain(): BreakerExplanation

  #now(): number {
    const { clock } = this.#options
    return clock === undefined ? performance.now() : clock.now()
  }

  #live(): number {
    if (this.#handle < 0) throw disposed()
    return this.#handle
  }

  /** The views, refreshed where WASM memory has grown. */
  #views(): Cells {
    this.#live()
    if (this.#cells.u32.length === 0) {
      this.#cells = cells(this.#cells.block)
      this.#unprepare()
    }
    return this.#cells
  }

  #state(): number {
    return stateOf(this.#views().u32[this.#base + GATE] as number)
  }

  /** The milliseconds for which the cell itself says "refused", or -1. */
  #refusedByCell(): number {
    const views = this.#views()
    const gate = views.u32[this.#base + GATE] as number
    if (!refuses(gate)) return -1
    this.#hear(gate)
    const left = refusedFor(views, this.#base, this.#now())
    if (left < 0) return -1
    countRefusal(views, this.#base)
    if (this.#listeners !== undefined) this.#tellRejected('open', left)
    return left
  }

  /** A permit, or minus the reason. */
  #permit(now: number): number {
    const gate = this.#views().u32[this.#base + GATE] as number
    if (admits(gate)) {
      this.#hear(gate)
      return permitOf(gate)
    }
    const permit = engine().breakerAcquire(this.#handle, now)
    this.#sync()
    if (permit < 0) this.#tellRejected(REASONS[-permit] ?? 'open', undefined, now)
    return permit
  }

  #pass(): Gate {
    const breaker = this
    return {
      get timed() {
        return breaker.#options.slowCallMs !== undefined
      },
      enter: () => breaker.#enter(),
      leave: (permit, outcome, detail, started) => breaker.#leave(permit, outcome, detail, started),
    }
  }

  #admit(now: number): number {
    const permit = this.#permit(now)
    if (permit < 0) throw this.#rejection(permit)
    return permit
  }

  /** A permit, or the error of a refusal. */
  #enter(): number | SeawallError {
    const gate = this.#cells.u32[this.#base] ?? 0
    if (admits(gate) && stateOf(gate) === this.#seen) return permitOf(gate)
    if (this.#handle < 0) return disposed()
    const left = this.#refusedByCell()
    if (left >= 0) return refusal(this, this.#options, 'open', left)
    const permit = this.#permit(this.#now())
    return permit < 0 ? this.#rejection(permit) : permit
  }

  #leave(permit: number, outcome: number, detail: unknown, started: number | undefined): void {
    const isResult = outcome === SUCCESS
    const isLookedAt = isResult && this.#options.isFailureResult !== undefined
    const bad = isLookedAt && isBad(this.#options, detail)
    const plain = isResult && !(isLookedAt && (bad || isHeard(this.#options)))
    if (plain && this.#succeedAfter(permit, started)) return
    const how = bad ? FAILURE : outcome
    this.#record(permit, how, isResult ? undefined : detail, isResult ? detail : undefined, started)
  }

  /** Counts a success without the engine, if its permit is of this generation and it was not slow. */
  #succeedAfter(permit: number, started: number | undefined): boolean {
    const clocked = isClocked(this.#cells, this.#base)
    const gate = this.#cells.u32[this.#base] ?? 0
    if (!admits(gate) || permitOf(gate) !== permit) return false
    if (clocked || this.#options.slowCallMs !== undefined) {
      const now = this.#now()
      if (isSlow(this.#options, started, now)) return false
      if (clocked) {
        this.#succeedTimed(gate, permit, now)
        return true
      }
    }
    this.#succeed()
    return true
  }

  /** Counts a success under the present gate. */
  #succeed(): void {
    if (countSuccess(this.#cells, this.#base)) this.#check()
  }

  /** Everything but a plain call to a closed breaker. */
  #ask<T>(fn: () => PromiseLike<T> | T, signal: AbortSignal | undefined): Promise<T> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    if (this.#handle < 0) return Promise.reject(disposed())
    const left = this.#refusedByCell()
    if (left >= 0) return rejecting(refusal(this, this.#options, 'open', left))
    const started = this.#now()
    const permit = this.#permit(started)
    if (permit < 0) return rejecting(this.#rejection(permit))
    const gate = this.#cells.u32[this.#base + GATE] as number
    const fast = admits(gate) && !isProbe(permit)
    const { ok, err } =
      fast && signal === undefined && isPlain(this.#options)
        ? this.#prepare(gate)
        : this.#settlerOf(permit, fast ? gate : 0, started, signal)
    let promise: PromiseLike<T> | T
    try {
      promise = fn()
    } catch (error) {
      promise = Promise.reject(error)
    }
    return Promise.resolve(promise).then(ok, err) as Promise<T>
  }

  /** The closures of this generation. */
  #prepare(gate: number): Settler {
    const signed = gate | 0
    if (this.#gate === signed && this.#ok && this.#err) return { ok: this.#ok, err: this.#err }
    const cell = new Int32Array(this.#cells.u32.buffer, this.#base * 4, CELL_WORDS)
    const clocked = isClocked(this.#cells, this.#base)
    const permit = permitOf(gate)
    const ok = okOfGate(this, ends, cell, signed, permit, clocked, this.#options.clock)
    const err = (error: unknown): never => {
      this.#record(permit, FAILURE, error, undefined, undefined)
      throw error
    }
    this.#cell = cell
    this.#gate = signed
    this.#ok = ok
    this.#err = err
    return { ok, err }
  }

  /** Closures for one call; `gate` is the gate that let it through without asking, or 0. */
  #settlerOf(
    permit: number,
    gate: number,
    started: number,
    signal: AbortSignal | undefined,
  ): Settler {
    const ok = okOfCall(this, ends, this.#options, permit, gate, started, signal)
    const err = (error: unknown): never => {
      this.#record(permit, FAILURE, error, undefined, started, signal)
      throw error
    }
    return { ok, err }
  }

  /** The next call asks. */
  #unprepare(): void {
    this.#cell = ASKING
    this.#gate = -1
  }

  /** Counts a success in the cell while its gate and its time hold, else tells the engine. */
  #succeedTimed(gate: number, permit: number, now: number): void {
    if (holds(this.#cells, this.#base, gate, now)) this.#succeed()
    else this.#late(permit)
  }

  /** A success of an earlier generation, or in a new slice, or after the memory grew. */
  #late(permit: number): void {
    if (this.#handle < 0) return
    this.#record(permit, SUCCESS, undefined, undefined, undefined)
  }

  #check(): void {
    engine().breakerCheck(this.#handle, this.#now())
    this.#sync()
  }

  /** Tells the engine how a call ended, and the listeners what came of it. Never throws. */
  #record(
    permit: number,
    outcome: number,
    error: unknown,
    value: unknown,
    started: number | undefined,
    signal?: AbortSignal,
  ): void {
    if (this.#handle < 0) return
    const options = this.#options
    const now = this.#now()
    const how = weighed(options, outcome, error, signal)
    const wait = options.openFor === undefined ? -1 : leftAlone(options, how, error, value)
    const code = isSlow(options, started, now) ? how + SLOW : how
    const failure = how === FAILURE
    const cause = failure ? causeOf(error) : 0
    const before = isProbe(permit) && options.onStateChange ? this.explain().failures : undefined
    engine().breakerRecord(this.#handle, permit, code, wait, cause, failure ? Date.now() : 0, now)
    if (before !== undefined || closing !== undefined) closesWith(this, before)
    this.#sync()
    if (closing !== undefined) closesWith(this, undefined)
    if (failure && this.#listeners?.has('failure'))
      this.#listeners.emit('failure', { error, breaker: itself(this) })
  }

  /** Tells listeners of a change that another holder of the name has made. */
  #hear(gate: number): void {
    if (stateOf(gate) !== this.#seen) this.#sync()
  }

  /** Tells listeners of a change they have not heard of. */
  #sync(): void {
    const state = this.#state()
    if (state === this.#seen) return
    const before = this.#seen
    this.#seen = state
    tellChange(this, before, state, this.#options, this.#listeners)
  }

  #tellRejected(reason: RejectionReason, left: number | undefined, now?: number): void {
    if (!this.#listeners?.has('rejected')) return
    const retryAfterMs = now === undefined ? left : retryAfter(this.#cells, this.#base, now)
    this.#listeners.emit('rejected', { reason, retryAfterMs, breaker: itself(this) })
  }

  #rejection(code: number): CircuitBreakerError {
    const reason = REASONS[-code] ?? 'open'
    const passes = reason === 'open' || reason === 'probing'
    const left = passes ? retryAfter(this.#cells, this.#base, this.#now()) : undefined
    return refusal(this, this.#options, reason, left)
  }
}

function disposed(): SeawallError {
  return new SeawallError('SEAWALL_DISPOSED', 'CircuitBreaker: used after it was disposed')
}

/**
 * The circuit breaker. Every decision is the engine's; this file runs functions, keeps promises
 * and calls listeners.
 *
 * While a breaker is closed a call does not reach the engine at all: the engine has written into
 * the breaker's cell (see `core/src/breaker/cell.rs`) that calls may go through, and a success
 * adds one to a counter there. The closures that do so are built once for each generation of the
 * breaker and check that it is still the present one. A `.then` with such closures measured at
 * 0.24 of the overhead of cockatiel's breaker, of which the promise reaction alone is 0.22; an
 * `async` function cannot get below 0.35.
 */
import type {
  BreakerEvents,
  BreakerPermit,
  CircuitBreakerState,
  ExecuteOptions,
} from './breaker-events.js'
import {
  type BreakerMode,
  breakerNumbers,
  type CircuitBreakerOptions,
  type CircuitState,
  checkBreaker,
  MODES,
} from './breaker-options.js'
import { REASONS, Refused, refusal } from './breaker-refusal.js'
import {
  type BreakerExplanation,
  type BreakerSnapshot,
  explanation,
  STATES,
  snapshotFrom,
  snapshotNumbers,
} from './breaker-report.js'
import { causeOf } from './causes.js'
import { classify } from './classify.js'
import {
  ADMIT,
  ASK_AT,
  CELL_WORDS,
  type Cells,
  cells,
  FROM,
  GATE,
  NO_CELLS,
  REFUSE,
  REFUSED,
  SUCCESSES,
  UNTIL,
} from './engine/cells.js'
import { Handles } from './engine/handles.js'
import { engine } from './engine/index.js'
import {
  type CircuitBreakerError,
  isSelfInflicted,
  OptionError,
  optionProblem,
  type RejectionReason,
  SeawallError,
} from './errors.js'
import { call, Listeners } from './events.js'
import { FAILURE, type Gate, NEUTRAL, rejecting, SUCCESS } from './gate.js'
import { check } from './options.js'
import type { Outcome } from './outcome.js'
import { seedOr } from './seed.js'

const SLOW = 4
const PROBES = 2 ** 20
const STATE_SHIFT = 2
const GENERATION_SHIFT = 5

/** A cell whose gate is none: whoever reads it asks. */
const ASKING = new Int32Array(CELL_WORDS)

const DEFAULTS: CircuitBreakerOptions = Object.freeze({})
const NO_NUMBERS = new Float64Array(0)

/** What `getState` reports as failures while the listener of this breaker's closing is called. */
let closing: { breaker: CircuitBreaker; failures: number } | undefined

let handleOf: (breaker: CircuitBreaker) => number
let gateOf: (breaker: CircuitBreaker) => Gate

/**
 * How a call reaches the engine: the same function twice, for breakers that seldom ask and for those
 * that always do. Were it one, its body would be compiled into every place that calls `execute` as
 * soon as one breaker of the process asks always, and calls to all others would take a tenth longer.
 */
type Ask = (
  breaker: CircuitBreaker,
  fn: () => unknown,
  signal: AbortSignal | undefined,
) => Promise<unknown>
let askSeldom: Ask
let askAlways: Ask

/** The engine's handle of a breaker, for the registry that keeps it. @internal */
export function breakerHandle(breaker: CircuitBreaker): number {
  return handleOf(breaker)
}

/** The breaker as a part of a pipeline. @internal */
export function breakerGate(breaker: CircuitBreaker): Gate {
  return gateOf(breaker)
}

const handles = new Handles(handle => engine().breakerForget(handle))

type Settler = { ok: (value: unknown) => unknown; err: (error: unknown) => never }

/**
 * Fails calls fast while the other side is down, and finds out when it is back.
 *
 * @example
 * ```ts
 * import { CircuitBreaker } from 'seawall'
 *
 * const breaker = new CircuitBreaker({ threshold: 5, resetTimeMs: 10_000 })
 * const answer = await breaker.execute(async () => 'an answer')
 * console.log(answer, breaker.getState().state)
 * ```
 */
export class CircuitBreaker implements Disposable {
  static {
    handleOf = breaker => breaker.#handle
    askSeldom = (breaker, fn, signal) => breaker.#ask(fn, signal)
    askAlways = (breaker, fn, signal) => breaker.#ask(fn, signal)
    gateOf = breaker => ({
      get timed() {
        return breaker.#options.slowCallMs !== undefined
      },
      enter: () => breaker.#enter(),
      leave: (permit, outcome, detail, started) => breaker.#leave(permit, outcome, detail, started),
    })
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
    this.#otherwise = this.#isPlain() ? askSeldom : askAlways
    const e = engine()
    const numbers = given === DEFAULTS ? NO_NUMBERS : breakerNumbers(given)
    this.#handle = e.breakerNew(numbers, seedOr(given.seed), given.name, this.#now())
    if (this.#handle < 0) throw optionProblem('CircuitBreaker', given, e)
    handles.keep(this, this.#handle)
    this.#cells = cells(e.breakerBlock(this.#handle))
    this.#base = e.breakerOffset(this.#handle) / 4
    this.#seen = this.#state()
  }

  /** Its name, if it was given one. */
  get name(): string | undefined {
    return this.#options.name
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
    return this.execute(fn, options).then(succeeded, failed) as Promise<Outcome<T>>
  }

  /** `fn` behind this breaker, with the same arguments and `this`. */
  wrap<This, Args extends unknown[], T>(
    fn: (this: This, ...args: Args) => PromiseLike<T> | T,
  ): (this: This, ...args: Args) => Promise<T> {
    const breaker = this
    return function (...args) {
      return breaker.execute(() => fn.apply(this, args))
    }
  }

  /**
   * Leave to run one call by hand.
   *
   * @throws CircuitBreakerError if the breaker refuses.
   */
  acquire(): BreakerPermit {
    const started = this.#now()
    const code = this.#permit(started)
    if (code < 0) throw this.#rejection(code)
    let open = true
    const settle = (outcome: number, error?: unknown): void => {
      if (!open) return
      open = false
      this.#record(code, outcome, error, undefined, started)
    }
    return {
      success: () => settle(SUCCESS),
      failure: error => settle(FAILURE, error),
      neutral: () => settle(NEUTRAL),
      [Symbol.dispose]: () => settle(NEUTRAL),
    }
  }

  /** The state in three words, what its rule counted, and whether a probe is under way. */
  getState(): CircuitBreakerState {
    const now = this.explain()
    return {
      state: visible(now.state),
      failures: closing?.breaker === this ? closing.failures : now.failures,
      lastFailureTime: now.lastFailureTime,
      isTestingHalfOpen: now.isTesting,
    }
  }

  /** Whether calls are refused. Stays true after the open time until a call asks. */
  isOpen(): boolean {
    return visible(STATES[this.#state()] ?? 'closed') === 'open'
  }

  /** Whether all calls go through. */
  isClosed(): boolean {
    return this.#state() === 0
  }

  /** Why the breaker is as it is, and when that may change. */
  explain(): BreakerExplanation {
    const now = this.#now()
    return explanation(engine().breakerExplain(this.#live(), now), this.#options)
  }

  /** Closes the breaker and forgets what it counted; isolation stays. */
  async reset(): Promise<void> {
    engine().breakerReset(this.#live(), this.#now())
    this.#sync()
  }

  /** Opens the breaker as if its rule had; it recovers in the ordinary way. */
  async forceOpen(): Promise<void> {
    engine().breakerForceOpen(this.#live(), Date.now(), this.#now())
    this.#sync()
  }

  /** Refuses every call until what is returned is disposed of, by each of those who isolate. */
  isolate(): Disposable {
    engine().breakerIsolate(this.#live(), this.#now())
    this.#sync()
    let held = true
    return {
      [Symbol.dispose]: () => {
        if (!held || this.#handle < 0) return
        held = false
        engine().breakerRelease(this.#handle, this.#now())
        this.#sync()
      },
    }
  }

  /**
   * Goes on with these options in place of those it had, the others as before, in the state it is
   * in: an opening lasts as long as it was to last, and what the rule counted is kept where the
   * new rule is of the same kind. A breaker with a name changes in all threads; the callbacks and
   * `slowCallMs` of the others stay theirs.
   *
   * @throws OptionError for an option that is wrong or that cannot be changed (`name`, `clock`,
   * `seed`); the breaker is unchanged then.
   */
  update(options: CircuitBreakerOptions): void {
    checkBreaker(options)
    for (const fixed of ['name', 'clock', 'seed'] as const) {
      if (options[fixed] !== undefined && options[fixed] !== this.#options[fixed]) {
        throw new OptionError(`CircuitBreaker: \`${fixed}\` cannot be changed`, fixed)
      }
    }
    const e = engine()
    const updated = { ...this.#options, ...options }
    if (e.breakerUpdate(this.#live(), breakerNumbers(updated), this.#now()) < 0) {
      throw optionProblem('CircuitBreaker', updated, e)
    }
    this.#options = updated
    this.#unprepare()
    this.#sync()
  }

  /** What the breaker does with its decisions from now on. Leaving `'disabled'` closes it. */
  setMode(mode: BreakerMode): void {
    const code = MODES.indexOf(mode)
    if (code < 0) check('CircuitBreaker', { mode: mode ?? null }, { mode: MODES })
    engine().breakerSetMode(this.#live(), code, this.#now())
    this.#sync()
  }

  /** The breaker's state as plain data, in ages instead of times. */
  snapshot(): BreakerSnapshot {
    return snapshotFrom(engine().breakerSnapshot(this.#live(), this.#now()))
  }

  /**
   * Takes the state of a snapshot as if no time had passed since.
   *
   * @throws OptionError for a snapshot this version cannot read; the breaker is unchanged then.
   */
  restore(snapshot: BreakerSnapshot): void {
    const e = engine()
    if (e.breakerRestore(this.#live(), snapshotNumbers(snapshot), this.#now()) < 0) {
      throw optionProblem('CircuitBreaker', { snapshot }, e)
    }
    this.#sync()
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
    return ((this.#views().u32[this.#base + GATE] as number) >>> STATE_SHIFT) & 7
  }

  /** The milliseconds for which the cell itself says "refused", or -1. */
  #refusedByCell(): number {
    const { u32, f64 } = this.#views()
    const base = this.#base
    const gate = u32[base + GATE] as number
    if ((gate & 3) !== REFUSE) return -1
    this.#hear(gate)
    const now = this.#now()
    const until = f64[base / 2 + UNTIL] as number
    if (now >= until || now < (f64[base / 2 + FROM] as number)) return -1
    u32[base + REFUSED] = (u32[base + REFUSED] as number) + 1
    const left = until - now
    if (this.#listeners?.has('rejected')) this.#tellRejected('open', left)
    return left
  }

  /** A permit, or minus the reason. */
  #permit(now: number): number {
    const { u32 } = this.#views()
    const gate = u32[this.#base + GATE] as number
    if ((gate & 3) === ADMIT) {
      this.#hear(gate)
      return (gate >>> GENERATION_SHIFT) * PROBES
    }
    const permit = engine().breakerAcquire(this.#handle, now)
    this.#sync()
    if (permit < 0 && this.#listeners?.has('rejected')) {
      this.#tellRejected(REASONS[-permit] ?? 'open', this.#retryAfter(now))
    }
    return permit
  }

  /** A permit, or the error of a refusal. */
  #enter(): number | SeawallError {
    const gate = this.#cells.u32[this.#base] ?? 0
    if ((gate & 3) === ADMIT && ((gate >>> STATE_SHIFT) & 7) === this.#seen) {
      return (gate >>> GENERATION_SHIFT) * PROBES
    }
    if (this.#handle < 0) return disposed()
    const left = this.#refusedByCell()
    if (left >= 0) return refusal(this, this.#options, 'open', left)
    const permit = this.#permit(this.#now())
    return permit < 0 ? this.#rejection(permit) : permit
  }

  #leave(permit: number, outcome: number, detail: unknown, started: number | undefined): void {
    const { isFailureResult, openFor } = this.#options
    const isResult = outcome === SUCCESS
    const isBad =
      isResult && isFailureResult !== undefined && guarded(isFailureResult, detail, false)
    const isPlain = isResult && !isBad && !(isFailureResult && openFor)
    if (isPlain && this.#succeedAfter(permit, started)) return
    const how = isBad ? FAILURE : outcome
    this.#record(permit, how, isResult ? undefined : detail, isResult ? detail : undefined, started)
  }

  /** Counts a success without the engine, if its permit is of this generation and it was not slow. */
  #succeedAfter(permit: number, started: number | undefined): boolean {
    const { slowCallMs } = this.#options
    const clocked = this.#isClocked()
    const gate = this.#cells.u32[this.#base] ?? 0
    if ((gate & 3) !== ADMIT || (gate >>> GENERATION_SHIFT) * PROBES !== permit) return false
    if (clocked || slowCallMs !== undefined) {
      const now = this.#now()
      if (slowCallMs !== undefined && started !== undefined && now - started > slowCallMs) {
        return false
      }
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
    const u32 = this.#cells.u32
    const base = this.#base
    const successes = (u32[base + SUCCESSES] as number) + 1
    u32[base + SUCCESSES] = successes
    if (((successes - (u32[base + ASK_AT] as number)) | 0) >= 0) this.#check()
  }

  /** Everything but a plain call to a closed breaker. */
  #ask<T>(fn: () => PromiseLike<T> | T, signal: AbortSignal | undefined): Promise<T> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    if (this.#handle < 0) return Promise.reject(disposed())
    const left = this.#refusedByCell()
    if (left >= 0) return this.#reject('open', left)
    const started = this.#now()
    const permit = this.#permit(started)
    if (permit < 0) return rejecting(this.#rejection(permit))
    const gate = this.#cells.u32[this.#base + GATE] as number
    const fast = (gate & 3) === ADMIT && permit % PROBES === 0
    const settler =
      fast && signal === undefined && this.#isPlain()
        ? this.#prepare(gate)
        : this.#settlerOf(permit, fast ? gate : 0, started, signal)
    let promise: PromiseLike<T> | T
    try {
      promise = fn()
    } catch (error) {
      promise = Promise.reject(error)
    }
    return Promise.resolve(promise).then(settler.ok, settler.err) as Promise<T>
  }

  /** Whether a success has to look at the clock: the gate holds for a while only. */
  #isClocked(): boolean {
    return this.#cells.f64[this.#base / 2 + UNTIL] !== Number.POSITIVE_INFINITY
  }

  /** Whether a call's end needs nothing of its beginning. */
  #isPlain(): boolean {
    return this.#options.slowCallMs === undefined && this.#options.isFailureResult === undefined
  }

  /** The closures of this generation. */
  #prepare(gate: number): Settler {
    const signed = gate | 0
    if (this.#gate === signed && this.#ok && this.#err) return { ok: this.#ok, err: this.#err }
    const permit = (gate >>> GENERATION_SHIFT) * PROBES
    const cell = new Int32Array(this.#cells.u32.buffer, this.#base * 4, CELL_WORDS)
    const ok = this.#isClocked()
      ? this.#okTimed(cell, signed, permit)
      : (value: unknown): unknown => {
          if (cell[GATE] === signed) {
            if (count(cell)) this.#check()
          } else this.#late(permit)
          return value
        }
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

  #okTimed(cell: Int32Array, gate: number, permit: number): Settler['ok'] {
    const times = new Float64Array(cell.buffer, cell.byteOffset, CELL_WORDS / 2)
    const { clock } = this.#options
    return value => {
      const now = clock === undefined ? performance.now() : clock.now()
      if (cell[GATE] === gate && now < (times[UNTIL] as number) && now >= (times[FROM] as number)) {
        if (count(cell)) this.#check()
      } else this.#late(permit)
      return value
    }
  }

  /** The next call asks. */
  #unprepare(): void {
    this.#cell = ASKING
    this.#gate = -1
  }

  /** Closures for one call; `gate` is the gate that let it through without asking, or 0. */
  #settlerOf(
    permit: number,
    gate: number,
    started: number,
    signal: AbortSignal | undefined,
  ): Settler {
    const { isFailureResult, slowCallMs = Number.POSITIVE_INFINITY, openFor } = this.#options
    return {
      ok: value => {
        const bad = isFailureResult !== undefined && guarded(isFailureResult, value, false)
        const now = this.#now()
        if (
          gate !== 0 &&
          !bad &&
          !signal?.aborted &&
          !(now - started > slowCallMs) &&
          !(isFailureResult && openFor)
        ) {
          this.#succeedTimed(gate, permit, now)
        } else this.#record(permit, bad ? FAILURE : SUCCESS, undefined, value, started, signal)
        return value
      },
      err: error => {
        this.#record(permit, FAILURE, error, undefined, started, signal)
        throw error
      },
    }
  }

  /** Counts a success in the cell while its gate and its time hold, else tells the engine. */
  #succeedTimed(gate: number, permit: number, now: number): void {
    const u32 = this.#cells.u32
    const { f64 } = this.#cells
    const base = this.#base
    const half = base / 2
    if (
      u32[base] === gate &&
      now >= (f64[half + FROM] as number) &&
      now < (f64[half + UNTIL] as number)
    ) {
      this.#succeed()
    } else this.#late(permit)
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
    const { isFailure, slowCallMs, openFor } = this.#options
    const now = this.#now()
    let how = outcome
    if (signal?.aborted) how = NEUTRAL
    else if (outcome === FAILURE && isSelfInflicted(error)) how = NEUTRAL
    else if (outcome === FAILURE && isFailure && !guarded(isFailure, error, true)) how = NEUTRAL
    const wait =
      openFor === undefined ||
      how === NEUTRAL ||
      (how === SUCCESS && this.#options.isFailureResult === undefined)
        ? -1
        : this.#openFor(error, value)
    const failure = how === FAILURE
    if (slowCallMs !== undefined && started !== undefined && now - started > slowCallMs) how += SLOW
    const cause = failure ? causeOf(error) : 0
    const probe = permit % PROBES !== 0
    const before = probe && this.#options.onStateChange ? this.explain().failures : undefined
    engine().breakerRecord(this.#handle, permit, how, wait, cause, failure ? Date.now() : 0, now)
    closing = before === undefined ? undefined : { breaker: this, failures: before }
    this.#sync()
    closing = undefined
    if (failure && this.#listeners?.has('failure'))
      this.#listeners.emit('failure', { error, breaker: this })
  }

  /** For how long a result asks to be left alone, or -1. */
  #openFor(error: unknown, value: unknown): number {
    const { openFor } = this.#options
    let ms: number | null | undefined
    call(() => {
      const asked =
        openFor === 'retry-after' ? classify(error ?? value)?.retryAfterMs : openFor?.(error, value)
      ms = asked
      return asked
    }, 'CircuitBreaker: `openFor`')
    return typeof ms === 'number' && ms >= 0 ? ms : -1
  }

  /** Tells listeners of a change that another holder of the name has made. */
  #hear(gate: number): void {
    if (((gate >>> STATE_SHIFT) & 7) !== this.#seen) this.#sync()
  }

  /** Tells listeners of a change they have not heard of. */
  #sync(): void {
    const state = this.#state()
    if (state === this.#seen) return
    const from = STATES[this.#seen] ?? 'closed'
    const to = STATES[state] ?? 'closed'
    this.#seen = state
    const { onStateChange } = this.#options
    if (onStateChange && visible(from) !== visible(to)) {
      if (to !== 'closed') closing = undefined
      call(() => onStateChange(visible(to), visible(from)), 'CircuitBreaker: `onStateChange`')
    }
    if (this.#listeners?.has('stateChange')) {
      this.#listeners.emit('stateChange', { from, to, because: this.explain(), breaker: this })
    }
  }

  #tellRejected(reason: RejectionReason, retryAfterMs: number | undefined): void {
    this.#listeners?.emit('rejected', { reason, retryAfterMs, breaker: this })
  }

  /** The time until the answer may be another, as the cell says. */
  #retryAfter(now: number): number | undefined {
    const left = (this.#cells.f64[this.#base / 2 + UNTIL] as number) - now
    return left > 0 && left < Number.POSITIVE_INFINITY ? left : undefined
  }

  #rejection(code: number): CircuitBreakerError {
    const reason = REASONS[-code] ?? 'open'
    return refusal(
      this,
      this.#options,
      reason,
      reason === 'open' || reason === 'probing' ? this.#retryAfter(this.#now()) : undefined,
    )
  }

  #reject(reason: RejectionReason, left: number): Promise<never> {
    return rejecting(refusal(this, this.#options, reason, left))
  }
}

const succeeded = (value: unknown): Outcome<unknown> => ({ ok: true, value })
const failed = (error: unknown): Outcome<unknown> => ({ ok: false, error })

/** Counts a success in the cell; whether it is time to ask the engine. */
function count(cell: Int32Array): boolean {
  const successes = ((cell[SUCCESSES] as number) + 1) | 0
  cell[SUCCESSES] = successes
  return ((successes - (cell[ASK_AT] as number)) | 0) >= 0
}

function disposed(): SeawallError {
  return new SeawallError('SEAWALL_DISPOSED', 'CircuitBreaker: used after it was disposed')
}

/** The answer of a filter of the user's, or `otherwise` where it throws or answers a promise. */
function guarded<A>(filter: (argument: A) => boolean, argument: A, otherwise: boolean): boolean {
  let answer = otherwise
  call(() => {
    const said: unknown = filter(argument)
    if (!(said instanceof Promise)) answer = Boolean(said)
    return said
  }, 'CircuitBreaker: a filter')
  return answer
}

function visible(state: BreakerExplanation['state']): CircuitState {
  if (state === 'closed') return 'closed'
  return state === 'half-open' || state === 'recovering' ? 'half-open' : 'open'
}

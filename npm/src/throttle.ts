/**
 * Holding back while calls fail. What is refused is decided in `core/src/limit/throttle.rs`.
 *
 * While no call of the window has failed, a call does not reach the engine: successes are counted
 * here and told of when the slice of the window they belong to is over, or when a call fails.
 */
import { type Clock, systemClock } from './clock.js'
import type { CallContext, CallOptions } from './context.js'
import { Handles } from './engine/handles.js'
import { policyEngine } from './engine/policies/index.js'
import { optionProblem, type RejectedError, rejected, SeawallError } from './errors.js'
import { call, Listeners } from './events.js'
import { FAILURE, type Gate, NEUTRAL, SUCCESS, through } from './gate.js'
import { check, type Kind, updated } from './options.js'
import type { Outcome } from './outcome.js'
import { seedOr } from './seed.js'

/** When a throttle refuses calls. */
export interface ThrottleOptions {
  /**
   * How many calls are sent for each that succeeds, at least 1. Default 2: nothing is refused while
   * at least every other call succeeds. Nearer to 1 it refuses sooner, and finds out later that the
   * other side has recovered.
   */
  k?: number | undefined
  /** For how long a call counts, in ms. Default 60,000. */
  windowMs?: number | undefined
  /** With fewer calls in the window nothing is refused. Default 20. */
  minimumCalls?: number | undefined
  /** The highest probability of a refusal, above 0 and at most 1. Default 0.9. */
  maxRejection?: number | undefined
  /**
   * Whether an error speaks against the other side; one that does not is an answer, and counts as a
   * success. Default every error. Not asked in a pipeline, which has its own.
   */
  isFailure?: ((error: unknown) => boolean) | undefined
  /** The same seed refuses the same calls. Default a random one. */
  seed?: number | undefined
  /** Stands in its errors and explanations. */
  name?: string | undefined
  /** Where time comes from. Default the runtime's. */
  clock?: Clock | undefined
}

/** What a throttle tells of itself; see {@link Throttle.on}. */
export interface ThrottleEvents {
  /** A call was refused. */
  rejected: { probability: number }
}

/** Why a throttle decides as it does; of the calls of its window. */
export interface ThrottleExplanation {
  name: string | undefined
  /** The probability with which a call is refused now. */
  probability: number
  /** All calls. */
  calls: number
  successes: number
  failures: number
  /** Those refused here. */
  refused: number
}

/** Leave to run one call by hand. Settle it once; disposed of without, it counts as neutral. */
export interface ThrottlePermit extends Disposable {
  success(): void
  failure(): void
  neutral(): void
}

const FIELDS: Record<string, Kind> = {
  k: 'number',
  windowMs: 'number',
  minimumCalls: 'number',
  maxRejection: 'number',
  isFailure: 'function',
  seed: 'number',
  name: 'string',
  clock: 'object',
}
const handles = new Handles(handle => policyEngine().throttleFree(handle))

let gateOf: (throttle: Throttle) => Gate

/** A throttle as part of a pipeline. @internal */
export function throttleGate(throttle: Throttle): Gate {
  return gateOf(throttle)
}

/**
 * Sends the other side little more than it accepts, and refuses the rest.
 *
 * @example
 * ```ts
 * import { Throttle } from 'seawall'
 *
 * const throttle = new Throttle({ k: 2, windowMs: 60_000 })
 * const answer = await throttle.execute(async () => 'an answer')
 * console.log(answer, throttle.explain().probability)
 * ```
 */
export class Throttle implements Disposable {
  static {
    gateOf = throttle => throttle.#gate
  }

  readonly #gate: Gate = {
    enter: () => (this.#admit() ? 0 : this.#refusal()),
    leave: (_, outcome) => this.#settle(outcome),
  }
  readonly #clock: Clock
  #options: ThrottleOptions
  #handle: number
  /** Until then successes are counted here; below 0 the engine is asked each time. */
  #until: number
  #successes = 0
  #listeners: Listeners<ThrottleEvents> | undefined

  /** @throws OptionError for an option that is unknown, of a wrong type or out of range. */
  constructor(options: ThrottleOptions = {}) {
    check('Throttle', options, FIELDS)
    const core = policyEngine()
    this.#options = { ...options }
    this.#clock = options.clock ?? systemClock
    this.#handle = core.throttleNew(numbersOf(options), seedOr(options.seed))
    if (this.#handle < 0) throw optionProblem('Throttle', options, core)
    handles.watch(this, this.#handle)
    this.#until = core.throttleSettle(this.#handle, 0, NEUTRAL, this.#clock.now())
  }

  /** Its name, if it was given one. */
  get name(): string | undefined {
    return this.#options.name
  }

  /**
   * Calls `fn` unless the call is refused, and answers what it answers.
   *
   * @throws what `fn` throws; {@link RejectedError} with the code `SEAWALL_THROTTLED` without
   * calling it. Ended by an abort of `signal`, a call does not count.
   */
  execute<T>(fn: (context: CallContext) => PromiseLike<T> | T, options?: CallOptions): Promise<T> {
    const { isFailure } = this.#options
    if (isFailure === undefined) return through(this.#gate, fn, options)
    let answered = false
    const gate: Gate = {
      enter: this.#gate.enter,
      leave: (ticket, outcome) =>
        this.#gate.leave(ticket, answered && outcome === FAILURE ? SUCCESS : outcome),
    }
    const judged = async (context: CallContext): Promise<T> => {
      try {
        return await fn(context)
      } catch (error) {
        call(() => {
          answered = !isFailure(error)
        }, 'Throttle: `isFailure`')
        throw error
      }
    }
    return through(gate, judged, options)
  }

  /** Like {@link execute}, but answers `{ ok: true, value }` or `{ ok: false, error }`. */
  tryExecute<T>(
    fn: (context: CallContext) => PromiseLike<T> | T,
    options?: CallOptions,
  ): Promise<Outcome<T>> {
    return this.execute(fn, options).then<Outcome<T>, Outcome<T>>(
      value => ({ ok: true, value }),
      error => ({ ok: false, error }),
    )
  }

  /**
   * Leave to run one call by hand.
   *
   * @throws RejectedError if the call is refused.
   */
  acquire(): ThrottlePermit {
    this.#live()
    if (!this.#admit()) throw this.#refusal()
    let open = true
    const settle = (outcome: number): void => {
      if (open) this.#settle(outcome)
      open = false
    }
    return {
      success: () => settle(SUCCESS),
      failure: () => settle(FAILURE),
      neutral: () => settle(NEUTRAL),
      [Symbol.dispose]: () => settle(NEUTRAL),
    }
  }

  /** With which probability a call is refused now, and why. */
  explain(): ThrottleExplanation {
    const handle = this.#live()
    const numbers = policyEngine().throttleExplain(handle, this.#taken(), this.#clock.now())
    const at = (index: number): number => numbers[index] ?? 0
    return {
      name: this.#options.name,
      probability: at(0),
      calls: at(1),
      successes: at(2),
      failures: at(3),
      refused: at(4),
    }
  }

  /**
   * Goes on by these options, those not given staying as they are. What was counted stays; with
   * another `windowMs` it counts as if it were of now.
   *
   * @throws OptionError as the constructor; nothing has changed then.
   */
  update(options: Omit<ThrottleOptions, 'clock' | 'seed'>): void {
    check('Throttle', options, FIELDS)
    const core = policyEngine()
    const all = updated(this.#options, options)
    this.#settle(NEUTRAL)
    if (core.throttleUpdate(this.#live(), numbersOf(all), this.#clock.now()) < 0) {
      throw optionProblem('Throttle', options, core)
    }
    this.#options = all
    this.#settle(NEUTRAL)
  }

  /** Calls `listener` at each such event until the function returned is called. */
  on<E extends keyof ThrottleEvents>(
    event: E,
    listener: (detail: ThrottleEvents[E]) => void,
  ): () => void {
    this.#listeners ??= new Listeners('Throttle')
    return this.#listeners.add(event, listener)
  }

  /** Lets go of what the engine holds. Using it afterwards is an error. */
  [Symbol.dispose](): void {
    if (this.#handle < 0) return
    handles.release(this, this.#handle)
    this.#handle = -1
    this.#until = -1
  }

  #live(): number {
    if (this.#handle < 0) throw disposed()
    return this.#handle
  }

  /** The successes the engine does not know of. */
  #taken(): number {
    const successes = this.#successes
    this.#successes = 0
    return successes
  }

  #admit(): boolean {
    if (this.#until >= 0) return true
    if (this.#handle < 0) return false
    return policyEngine().throttleAdmit(this.#handle, this.#taken(), this.#clock.now())
  }

  #settle(outcome: number): void {
    if (this.#handle < 0) return
    const now = this.#clock.now()
    if (outcome === SUCCESS && now < this.#until) {
      this.#successes++
      return
    }
    this.#until = policyEngine().throttleSettle(this.#handle, this.#taken(), outcome, now)
  }

  #refusal(): RejectedError | SeawallError {
    if (this.#handle < 0) return disposed()
    const { probability, calls, successes, failures, refused } = this.explain()
    if (this.#listeners?.has('rejected')) this.#listeners.emit('rejected', { probability })
    return rejected(
      'SEAWALL_THROTTLED',
      `Throttle refused the call: ${successes} of the last ${calls} succeeded`,
      {
        rule: 'k',
        counts: { calls, successes, failures, refused, probability },
        policy: this.#options.name,
      },
    )
  }
}

/** The options as `ThrottleOptions` of `core/src/limit/throttle.rs`, field by field. */
function numbersOf({ k, windowMs, minimumCalls, maxRejection }: ThrottleOptions): Float64Array {
  return Float64Array.from([k, windowMs, minimumCalls, maxRejection], value => value ?? Number.NaN)
}

function disposed(): SeawallError {
  return new SeawallError('SEAWALL_DISPOSED', 'Throttle: used after it was disposed')
}

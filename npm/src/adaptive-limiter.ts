/**
 * A limit of calls in flight that finds its own height. How high it is, is the engine's decision
 * (`core/src/limit/adaptive`); who waits and who is turned away is the bulkhead's, whose places are
 * as many as the limit says.
 *
 * A call does not reach the engine: it begins while fewer than the limit are in flight, a number the
 * engine gave, and its latency goes into an array. The engine has also said with how many latencies
 * and when it wants to hear of them (`Terms` in core): at the earliest when they could decide
 * something, so that what it decides, and when, is the same as if it heard of each. That is one
 * crossing in up to 64 calls, and none for a time-out of its own: nothing is decided without calls.
 */
import {
  type AdaptiveAlgorithm,
  type AdaptiveLimiterOptions,
  type AdaptiveLimits,
  ALGORITHMS,
  adaptiveNumbers,
  checkAdaptive,
  checkLimits,
} from './adaptive-options.js'
import { Bulkhead, bulkheadGate } from './bulkhead.js'
import { type Clock, systemClock } from './clock.js'
import type { CallContext } from './context.js'
import { Handles } from './engine/handles.js'
import { policyEngine } from './engine/policies/index.js'
import { OptionError, optionProblem, RejectedError, rejected, SeawallError } from './errors.js'
import { Listeners } from './events.js'
import { FAILURE, type Gate, type GateCall, NEUTRAL, SUCCESS, through } from './gate.js'
import { updated } from './options.js'
import { failed, type Outcome, succeeded } from './outcome.js'
import { seedOr } from './seed.js'

/** What the last decision went by, in the order of `Change` in core. */
const REASONS = [
  'initial',
  'warm-up',
  'room',
  'steady',
  'queue',
  'throughput',
  'failures',
  'unused',
  'bounds',
] as const

/**
 * What a decision went by: `'initial'` none was made yet, `'warm-up'` too little is known, `'room'` it
 * may grow, `'steady'` neither more nor less, `'queue'` calls take longer than usual and so wait
 * somewhere, `'throughput'` more calls in flight brought latency and no throughput, `'failures'` calls
 * fail after a long time, `'unused'` a higher limit would mean nothing, `'bounds'` an update moved it.
 */
export type LimitReason = (typeof REASONS)[number]

/** An adaptive limiter as it stands. */
export interface AdaptiveExplanation {
  readonly algorithm: AdaptiveAlgorithm
  /** Calls that may be in flight. */
  readonly limit: number
  readonly minLimit: number
  readonly maxLimit: number
  /** Calls in flight; more than the limit where that has sunk since they began. */
  readonly inFlight: number
  /** Calls that wait for a place. */
  readonly queued: number
  readonly maxQueue: number
  /** What the last decision went by. */
  readonly reason: LimitReason
  /** Most calls in flight that a decision has seen; the limit does not grow past five times that. */
  readonly greatestInFlight: number
  /** The latency of the last window at its quantile, in ms. */
  readonly latencyMs: number | undefined
  /** What it is compared with. */
  readonly baselineMs: number | undefined
  /** By how many percent throughput grew for each percent of calls in flight more, if that is known. */
  readonly gain: number | undefined
  /** Calls sampled since the last decision. */
  readonly samples: number
  /** Calls the next one needs. */
  readonly minSamples: number
  /** When it is due if there are calls enough, in ms from now. */
  readonly nextDecisionInMs: number
}

/** What an adaptive limiter tells of itself; see {@link AdaptiveLimiter.on}. */
export interface AdaptiveEvents {
  /** The limit is another. */
  limitChange: { from: number; to: number; reason: LimitReason; limiter: AdaptiveLimiter }
  /** A call was refused. `error.rule` is `full`, `queueTimeout` or `priority`. */
  rejected: { error: RejectedError; limiter: AdaptiveLimiter }
}

/** A place to be given back by hand. Settle it once; disposed of without, it counts as neutral. */
export interface AdaptivePermit extends Disposable {
  /** The call succeeded; how long it took is sampled. */
  success(): void
  /** The call failed; how long it took is sampled if that was longer than usual. */
  failure(): void
  /** The call says nothing of the other side, such as one that was cancelled. */
  neutral(): void
}

const MESSAGES: Record<string, string> = {
  full: 'Adaptive limit is reached',
  queueTimeout: 'Adaptive limiter has let the call wait too long',
  priority: 'Adaptive limiter keeps its queue for calls of higher priority',
}

/** As many as core takes at a time. */
const MOST_SAMPLES = 64

const handles = new Handles(handle => policyEngine().adaptiveFree(handle))

let gateOf: (limiter: AdaptiveLimiter) => Gate

/** The limiter as a part of a pipeline. @internal */
export function adaptiveGate(limiter: AdaptiveLimiter): Gate {
  return gateOf(limiter)
}

/**
 * Lets as many calls run at once as the other side serves without letting them wait, and finds out
 * how many that are. Others wait for a place, or are refused at once.
 *
 * The limit follows how long calls take. A call that was aborted is not sampled, nor one that failed
 * faster than calls usually succeed; a slow failure, such as a time-out inside, lowers the limit.
 *
 * @example
 * ```ts
 * import { AdaptiveLimiter } from 'seawall'
 *
 * const limiter = new AdaptiveLimiter({ maxLimit: 500, maxQueue: 20, queueTimeoutMs: 200 })
 * limiter.on('limitChange', ({ from, to, reason }) => console.log(from, to, reason))
 * console.log(await limiter.execute(async ({ signal }) => `an answer, ${signal.aborted}`))
 * console.log(limiter.explain().limit)
 * ```
 */
export class AdaptiveLimiter implements Disposable {
  static {
    gateOf = limiter => limiter.#gate
  }

  #handle: number
  #options: AdaptiveLimiterOptions
  readonly #clock: Clock
  readonly #gate: Gate
  readonly #bulkhead: Bulkhead
  readonly #places: Gate
  #listeners: Listeners<AdaptiveEvents> | undefined
  #inFlight = 0
  /** Most calls in flight since the last handing over. */
  #peak = 0
  /** Latencies not handed over yet; of a failure -1 minus it. */
  readonly #samples = new Float64Array(MOST_SAMPLES)
  #pending = 0
  /** `Terms` in core. */
  #limit = 0
  #room = 1
  #due = Number.POSITIVE_INFINITY
  #latency = -1

  /** @throws OptionError naming the option, what is allowed and what came. */
  constructor(options: AdaptiveLimiterOptions = {}) {
    checkAdaptive(options)
    const { maxQueue, queueTimeoutMs, priorities, clock = systemClock } = options
    const seed = seedOr(options.seed)
    this.#options = { ...options }
    this.#clock = clock
    const e = policyEngine()
    this.#handle = e.adaptiveNew(adaptiveNumbers(options), seed, clock.now())
    if (this.#handle < 0) throw optionProblem('AdaptiveLimiter', options, e)
    handles.watch(this, this.#handle)
    this.#learn(clock.now())
    const maxConcurrent = this.#limit
    this.#bulkhead = named(
      () => new Bulkhead({ maxConcurrent, maxQueue, queueTimeoutMs, priorities, seed, clock }),
    )
    this.#places = bulkheadGate(this.#bulkhead)
    this.#gate = {
      enter: call => this.#enter(call),
      leave: (ticket, outcome, _, started) => this.#leave(started ?? ticket, outcome),
      // What a call waits at gates behind this one is no latency of the other side.
      timed: true,
    }
  }

  /** Its name, if it was given one. */
  get name(): string | undefined {
    return this.#options.name
  }

  /** Calls that may be in flight. */
  get limit(): number {
    return this.#limit
  }

  /**
   * Calls `fn` as soon as there is a place for it, and answers what it answers.
   *
   * @throws what `fn` throws; {@link RejectedError} (`SEAWALL_OVERLOADED`) without calling it if there
   * is no place; the reason of `signal` if that is aborted before it is called.
   */
  execute<T>(fn: (context: CallContext) => PromiseLike<T> | T, options?: GateCall): Promise<T> {
    return through(this.#gate, fn, options)
  }

  /** Like {@link execute}, but answers `{ ok: true, value }` or `{ ok: false, error }` and never throws. */
  tryExecute<T>(
    fn: (context: CallContext) => PromiseLike<T> | T,
    options?: GateCall,
  ): Promise<Outcome<T>> {
    return this.execute(fn, options).then<Outcome<T>, Outcome<T>>(succeeded, failed)
  }

  /**
   * A place to be given back by hand, with how the call ended.
   *
   * @throws as {@link execute} does without calling anything.
   */
  async acquire(options?: GateCall): Promise<AdaptivePermit> {
    const signal = options?.signal
    signal?.throwIfAborted()
    const entry = this.#enter(options)
    const ticket = entry instanceof Promise ? await entry : entry
    if (typeof ticket !== 'number') throw ticket
    if (signal?.aborted) {
      this.#leave(ticket, NEUTRAL)
      throw signal.reason
    }
    let held = true
    const settle = (outcome: number): void => {
      if (!held) return
      held = false
      this.#leave(ticket, outcome)
    }
    return {
      success: () => settle(SUCCESS),
      failure: () => settle(FAILURE),
      neutral: () => settle(NEUTRAL),
      [Symbol.dispose]: () => settle(NEUTRAL),
    }
  }

  /** Why the limit is as it is, and when that may change. */
  explain(): AdaptiveExplanation {
    const [
      algorithm = 0,
      limit = 0,
      minLimit = 0,
      maxLimit = 0,
      ,
      greatestInFlight = 0,
      change = 0,
      latency = -1,
      baseline = -1,
      gain = Number.NaN,
      samples = 0,
      minSamples = 0,
      nextDecisionInMs = 0,
    ] = Array.from(policyEngine().adaptiveExplain(this.#live(), this.#clock.now()))
    const { queued, maxQueue } = this.#bulkhead.explain()
    return {
      algorithm: ALGORITHMS[algorithm] ?? 'correlated',
      limit,
      minLimit,
      maxLimit,
      inFlight: this.#inFlight,
      queued,
      maxQueue,
      reason: REASONS[change] ?? 'initial',
      greatestInFlight,
      latencyMs: latency < 0 ? undefined : latency,
      baselineMs: baseline < 0 ? undefined : baseline,
      gain: Number.isNaN(gain) ? undefined : gain,
      samples: samples + this.#pending,
      minSamples,
      nextDecisionInMs,
    }
  }

  /**
   * Other options from now on; what is left out stays. The limit stays too, within the new bounds, and
   * so does what was measured, unless the algorithm is another.
   *
   * @throws OptionError; nothing has changed then.
   */
  update(options: AdaptiveLimits): void {
    checkLimits(options)
    const handle = this.#live()
    const merged = updated<AdaptiveLimiterOptions>(this.#options, options)
    const numbers = adaptiveNumbers({ ...merged, initialLimit: undefined })
    const e = policyEngine()
    // Asked on a limiter of its own, so that either all of it or nothing is changed.
    const trial = e.adaptiveNew(numbers, 0, 0)
    if (trial < 0) throw optionProblem('AdaptiveLimiter', merged, e)
    e.adaptiveFree(trial)
    const { maxQueue, queueTimeoutMs } = merged
    named(() => this.#bulkhead.update({ maxQueue, queueTimeoutMs }))
    e.adaptiveUpdate(handle, numbers)
    this.#options = merged
    this.#handOver(this.#clock.now())
  }

  /** Calls `listener` at each such event until the function returned is called. */
  on<E extends keyof AdaptiveEvents>(
    event: E,
    listener: (detail: AdaptiveEvents[E]) => void,
  ): () => void {
    this.#listeners ??= new Listeners('AdaptiveLimiter')
    return this.#listeners.add(event, listener)
  }

  /** Refuses those who wait and lets go of what the engine holds. Calls that run go on. */
  [Symbol.dispose](): void {
    if (this.#handle < 0) return
    handles.release(this, this.#handle)
    this.#handle = -1
    this.#bulkhead[Symbol.dispose]()
  }

  #live(): number {
    if (this.#handle < 0) throw disposed()
    return this.#handle
  }

  #enter(call: GateCall | undefined): number | SeawallError | Promise<number> {
    const entry = this.#places.enter(call)
    if (typeof entry === 'number') return this.#begin()
    if (!(entry instanceof Promise)) return this.#reword(entry) as SeawallError
    return entry.then(
      () => this.#begin(),
      error => {
        const { signal } = call ?? {}
        throw signal?.aborted && error === signal.reason ? error : this.#reword(error)
      },
    )
  }

  /** A call begins; its ticket is when. */
  #begin(): number {
    this.#inFlight++
    if (this.#inFlight > this.#peak) this.#peak = this.#inFlight
    return Math.max(0, this.#clock.now())
  }

  #leave(started: number, outcome: number): void {
    this.#inFlight--
    if (outcome !== NEUTRAL && this.#handle >= 0) {
      const now = this.#clock.now()
      const latency = Math.max(0, now - started)
      this.#samples[this.#pending] = outcome === SUCCESS ? latency : -1 - latency
      this.#pending++
      if (this.#pending >= this.#room || now >= this.#due) this.#handOver(now)
    }
    this.#places.leave(0, outcome)
  }

  /** Gives the engine what was gathered, and lets in as many as it now says. */
  #handOver(now: number): void {
    const from = this.#limit
    this.#learn(now)
    if (this.#limit === from) return
    this.#bulkhead.update({ maxConcurrent: this.#limit })
    if (!this.#listeners?.has('limitChange')) return
    const { reason } = this.explain()
    this.#listeners.emit('limitChange', { from, to: this.#limit, reason, limiter: this })
  }

  #learn(now: number): void {
    const terms = policyEngine().adaptiveTake(
      this.#handle,
      this.#samples,
      this.#pending,
      this.#inFlight,
      this.#peak,
      now,
    )
    this.#pending = 0
    this.#peak = 0
    this.#limit = terms[0] as number
    this.#room = terms[1] as number
    this.#due = terms[2] as number
    this.#latency = terms[3] as number
  }

  /** A refusal of the bulkhead as one of this limiter. */
  #reword(error: unknown): unknown {
    if (this.#handle < 0) return disposed()
    if (!(error instanceof RejectedError)) return error
    const { rule } = error
    const { running, ...counts } = error.counts
    const refusal = rejected('SEAWALL_OVERLOADED', MESSAGES[rule] ?? error.message, {
      rule,
      counts: { ...counts, limit: this.#limit, inFlight: this.#inFlight },
      policy: this.#options.name,
      retryAfterMs: this.#latency < 0 ? undefined : Math.ceil(this.#latency),
    })
    this.#listeners?.emit('rejected', { error: refusal, limiter: this })
    return refusal
  }
}

/** What the bulkhead inside says of options, said in the limiter's name. */
function named<T>(act: () => T): T {
  try {
    return act()
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    throw new OptionError(error.message.replace(/^Bulkhead/, 'AdaptiveLimiter'), error.option)
  }
}

function disposed(): SeawallError {
  return new SeawallError('SEAWALL_DISPOSED', 'AdaptiveLimiter: used after it was disposed')
}

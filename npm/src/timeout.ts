/**
 * Time-outs. How long a call may take and whether it is begun are the engine's rules; this file runs
 * functions, keeps the list of those under way and makes errors.
 *
 * The engine has written down what holds (the time-out, the time that must be left), so a call that
 * ends in time does not reach it. What such a call costs are two promises, a look at the clock and
 * two links in a list: no timer, since all calls share one, and no `AbortController` unless the
 * function asks for its signal. The signal is aborted when the time is up or the caller aborts, and
 * never after a success, so that the body of a response can still be read.
 */
import { type Clock, systemClock } from './clock.js'
import { Attempt, type CallContext, type CallOptions, type InnerCall } from './context.js'
import { Handles } from './engine/handles.js'
import { policyEngine } from './engine/policies/index.js'
import { describe, optionProblem, rejected, SeawallError, type TimeoutError } from './errors.js'
import { asked, Listeners } from './events.js'
import { isThenable, rejecting } from './gate.js'
import { Latencies, STALE_MS } from './latency.js'
import type { Outcome } from './outcome.js'
import {
  checkTimeout,
  type TimeoutMode,
  type TimeoutOptions,
  timeoutNumbers,
} from './timeout-options.js'
import { timedOut, Watch, type WatchPort } from './timeout-watch.js'
import { afterTurn, TimerQueue } from './timer-queue.js'

/** What a time-out tells of itself; see {@link Timeout.on}. */
export interface TimeoutEvents {
  /** The time of a call was up. */
  timeout: { error: TimeoutError; timeoutMs: number; blockedMs: number | undefined }
  /** A call was not begun, for want of time. */
  rejected: { remainingMs: number; leastMs: number }
}

/** Why a {@link Timeout} is as it is. Times are in ms. */
export interface TimeoutExplanation {
  /** Where the time-out comes from. */
  rule: 'fixed' | 'function' | 'quantile'
  mode: TimeoutMode
  name: string | undefined
  /** What a call that begins now would be given; the fallback where a function tells it. */
  timeoutMs: number
  /** A call with less time left is not begun. */
  leastMs: number
  /** How many latencies are known. */
  samples: number
  /** Their median. */
  medianMs: number | undefined
  /** The quantile that is followed. */
  quantileMs: number | undefined
  /** Calls under way that have time left. */
  inFlight: number
  /** Functions still running although their time is up. */
  abandoned: number
  /** How often a time was up, of these how often the event loop had been blocked, and how many calls were not begun. */
  timedOut: number
  blocked: number
  refused: number
  /** When the time of a call under way will be up next, from now. */
  nextMs: number | undefined
}

const BLOCKED = 2
const RULES = ['deadlinePassed', 'tooShort']

let run: <T>(
  policy: Timeout,
  fn: (attempt: Attempt) => PromiseLike<T> | T,
  options: InnerCall | undefined,
  number: number,
) => Promise<T>

const handles = new Handles(handle => policyEngine().timeoutFree(handle))

/**
 * Ends calls that take too long.
 *
 * A function that passes its context on as the options of another policy hands on deadline and
 * signal. While a call is under way its timer keeps the process alive, until the call ends or its
 * time is up; an idle `Timeout` never does.
 *
 * @example
 * ```ts
 * import { Timeout } from 'seawall'
 *
 * const timeout = new Timeout({ timeoutMs: 2000 })
 * const answer = await timeout.execute(async call => `answered with ${call.remaining()} ms left`)
 * console.log(answer)
 * ```
 */
export class Timeout implements Disposable {
  static {
    run = (policy, fn, options, number) => policy.#run(fn, options, number)
  }

  #options: TimeoutOptions
  readonly #clock: Clock
  readonly #queue: TimerQueue
  readonly #latencies = new Latencies()
  #handle: number
  #hard = true
  /** What the engine wrote down last, and when. */
  #own = 0
  #least = 0
  #asked = 0
  /** Whether all calls are measured, or only those with a deadline. */
  #follows = false
  /** Whether calls are not all given the same time. */
  #varies = false
  #listeners: Listeners<TimeoutEvents> | undefined
  #abandoned = 0
  #timedOut = 0
  #blocked = 0
  #refused = 0

  /** @throws OptionError naming the option, what is allowed and what came. */
  constructor(options: TimeoutOptions) {
    checkTimeout(options)
    this.#options = { ...options }
    this.#clock = options.clock ?? systemClock
    this.#queue = new TimerQueue(this.#clock)
    const core = policyEngine()
    this.#handle = core.timeoutNew(timeoutNumbers(options))
    if (this.#handle < 0) throw optionProblem('Timeout', options, core)
    handles.watch(this, this.#handle)
    this.#apply()
  }

  /** Its name, if it was given one. */
  get name(): string | undefined {
    return this.#options.name
  }

  /**
   * Calls `fn` and answers what it answers, if that comes in time.
   *
   * @throws what `fn` throws; {@link TimeoutError} when the time is up; the reason of the caller's
   * signal when that is aborted; {@link RejectedError} without calling `fn` if the deadline is too near.
   */
  execute<T>(fn: (context: CallContext) => PromiseLike<T> | T, options?: CallOptions): Promise<T> {
    return this.#run(fn, options, 1)
  }

  /** Like {@link execute}, but answers a result instead of throwing. */
  tryExecute<T>(
    fn: (context: CallContext) => PromiseLike<T> | T,
    options?: CallOptions,
  ): Promise<Outcome<T>> {
    return this.execute(fn, options).then(
      value => ({ ok: true, value }),
      error => ({ ok: false, error }),
    )
  }

  /** What holds now, why, and what is under way. */
  explain(): TimeoutExplanation {
    if (this.#handle < 0) throw disposed()
    const { timeoutMs, mode = 'hard', name } = this.#options
    const now = this.#clock.now()
    this.#tell(now)
    const follows = typeof timeoutMs === 'object' ? timeoutMs : undefined
    const known = policyEngine().timeoutExplain(this.#handle, follows?.quantile ?? 1, now)
    const { nextDue } = this.#queue
    return {
      rule: follows ? 'quantile' : typeof timeoutMs === 'function' ? 'function' : 'fixed',
      mode,
      name,
      timeoutMs: this.#own,
      leastMs: this.#least,
      samples: known[0] ?? 0,
      medianMs: defined(known[1]),
      quantileMs: follows && defined(known[2]),
      inFlight: this.#queue.size,
      abandoned: this.#abandoned,
      timedOut: this.#timedOut,
      blocked: this.#blocked,
      refused: this.#refused,
      nextMs: nextDue === undefined ? undefined : Math.max(0, nextDue - now),
    }
  }

  /**
   * Changes options from now on; those left out stay, and so do the latencies. Calls under way keep
   * the time they were given. `clock` cannot be changed.
   *
   * @throws OptionError as the constructor; nothing is changed then.
   */
  update(options: Partial<TimeoutOptions>): void {
    if (this.#handle < 0) throw disposed()
    const all = { ...this.#options, ...options, clock: this.#options.clock }
    checkTimeout(all)
    const core = policyEngine()
    if (core.timeoutUpdate(this.#handle, timeoutNumbers(all)) < 0) {
      throw optionProblem('Timeout', all, core)
    }
    this.#options = all
    this.#apply()
  }

  /** Calls `listener` at each such event until the function returned is called. */
  on<E extends keyof TimeoutEvents>(
    event: E,
    listener: (detail: TimeoutEvents[E]) => void,
  ): () => void {
    this.#listeners ??= new Listeners('Timeout')
    return this.#listeners.add(event, listener)
  }

  /** Lets go of what the engine holds. Calls under way still end in time; new ones are refused. */
  [Symbol.dispose](): void {
    if (this.#handle < 0) return
    this.#tell(this.#clock.now())
    handles.release(this, this.#handle)
    this.#handle = -1
  }

  #run<T>(
    fn: (attempt: Attempt) => PromiseLike<T> | T,
    options: InnerCall | undefined,
    number: number,
  ): Promise<T> {
    const parent = options?.parent
    // The policy outside hears of aborts itself; a signal would be made for every call.
    const signal = parent ? undefined : options?.signal
    if (signal?.aborted) return rejecting(signal.reason)
    const attempt = new Attempt(number, options?.deadline, parent ?? signal, this.#clock)
    return this.#hard ? this.#race(fn, attempt, signal) : this.#wait(fn, attempt, signal)
  }

  /** The caller hears when the time is up, whatever the function does. */
  #race<T>(
    fn: (attempt: Attempt) => PromiseLike<T> | T,
    attempt: Attempt,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const watch = this.#watch(attempt, signal, reject)
      if (watch instanceof Error) return reject(watch)
      let promise: Promise<T>
      try {
        const result = fn(attempt)
        if (!isThenable(result)) {
          watch.end(true)
          return resolve(result)
        }
        // What is not a promise of the language may throw in `then`, or settle twice.
        promise = Promise.resolve(result)
      } catch (error) {
        watch.end(false)
        return reject(error)
      }
      if (signal !== undefined) {
        const abort = (): void => {
          watch.giveUp(signal.reason)
          reject(signal.reason)
        }
        // The function itself may have aborted it.
        if (signal.aborted) abort()
        else {
          signal.addEventListener('abort', abort, { once: true })
          watch.detach = () => signal.removeEventListener('abort', abort)
        }
      }
      promise.then(
        value => {
          watch.end(true)
          resolve(value)
        },
        error => {
          watch.end(false)
          reject(error)
        },
      )
    })
  }

  /** The call ends when the function does. */
  #wait<T>(
    fn: (attempt: Attempt) => PromiseLike<T> | T,
    attempt: Attempt,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const watch = this.#watch(attempt, signal, ignore)
    if (watch instanceof Error) return rejecting(watch)
    let promise: PromiseLike<T> | T
    try {
      promise = fn(attempt)
    } catch (error) {
      promise = Promise.reject(error)
    }
    return Promise.resolve(promise).then(
      value => {
        watch.end(true)
        return value
      },
      error => {
        watch.end(false)
        throw watch.errorFor(error)
      },
    )
  }

  /** Begins to watch an attempt, or says why it is not begun. */
  #watch(
    attempt: Attempt,
    signal: AbortSignal | undefined,
    expired: (error: TimeoutError) => void,
  ): Watch | SeawallError {
    if (this.#handle < 0) return disposed()
    const now = this.#clock.now()
    const { deadline } = attempt
    let limit = this.#own
    let measured = this.#follows
    if (this.#varies || deadline !== Number.POSITIVE_INFINITY) {
      limit = this.#limit(attempt, signal, now)
      measured ||= deadline !== Number.POSITIVE_INFINITY
      if (limit < 0) return this.#refusal(limit, Math.max(0, deadline - now))
    }
    const watch = new Watch(this.#port, attempt, limit, measured ? now : -1, expired)
    if (limit !== Number.POSITIVE_INFINITY) {
      attempt.deadline = now + limit
      this.#queue.add(watch, now, limit)
    }
    return watch
  }

  /** What a watch needs of its policy. */
  readonly #port: WatchPort = {
    stop: watch => this.#queue.remove(watch),
    ended: (watch, success) => {
      if (watch.error !== undefined) this.#abandoned--
      else if (success && watch.started >= 0) this.#measure(this.#clock.now() - watch.started)
    },
    late: (watch, late) => {
      if (late <= 0 || this.#handle < 0) return this.#expire(watch, undefined)
      const how = policyEngine().timeoutLate(this.#handle, late)
      if (how === 0) return this.#expire(watch, undefined)
      afterTurn(this.#clock, () => {
        if (!watch.over) this.#expire(watch, how === BLOCKED ? late : undefined)
      })
    },
  }

  #expire(watch: Watch, blockedMs: number | undefined): void {
    const { given } = watch
    const error = timedOut(given, this.#options.name, blockedMs)
    this.#timedOut++
    this.#abandoned++
    if (blockedMs !== undefined) this.#blocked++
    else if (watch.started >= 0) this.#measure(given)
    watch.giveUp(error, error)
    this.#listeners?.emit('timeout', { error, timeoutMs: given, blockedMs })
  }

  /** The time of a call that is not as all others, or the reason (below 0) why it is not begun. */
  #limit(attempt: Attempt, signal: AbortSignal | undefined, now: number): number {
    if (now - this.#asked > STALE_MS) this.#tell(now)
    const own = this.#ownOf(attempt, signal)
    const left = attempt.deadline - now
    const time = Number.isNaN(own) ? this.#own : own
    if (left === Number.POSITIVE_INFINITY) return time
    if (left > 0 && left >= this.#least) return Math.min(time, left)
    return policyEngine().timeoutLimit(this.#handle, own, Math.max(0, left), now)
  }

  /** What the function tells for this call, NaN where it tells nothing. */
  #ownOf({ attempt, deadline }: Attempt, signal: AbortSignal | undefined): number {
    const { timeoutMs } = this.#options
    if (typeof timeoutMs !== 'function') return Number.NaN
    const context = new Attempt(attempt, deadline, signal, this.#clock)
    const told = (): unknown => {
      const ms: unknown = timeoutMs(context)
      if ((typeof ms === 'number' && ms > 0) || ms instanceof Promise) return ms
      throw new TypeError(`it must answer a number above 0, got ${describe(ms)}`)
    }
    const ms = asked(told, Number.NaN, 'Timeout: `timeoutMs`') as number
    context.close()
    return ms
  }

  #refusal(reason: number, left: number): SeawallError {
    this.#refused++
    const leastMs = this.#least
    this.#listeners?.emit('rejected', { remainingMs: left, leastMs })
    const message =
      left <= 0
        ? 'The deadline has passed'
        : `${left.toFixed(0)} ms until the deadline are too few for the call`
    return rejected('SEAWALL_DEADLINE', message, {
      rule: RULES[-reason - 1] ?? 'tooShort',
      counts: { remainingMs: left, leastMs },
      policy: this.#options.name,
    })
  }

  #measure(ms: number): void {
    if (this.#latencies.add(ms) && this.#handle >= 0) this.#tell(this.#clock.now())
  }

  /** Tells the engine of the latencies gathered and takes down what holds now. */
  #tell(now: number): void {
    const limits = policyEngine().timeoutRecord(this.#handle, this.#latencies.take(), now)
    this.#own = limits[0] ?? Number.POSITIVE_INFINITY
    this.#least = limits[1] ?? 0
    this.#latencies.askAfter = limits[2] ?? 1
    this.#asked = now
  }

  #apply(): void {
    const { timeoutMs, mode } = this.#options
    this.#hard = mode !== 'cooperative'
    this.#follows = typeof timeoutMs === 'object'
    this.#varies = typeof timeoutMs !== 'number'
    this.#tell(this.#clock.now())
  }
}

/**
 * `execute` for try `number` of a call: `fn` gets the {@link Attempt}, whose deadline is that of the
 * try and whose signal is aborted when its time is up. @internal
 */
export function timeoutRun<T>(
  policy: Timeout,
  fn: (attempt: Attempt) => PromiseLike<T> | T,
  options: InnerCall | undefined,
  number: number,
): Promise<T> {
  return run(policy, fn, options, number)
}

function disposed(): SeawallError {
  return new SeawallError('SEAWALL_DISPOSED', 'Timeout: used after it was disposed')
}

function ignore(): void {}

function defined(number: number | undefined): number | undefined {
  return number === undefined || Number.isNaN(number) ? undefined : number
}

/**
 * Hedges: a second try beside the first where that takes long. When, and how many, are the engine's
 * rules; this file begins tries, takes the first success and lets go of the rest.
 *
 * The calls of a policy share one timer. A hedge begins in the `AsyncLocalStorage` of its caller all
 * the same, through a promise made when the call began, and after one turn of I/O: were the event
 * loop blocked, all calls under way would be hedged at once although their answers have come.
 */
import { type Clock, systemClock } from './clock.js'
import type { CallContext, CallOptions, InnerCall } from './context.js'
import { Handles } from './engine/handles.js'
import { policyEngine } from './engine/policies/index.js'
import { describe, optionProblem, SeawallError } from './errors.js'
import { asked, Listeners, report } from './events.js'
import { isThenable, rejecting } from './gate.js'
import { type Begin, HedgedCall, type Port } from './hedge-call.js'
import { checkHedge, type HedgeBudget, type HedgeOptions, hedgeNumbers } from './hedge-options.js'
import { Latencies, STALE_MS } from './latency.js'
import type { Outcome } from './outcome.js'
import { afterTurn, TimerQueue } from './timer-queue.js'

/** What hedging tells of itself; see {@link Hedge.on}. */
export interface HedgeEvents {
  /** A hedge begins; 2 is the first try after the original one. */
  hedge: { attempt: number; delayMs: number }
  /** A try other than the first has answered first. */
  won: { attempt: number }
  /** The budget refused a hedge. */
  refused: { attempt: number }
}

/** Why a {@link Hedge} is as it is. Times are in ms. */
export interface HedgeExplanation {
  /** Where the delay comes from. */
  rule: 'fixed' | 'function' | 'quantile'
  name: string | undefined
  /** The delay of a call that begins now, `undefined` where it would not be hedged or a function tells it. */
  delayMs: number | undefined
  maxHedges: number
  /** How many latencies are known. */
  samples: number
  /** Calls under way. */
  inFlight: number
  /** Hedges begun, of these answers that came first, and hedges the budget refused. */
  hedged: number
  won: number
  refused: number
}

let run: <T>(
  policy: Hedge,
  options: InnerCall | undefined,
  begin: Begin<T>,
  resolve: (value: T) => void,
  reject: (error: unknown) => void,
  spare: HedgeBudget | undefined,
) => void

const handles = new Handles(handle => policyEngine().hedgeFree(handle))

/**
 * Calls a function again, beside the call under way, where that takes longer than most do. The first
 * success counts; the others are told through their signal, and not waited for. Where all fail, the
 * call fails with the first error, one from the other side before one of this package's policies.
 *
 * Only for what may be carried out twice.
 *
 * @example
 * ```ts
 * import { Hedge } from 'seawall'
 *
 * const hedge = new Hedge({ delayMs: { quantile: 0.95 } })
 * const answer = await hedge.execute(async ({ attempt }) => `answered by try ${attempt}`)
 * console.log(answer)
 * ```
 */
export class Hedge implements Disposable {
  static {
    run = (policy, options, begin, resolve, reject, spare) =>
      policy.#run(options, begin, resolve, reject, spare)
  }

  #options: HedgeOptions
  readonly #clock: Clock
  readonly #queue: TimerQueue
  readonly #latencies = new Latencies()
  #handle: number
  /** What the engine wrote down last, and when. */
  #usual = -1
  #known = 0
  #asked = 0
  #listeners: Listeners<HedgeEvents> | undefined
  #inFlight = 0
  #hedged = 0
  #won = 0
  #refused = 0

  /** @throws OptionError naming the option, what is allowed and what came. */
  constructor(options: HedgeOptions) {
    checkHedge(options)
    this.#options = { ...options }
    this.#clock = options.clock ?? systemClock
    this.#queue = new TimerQueue(this.#clock)
    const core = policyEngine()
    this.#handle = core.hedgeNew(hedgeNumbers(options))
    if (this.#handle < 0) throw optionProblem('Hedge', options, core)
    handles.watch(this, this.#handle)
    this.#tell(this.#clock.now())
  }

  /** Its name, if it was given one. */
  get name(): string | undefined {
    return this.#options.name
  }

  /**
   * Calls `fn`, and again while it has not answered in time; `attempt` of the context is 2 for the
   * first hedge.
   *
   * @throws what `fn` throws if every try fails; the reason of the caller's signal when that is aborted.
   */
  execute<T>(fn: (context: CallContext) => PromiseLike<T> | T, options?: CallOptions): Promise<T> {
    if (options?.signal?.aborted) return rejecting(options.signal.reason)
    return new Promise((resolve, reject) => {
      const begin: Begin<T> = (attempt, ok, err) => {
        let result: PromiseLike<T> | T
        try {
          result = fn(attempt)
          // What is not a promise of the language may throw in `then`, or settle twice.
          if (isThenable(result)) return void Promise.resolve(result).then(ok, err)
        } catch (error) {
          return err(error)
        }
        ok(result as T)
      }
      this.#run(options, begin, resolve, reject, undefined)
    })
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

  /** What holds now, why, and what has come of it. */
  explain(): HedgeExplanation {
    if (this.#handle < 0) throw disposed()
    const { delayMs, maxHedges = 1, name } = this.#options
    this.#tell(this.#clock.now())
    const told = typeof delayMs === 'function'
    return {
      rule: typeof delayMs === 'object' ? 'quantile' : told ? 'function' : 'fixed',
      name,
      delayMs: told || this.#usual < 0 ? undefined : this.#usual,
      maxHedges,
      samples: this.#known,
      inFlight: this.#inFlight,
      hedged: this.#hedged,
      won: this.#won,
      refused: this.#refused,
    }
  }

  /**
   * Changes options from now on; those left out stay, and so do the latencies. `clock` cannot be
   * changed.
   *
   * @throws OptionError as the constructor; nothing is changed then.
   */
  update(options: Partial<HedgeOptions>): void {
    if (this.#handle < 0) throw disposed()
    const all = { ...this.#options, ...options, clock: this.#options.clock }
    checkHedge(all)
    const core = policyEngine()
    if (core.hedgeUpdate(this.#handle, hedgeNumbers(all)) < 0) {
      throw optionProblem('Hedge', all, core)
    }
    this.#options = all
    this.#tell(this.#clock.now())
  }

  /** Calls `listener` at each such event until the function returned is called. */
  on<E extends keyof HedgeEvents>(
    event: E,
    listener: (detail: HedgeEvents[E]) => void,
  ): () => void {
    this.#listeners ??= new Listeners('Hedge')
    return this.#listeners.add(event, listener)
  }

  /** Lets go of what the engine holds. Calls under way end without further hedges; new ones are refused. */
  [Symbol.dispose](): void {
    if (this.#handle < 0) return
    handles.release(this, this.#handle)
    this.#handle = -1
  }

  #run<T>(
    options: InnerCall | undefined,
    begin: Begin<T>,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
    spare: HedgeBudget | undefined,
  ): void {
    if (this.#handle < 0) {
      reject(disposed())
      return
    }
    this.#inFlight++
    new HedgedCall(this.#port, this.#clock, options, begin, resolve, reject, spare).begin()
  }

  /** What a call needs of its policy. */
  readonly #port: Port = {
    plan: (call, begun, now) => {
      const delay = this.#delay(call, begun, now)
      if (delay < 0) return delay
      if (delay > 0 && delay < Number.POSITIVE_INFINITY) this.#queue.add(call, now, delay)
      return delay
    },
    stop: call => this.#queue.remove(call),
    allow: (attempt, spare) => {
      const { budget = spare } = this.#options
      if (this.#handle < 0) return undefined
      if (budget === undefined || allowed(budget)) {
        this.#hedged++
        return { budget }
      }
      this.#refused++
      this.#listeners?.emit('refused', { attempt })
      return undefined
    },
    begun: (attempt, delayMs) => this.#listeners?.emit('hedge', { attempt, delayMs }),
    over: (winner, firstMs) => {
      this.#inFlight--
      if (firstMs >= 0 && this.#latencies.add(firstMs)) this.#tell(this.#clock.now())
      if (winner <= 1) return
      this.#won++
      this.#listeners?.emit('won', { attempt: winner })
    },
    after: fn => afterTurn(this.#clock, fn),
  }

  /** How long to wait before the next try, or a number below 0 for none. */
  #delay(call: HedgedCall<unknown>, begun: number, now: number): number {
    if (this.#handle < 0) return -1
    const { delayMs } = this.#options
    const deadline = call.deadline
    const told = typeof delayMs === 'function'
    if (begun === 1 && !told && deadline === Number.POSITIVE_INFINITY) {
      if (now - this.#asked > STALE_MS) this.#tell(now)
      return this.#usual
    }
    const left = Math.max(0, deadline - now)
    const ask = (own: number): number =>
      policyEngine().hedgeDelay(this.#handle, begun, own, left, now)
    // A function is not asked for a delay after which nothing would follow.
    const none = told ? ask(0) : 0
    if (none < 0) return none
    return ask(told ? this.#told(delayMs, call) : Number.NaN)
  }

  #told(delayMs: (context: CallContext) => number, call: HedgedCall<unknown>): number {
    const told = (): unknown => {
      const ms: unknown = delayMs(call.last)
      if ((typeof ms === 'number' && ms >= 0) || ms instanceof Promise) return ms
      throw new TypeError(`it must answer a number of at least 0, got ${describe(ms)}`)
    }
    return asked(told, Number.NaN, 'Hedge: `delayMs`') as number
  }

  /** Tells the engine of the latencies gathered and takes down what holds now. */
  #tell(now: number): void {
    if (this.#handle < 0) return
    const usual = policyEngine().hedgeRecord(this.#handle, this.#latencies.take(), now)
    this.#usual = usual[0] ?? -1
    this.#latencies.askAfter = usual[1] ?? 1
    this.#known = usual[2] ?? 0
    this.#asked = now
  }
}

/**
 * Hedges calls without a promise between `begin` and the two functions that settle. `spare` limits
 * hedges that have no budget of their own. @internal
 */
export function hedgeRun<T>(
  policy: Hedge,
  options: InnerCall | undefined,
  begin: Begin<T>,
  resolve: (value: T) => void,
  reject: (error: unknown) => void,
  spare?: HedgeBudget,
): void {
  run(policy, options, begin, resolve, reject, spare)
}

function allowed(budget: HedgeBudget): boolean {
  try {
    return budget.allow()
  } catch (error) {
    report(error, 'Hedge: the budget')
    return false
  }
}

function disposed(): SeawallError {
  return new SeawallError('SEAWALL_DISPOSED', 'Hedge: used after it was disposed')
}

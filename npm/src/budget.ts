/**
 * How many repetitions there may be beside the calls they repeat. Decided in
 * `core/src/retry/budget.rs`.
 *
 * The beginning and the end of a call are plain counters here, and the engine is told of them when
 * a repetition asks. That is exact: what is under way matters only then, and what calls have
 * brought may be put into a bucket at any time between two withdrawals, the sum and what flows over
 * being the same. The pair measured at 6 ns a call; telling the addon of each is two calls of it,
 * 130 ns apiece. A word of a cell is no cheaper than a field, and nobody but this isolate reads it.
 */
import { type Clock, systemClock } from './clock.js'
import { Handles } from './engine/handles.js'
import { policyEngine } from './engine/policies/index.js'
import { optionProblem, SeawallError } from './errors.js'
import { Listeners } from './events.js'
import { check, type Kind, updated } from './options.js'

/** How much may be repeated. */
export interface RetryBudgetOptions {
  /**
   * `'inFlight'` (default): while fewer than `minConcurrency` repetitions are under way, or no more
   * than `ratio` of the calls under way. `'tokens'`: while there is a whole one in a bucket into
   * which each call puts `ratio` and each second `perSecond`.
   */
  kind?: 'inFlight' | 'tokens' | undefined
  /** Repetitions for each call, above 0 and at most 1. Default 0.2. */
  ratio?: number | undefined
  /** So many are allowed at a time whatever the ratio. Default 3. Only of `'inFlight'`. */
  minConcurrency?: number | undefined
  /** What a second brings. Default 10. Only of `'tokens'`. */
  perSecond?: number | undefined
  /** What the bucket holds, from 1 to a million; it is full at first. Default 100. Only of `'tokens'`. */
  maxTokens?: number | undefined
  /** Stands in its explanations. */
  name?: string | undefined
  /** Where time comes from. Default the runtime's. */
  clock?: Clock | undefined
}

/** What a budget tells of itself; see {@link RetryBudget.on}. */
export interface BudgetEvents {
  /** A repetition was refused. */
  refused: { calls: number; retries: number }
}

/** Why a budget decides as it does. */
export interface BudgetExplanation {
  name: string | undefined
  kind: 'inFlight' | 'tokens'
  /** Calls under way. */
  calls: number
  /** Repetitions under way. */
  retries: number
  /** What is in the bucket, if there is one. */
  tokens: number | undefined
  /** Repetitions allowed so far. */
  allowed: number
  /** Repetitions refused so far. */
  refused: number
}

const FIELDS: Record<string, Kind> = {
  kind: ['inFlight', 'tokens'],
  ratio: 'number',
  minConcurrency: 'number',
  perSecond: 'number',
  maxTokens: 'number',
  name: 'string',
  clock: 'object',
}
const handles = new Handles(handle => policyEngine().budgetFree(handle))

/**
 * Limits what is sent twice, retries and hedges alike, to a share of the calls. One budget may
 * serve any number of policies.
 *
 * A pipeline that is given one calls the four functions below by itself; a loop of your own calls
 * them like this:
 *
 * @example
 * ```ts
 * import { RetryBudget } from 'seawall'
 *
 * const budget = new RetryBudget({ ratio: 0.2 })
 * budget.began()
 * if (budget.allow()) {
 *   // Wait, and call again.
 *   budget.retryEnded()
 * }
 * budget.ended()
 * ```
 */
export class RetryBudget implements Disposable {
  readonly #clock: Clock
  #options: RetryBudgetOptions
  #handle: number
  #calls = 0
  #retries = 0
  /** Calls begun that the engine has not been told of. */
  #fresh = 0
  #listeners: Listeners<BudgetEvents> | undefined

  /** @throws OptionError for an option that is unknown, of a wrong type or out of range. */
  constructor(options: RetryBudgetOptions = {}) {
    check('RetryBudget', options, FIELDS)
    const core = policyEngine()
    this.#options = { ...options }
    this.#clock = options.clock ?? systemClock
    this.#handle = core.budgetNew(numbersOf(options))
    if (this.#handle < 0) throw optionProblem('RetryBudget', options, core)
    handles.watch(this, this.#handle)
  }

  /** Its name, if it was given one. */
  get name(): string | undefined {
    return this.#options.name
  }

  /** A call begins; its repetitions are not counted here. */
  began(): void {
    this.#calls++
    this.#fresh++
  }

  /** A call is over, with all its repetitions. */
  ended(): void {
    if (this.#calls > 0) this.#calls--
  }

  /**
   * Whether a repetition may begin; ask before the wait that comes before it. If so,
   * {@link retryEnded} ends it; if not, hand the failure that was to be repeated to the caller.
   */
  allow(): boolean {
    const fresh = this.#taken()
    const now = this.#clock.now()
    const allowed = policyEngine().budgetAllow(this.#live(), this.#calls, this.#retries, fresh, now)
    if (allowed) this.#retries++
    else this.#listeners?.emit('refused', { calls: this.#calls, retries: this.#retries })
    return allowed
  }

  /** A repetition that was allowed is over. */
  retryEnded(): void {
    if (this.#retries > 0) this.#retries--
  }

  /** What is under way, and what was allowed and refused. */
  explain(): BudgetExplanation {
    const handle = this.#live()
    const now = this.#clock.now()
    const numbers = policyEngine().budgetExplain(
      handle,
      this.#calls,
      this.#retries,
      this.#taken(),
      now,
    )
    const at = (index: number): number => numbers[index] ?? 0
    return {
      name: this.#options.name,
      kind: this.#options.kind ?? 'inFlight',
      calls: at(0),
      retries: at(1),
      tokens: at(2) < 0 ? undefined : at(2),
      allowed: at(3),
      refused: at(4),
    }
  }

  /**
   * Goes on by these options, those not given staying as they are. What is under way stays so, and
   * what was taken from the bucket is still missing.
   *
   * @throws OptionError as the constructor; nothing has changed then.
   */
  update(options: Omit<RetryBudgetOptions, 'clock'>): void {
    check('RetryBudget', options, FIELDS)
    const core = policyEngine()
    const all = updated(this.#options, options)
    const handle = this.#live()
    if (core.budgetUpdate(handle, numbersOf(all), this.#fresh, this.#clock.now()) < 0) {
      throw optionProblem('RetryBudget', options, core)
    }
    this.#fresh = 0
    this.#options = all
  }

  /** Calls `listener` at each such event until the function returned is called. */
  on<E extends keyof BudgetEvents>(
    event: E,
    listener: (detail: BudgetEvents[E]) => void,
  ): () => void {
    this.#listeners ??= new Listeners('RetryBudget')
    return this.#listeners.add(event, listener)
  }

  /** Lets go of what the engine holds. Asking it afterwards is an error. */
  [Symbol.dispose](): void {
    if (this.#handle < 0) return
    handles.release(this, this.#handle)
    this.#handle = -1
  }

  #live(): number {
    if (this.#handle < 0) {
      throw new SeawallError('SEAWALL_DISPOSED', 'RetryBudget: used after it was disposed')
    }
    return this.#handle
  }

  #taken(): number {
    const fresh = this.#fresh
    this.#fresh = 0
    return fresh
  }
}

/** The options as `BudgetOptions` of `core/src/retry/budget.rs`, field by field. */
function numbersOf(options: RetryBudgetOptions): Float64Array {
  const { kind, ratio, minConcurrency, perSecond, maxTokens } = options
  const tokens = kind === 'tokens' ? 1 : 0
  const numbers = [tokens, ratio, minConcurrency, perSecond, maxTokens]
  return Float64Array.from(numbers, value => value ?? Number.NaN)
}

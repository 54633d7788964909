/**
 * Policies: the parts a call needs, compiled into one function. What each part decides is its own
 * and the engine's business, whether they fit together is the engine's (`core/src/policy`); this
 * file puts them in order.
 */
import { CircuitBreaker } from './breaker/index.js'
import { RetryBudget, type RetryBudgetOptions } from './budget.js'
import { type Clock, systemClock } from './clock.js'
import type { CallContext } from './context.js'
import { policyEngine } from './engine/policies/index.js'
import {
  CircuitBreakerError,
  OptionError,
  optionProblem,
  RejectedError,
  SeawallError,
} from './errors.js'
import { Listeners } from './events.js'
import { type Gate, rejecting } from './gate.js'
import { check } from './options.js'
import type { Outcome } from './outcome.js'
import { type DecisionLog, DecisionRing } from './policy-log.js'
import {
  callProblem,
  FIELDS,
  type PolicyOptions,
  planNumbers,
  type Stage,
  stagesOf,
} from './policy-options.js'
import {
  checkKinds,
  makePart,
  type Part,
  type PartUpdate,
  type Surroundings,
} from './policy-parts.js'
import {
  calling,
  Flight,
  type PolicyCall,
  Refusals,
  type Run,
  segment,
  started,
} from './policy-run.js'
import { Difference, shadowed, type TrialReport } from './policy-trial.js'
import { seedOr } from './seed.js'

/** What a policy tells of its calls; see {@link Policy.on}. */
export interface PolicyEvents {
  /** A try failed, and another follows after `waitMs`. */
  retry: { attempt: number; waitMs: number; error: unknown; policy: Policy }
  /** A part of the policy refused a call, or a try of it. */
  rejected: { error: RejectedError | CircuitBreakerError; policy: Policy }
}

/** A part of a policy as {@link Policy.describe} shows it. */
export interface StageDescription {
  /** Which part it is. */
  stage: Stage
  /** What it says of its present state, where it has one. */
  state: unknown
}

const NO_CALL: PolicyCall = Object.freeze({})
const FIXED = ['name', 'clock', 'seed', 'log'] as const

/** Other options on trial; see {@link Policy.trial}. Disposing of it ends the trial. */
export interface PolicyTrial extends Disposable {
  /** What would have been different so far, part by part. */
  report(): TrialReport[]
}

let count: (policy: Policy) => void
let retire: (policy: Policy) => void

/** From now on it counts its calls, for {@link retirePolicy}. @internal */
export function countCalls(policy: Policy): void {
  count(policy)
}

/** Disposes of it once its calls have ended. @internal */
export function retirePolicy(policy: Policy): void {
  retire(policy)
}

type Trial = Map<Stage, { part: Part; gate: Gate; difference: Difference }>

/**
 * One function of retry, breaker and whatever else a call needs, put together in an order that
 * makes sense.
 *
 * @example
 * ```ts
 * import { policy } from 'seawall'
 *
 * const billing = policy({
 *   name: 'billing',
 *   retry: { maxAttempts: 3, delayMs: 100 },
 *   breaker: { threshold: 5, resetTimeMs: 10_000 },
 * })
 * const answer = await billing.execute(async ({ attempt }) => `paid at try ${attempt}`)
 * console.log(answer, billing.describe())
 * ```
 */
export class Policy implements Disposable {
  /** Its name, if it was given one. */
  readonly name: string | undefined
  readonly #clock: Clock
  #options: PolicyOptions
  #stages: Stage[]
  #parts = new Map<Stage, Part>()
  readonly #trials = new Set<Trial>()
  readonly #ring: DecisionRing | undefined
  #budget: RetryBudget | undefined
  /** The pipeline for calls that bring a deadline where the policy has none. */
  #bounded: Run | undefined
  #boundary: Part | undefined
  readonly #seed: number | undefined
  readonly #refusals = new Refusals(error => this.#rejected(error))
  #run: Run
  #listeners: Listeners<PolicyEvents> | undefined
  #disposed = false
  /** Calls under way, -1 where nobody needs to know. */
  #running = -1
  #retired = false
  readonly #ended = (): void => {
    if (--this.#running === 0 && this.#retired) this[Symbol.dispose]()
  }

  static {
    count = policy => {
      policy.#running = 0
    }
    retire = policy => {
      policy.#retired = true
      if (policy.#running <= 0) policy[Symbol.dispose]()
    }
  }

  /** @throws OptionError for an option that is unknown, wrong, or at odds with another. */
  constructor(options: PolicyOptions) {
    this.#stages = planned(options)
    this.#options = options
    this.name = options.name
    this.#clock = options.clock ?? systemClock
    const { log = 0 } = options
    this.#seed = log > 0 ? seedOr(options.seed) : options.seed
    this.#ring = log > 0 ? new DecisionRing(log, this.#clock, this.#seed as number) : undefined
    this.#budget = this.#budgetOf(options)
    this.#parts = this.#make(options, this.#stages, new Map())
    this.#run = this.#compile()
  }

  /**
   * Calls `fn` behind the policy and answers what it answers. `fn` is told its try, its deadline
   * and a signal; where there are repetitions it is called again.
   *
   * @throws what `fn` threw last, or the error of the part that refused the call
   */
  execute<T>(
    fn: (context: CallContext) => PromiseLike<T> | T,
    options: PolicyCall = NO_CALL,
  ): Promise<T> {
    if (this.#disposed) return rejecting(disposed())
    if (typeof fn !== 'function' || options !== NO_CALL) {
      const problem = callProblem(fn, options)
      if (problem) return rejecting(problem)
    }
    const { signal } = options
    if (signal?.aborted) return rejecting(signal.reason)
    const { deadline } = options
    if (this.#running >= 0) this.#running++
    const promise =
      deadline === undefined
        ? started(this.#run, new Flight(fn, options, Number.POSITIVE_INFINITY), 1)
        : started(this.#within(), new Flight(fn, options, deadline), 1)
    if (this.#running >= 0) promise.then(this.#ended, this.#ended)
    return promise as Promise<T>
  }

  /** Like {@link execute}, but answers a result instead of rejecting. */
  tryExecute<T>(
    fn: (context: CallContext) => PromiseLike<T> | T,
    options?: PolicyCall,
  ): Promise<Outcome<T>> {
    return this.execute(fn, options).then(
      value => ({ ok: true, value }),
      error => ({ ok: false, error }),
    )
  }

  /** `fn` behind this policy, with the same arguments and `this`. */
  wrap<This, Args extends unknown[], T>(
    fn: (this: This, ...args: Args) => PromiseLike<T> | T,
  ): (this: This, ...args: Args) => Promise<T> {
    const policy = this
    return function (...args) {
      return policy.execute(() => fn.apply(this, args))
    }
  }

  /** The parts in their order, the outermost first, and the state of each. */
  describe(): StageDescription[] {
    return this.#stages.map(stage => ({ stage, state: this.#parts.get(stage)?.explain() }))
  }

  /**
   * Goes on with these parts in place of those of the same name; `undefined` takes one away. Each
   * keeps what it knows (an opening, its counts, its queue). Calls under way end as they began.
   *
   * @throws OptionError for what is wrong, and for `name`, `clock`, `seed` and `log`, which cannot be
   * changed; the policy is unchanged then
   */
  update(options: Omit<PolicyOptions, 'clock' | 'name' | 'log' | 'seed'>): void {
    if (this.#disposed) throw disposed()
    check('policy', options ?? null, FIELDS)
    for (const fixed of FIXED) {
      const given = (options as PolicyOptions)[fixed]
      if (given !== undefined && given !== this.#options[fixed]) {
        throw new OptionError(`policy: \`${fixed}\` cannot be changed`, fixed)
      }
    }
    const merged = { ...this.#options, ...options }
    const stages = planned(merged)
    const kept = new Map<Stage, Part>()
    const updated: [PartUpdate, unknown][] = []
    for (const stage of stages) {
      const part = this.#parts.get(stage)
      const given = merged[stage]
      if (!part) continue
      if (given === this.#options[stage]) kept.set(stage, part)
      else if (part.update?.takes(given)) {
        kept.set(stage, part)
        updated.push([part.update, given])
      }
    }
    // All that may be wrong is found here, before anything changes.
    this.#try(merged, stages, kept)
    for (const [update, given] of updated) update.check(given)
    if ('budget' in options && merged.budget !== this.#options.budget) this.#tryBudget(merged)
    const parts = this.#make(merged, stages, kept)
    for (const [update, given] of updated) update.apply(given)
    if (merged.budget !== this.#options.budget) this.#budget = this.#budgetOf(merged)
    for (const [stage, part] of this.#parts) if (!kept.has(stage)) part.dispose()
    this.#parts = parts
    this.#options = merged
    this.#stages = stages
    this.#run = this.#compile()
  }

  /**
   * Tries other options beside those in use: their parts hear of every call and decide none.
   * What they would have decided is in the reports of what is returned, until that is disposed of.
   *
   * @throws OptionError for what is wrong, or for a part that does not let calls through
   */
  trial(options: Omit<PolicyOptions, 'clock' | 'name' | 'order'>): PolicyTrial {
    if (this.#disposed) throw disposed()
    const stages = planned({ ...options, clock: this.#clock })
    const parts = this.#make(unnamed(options), stages, new Map())
    const trial: Trial = new Map()
    for (const [stage, part] of parts) {
      if (part.gate && this.#parts.get(stage)?.gate) {
        trial.set(stage, { part, gate: part.gate, difference: new Difference() })
      } else {
        for (const made of parts.values()) made.dispose()
        throw new OptionError(`policy: \`${stage}\` cannot be tried beside another`, stage)
      }
    }
    this.#trials.add(trial)
    this.#run = this.#compile()
    const report = (): TrialReport[] =>
      [...trial].map(([stage, { part, difference }]) => ({
        stage,
        calls: difference.calls,
        wouldRefuse: difference.wouldRefuse,
        wouldAllow: difference.wouldAllow,
        wouldWait: difference.wouldWait,
        state: part.explain(),
      }))
    let last: TrialReport[] | undefined
    return {
      report: () => last ?? report(),
      [Symbol.dispose]: () => {
        if (!this.#trials.delete(trial)) return
        last = report()
        for (const { part } of trial.values()) part.dispose()
        if (!this.#disposed) this.#run = this.#compile()
      },
    }
  }

  /**
   * The decisions kept by the option `log`, as plain data; `replay` of `seawall/testing` plays them
   * against other options. Without that option there are none.
   */
  log(): DecisionLog {
    return this.#ring?.read() ?? { version: 1, seed: 0, truncated: false, entries: [] }
  }

  /** Calls `listener` at each such event until the function returned is called. */
  on<E extends keyof PolicyEvents>(
    event: E,
    listener: (detail: PolicyEvents[E]) => void,
  ): () => void {
    this.#listeners ??= new Listeners('policy')
    return this.#listeners.add(event, listener)
  }

  /** Lets go of the parts it made itself. Using it afterwards is an error. */
  [Symbol.dispose](): void {
    if (this.#disposed) return
    this.#disposed = true
    for (const part of this.#parts.values()) part.dispose()
    this.#boundary?.dispose()
    if (this.#budget !== this.#options.budget) this.#budget?.[Symbol.dispose]()
    for (const trial of this.#trials) for (const { part } of trial.values()) part.dispose()
  }

  /** The budget of `options`; the present one with other options where it is the policy's own. */
  #budgetOf({ budget }: PolicyOptions): RetryBudget | undefined {
    if (budget === undefined || budget instanceof RetryBudget) return budget
    const own = this.#budget
    if (own === undefined || own === this.#options.budget) {
      return new RetryBudget({ clock: this.#clock, ...budget })
    }
    own.update(budget)
    return own
  }

  #tryBudget({ budget }: PolicyOptions): void {
    if (budget === undefined || budget instanceof RetryBudget) return
    const isOwn = this.#budget !== undefined && this.#budget !== this.#options.budget
    const old = isOwn ? (this.#options.budget as RetryBudgetOptions) : undefined
    new RetryBudget({ ...old, ...budget })[Symbol.dispose]()
  }

  /** The pipeline within the deadline of the call, if it is not within one of its own. */
  #within(): Run {
    if (this.#stages.includes('deadlineMs')) return this.#run
    if (this.#bounded) return this.#bounded
    const part = makePart('deadlineMs', { deadlineMs: Number.POSITIVE_INFINITY }, this.#around())
    const run: Run = (flight, attempt) => this.#run(flight, attempt)
    this.#bounded = part.around?.(run) ?? run
    this.#boundary = part
    return this.#bounded
  }

  #around(): Surroundings {
    const now = (): Pick<Surroundings, 'budget' | 'idempotent'> => ({
      budget: this.#budget,
      idempotent: this.#options.retry?.idempotent,
    })
    return {
      clock: this.#clock,
      seed: this.#seed,
      get budget() {
        return now().budget
      },
      get idempotent() {
        return now().idempotent
      },
      waiting: (attempt, waitMs, error) =>
        this.#listeners?.emit('retry', { attempt, waitMs, error, policy: this }),
    }
  }

  /** The parts of `stages` that are not among those kept. */
  #make(options: PolicyOptions, stages: Stage[], kept: Map<Stage, Part>): Map<Stage, Part> {
    const parts = new Map(kept)
    const surroundings = this.#around()
    try {
      for (const stage of stages) {
        if (!parts.has(stage)) parts.set(stage, makePart(stage, options, surroundings))
      }
    } catch (error) {
      for (const [stage, part] of parts) if (!kept.has(stage)) part.dispose()
      throw error
    }
    return parts
  }

  /** Makes the parts that are not kept, and lets them go again. */
  #try(options: PolicyOptions, stages: Stage[], kept: Map<Stage, Part>): void {
    const parts = this.#make(unnamed(options), stages, kept)
    for (const [stage, part] of parts) if (!kept.has(stage)) part.dispose()
  }

  /** From the innermost part to the outermost; gates side by side become one segment. */
  #compile(): Run {
    let run = calling(this.#clock)
    let gates: Gate[] = []
    const close = (): void => {
      run = segment(gates, run, this.#clock, this.#refusals)
      gates = []
    }
    for (const stage of this.#stages.toReversed()) {
      const { gate, around } = this.#parts.get(stage) as Part
      if (gate) gates.unshift(this.#watched(stage, gate))
      else if (around) {
        close()
        run = around(run)
      }
    }
    close()
    return run
  }

  #watched(stage: Stage, gate: Gate): Gate {
    let it = this.#ring?.watch(stage, gate) ?? gate
    for (const trial of this.#trials) {
      const candidate = trial.get(stage)
      if (candidate) it = shadowed(it, candidate.gate, candidate.difference)
    }
    return it
  }

  #rejected(error: unknown): void {
    if (!this.#listeners?.has('rejected')) return
    if (error instanceof RejectedError || error instanceof CircuitBreakerError) {
      this.#listeners.emit('rejected', { error, policy: this })
    }
  }
}

/**
 * A {@link Policy} of these parts.
 *
 * @throws OptionError for an option that is unknown, wrong, or at odds with another
 */
export function policy(options: PolicyOptions): Policy {
  return new Policy(options)
}

/** The parts in their order, once they fit together. */
function planned(options: PolicyOptions): Stage[] {
  const stages = stagesOf(options)
  checkKinds(options, stages)
  const e = policyEngine()
  if (e.policyCheck(planNumbers(options, stages)) < 0) throw optionProblem('policy', options, e)
  return stages
}

/** The options without the name of a breaker, which would be the one in use. */
function unnamed(options: PolicyOptions): PolicyOptions {
  const { breaker } = options
  if (breaker === undefined || breaker instanceof CircuitBreaker) return options
  return { ...options, breaker: { ...breaker, name: undefined } }
}

function disposed(): SeawallError {
  return new SeawallError('SEAWALL_DISPOSED', 'policy: used after it was disposed')
}

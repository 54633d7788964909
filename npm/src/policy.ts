/**
 * Policies: the parts a call needs, compiled into one function. What each part decides is its own
 * and the engine's business, whether they fit together is the engine's (`core/src/policy`); this
 * file puts them in order.
 */
import { breakerGate, CircuitBreaker } from './breaker.js'
import { chaos } from './chaos.js'
import { type Clock, systemClock } from './clock.js'
import type { CallContext } from './context.js'
import { engine } from './engine/index.js'
import { CircuitBreakerError, optionProblem, RejectedError, SeawallError } from './errors.js'
import { Listeners, report } from './events.js'
import { type Gate, rejecting } from './gate.js'
import type { Outcome } from './outcome.js'
import {
  type PolicyChaosOptions,
  type PolicyOptions,
  planNumbers,
  type Stage,
  stagesOf,
} from './policy-options.js'
import { calling, Flight, type PolicyCall, type Run, segment, started } from './policy-run.js'
import { isUnwanted, type RetryHooks, repeat } from './retry.js'
import { checkRetry, type RetryOptions } from './retry-options.js'

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

/** A part that has a state: how to describe it, and to let it go. */
interface Part {
  explain(): unknown
  dispose(): void
}

const STATELESS: Part = { explain: () => undefined, dispose: () => {} }

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
  readonly #stages: Stage[]
  readonly #parts = new Map<Stage, Part>()
  readonly #run: Run
  #listeners: Listeners<PolicyEvents> | undefined
  #disposed = false

  /** @throws OptionError for an option that is unknown, wrong, or at odds with another. */
  constructor(options: PolicyOptions) {
    this.#stages = stagesOf(options)
    const e = engine()
    if (e.policyCheck(planNumbers(options, this.#stages)) < 0) {
      throw optionProblem('policy', options, e)
    }
    this.name = options.name
    this.#clock = options.clock ?? systemClock
    try {
      this.#run = this.#compile(options)
    } catch (error) {
      this[Symbol.dispose]()
      throw error
    }
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
    const { signal } = options
    if (signal?.aborted) return rejecting(signal.reason)
    const flight = new Flight(fn, options, options.deadline ?? Number.POSITIVE_INFINITY)
    return started(this.#run, flight, 1) as Promise<T>
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
  }

  /** From the innermost part to the outermost; gates side by side become one segment. */
  #compile(options: PolicyOptions): Run {
    let run = calling(this.#clock)
    let gates: Gate[] = []
    const close = (): void => {
      if (gates.length > 0) run = segment(gates, run, this.#clock, error => this.#rejected(error))
      gates = []
    }
    for (const stage of this.#stages.toReversed()) {
      const gate = this.#gate(stage, options)
      if (gate) gates.unshift(gate)
      else {
        close()
        run = this.#around(stage, options, run)
      }
    }
    close()
    return run
  }

  #gate(stage: Stage, options: PolicyOptions): Gate | undefined {
    if (stage !== 'breaker') return undefined
    const given = options.breaker
    const own =
      given instanceof CircuitBreaker
        ? undefined
        : new CircuitBreaker({ clock: options.clock, ...given })
    const breaker = own ?? (given as CircuitBreaker)
    this.#parts.set(stage, {
      explain: () => breaker.explain(),
      dispose: () => own?.[Symbol.dispose](),
    })
    return breakerGate(breaker)
  }

  #around(stage: Stage, options: PolicyOptions, next: Run): Run {
    this.#parts.set(stage, STATELESS)
    if (stage === 'retry') return this.#repeating(options.retry ?? {}, next)
    return this.#striking(options.chaos ?? {}, next)
  }

  #repeating(given: RetryOptions, next: Run): Run {
    checkRetry(given)
    const options: RetryOptions = { onRefusal: 'stop', ...given, clock: this.#clock }
    const { retryResult } = options
    const timed = options.maxElapsedMs !== undefined || typeof options.backoff === 'object'
    const hooks: RetryHooks = {
      allow: () => true,
      ended: () => {},
      waiting: (attempt, waitMs, error) =>
        this.#listeners?.emit('retry', { attempt, waitMs, error, policy: this }),
    }
    const again = (flight: Flight, at: number, first: Outcome<unknown>): Promise<unknown> => {
      const { signal, deadline, idempotent = options.idempotent } = flight
      const own = deadline === Number.POSITIVE_INFINITY ? undefined : deadline
      const mine = { ...options, signal, deadline: own, idempotent }
      return repeat(attempt => next(flight, attempt), mine, at, first, hooks)
    }
    return (flight, attempt) => {
      const at = timed ? this.#clock.now() : 0
      return started(next, flight, attempt).then(
        retryResult &&
          (value =>
            isUnwanted(retryResult, value) ? again(flight, at, { ok: true, value }) : value),
        error => again(flight, at, { ok: false, error }),
      )
    }
  }

  #striking({ when, ...options }: PolicyChaosOptions, next: Run): Run {
    const struck = chaos({ clock: this.#clock, ...options })(
      async (flight: Flight, attempt: number) => next(flight, attempt),
    )
    if (when === undefined) return struck
    return (flight, attempt) => {
      let may = false
      try {
        may = Boolean(when(flight))
      } catch (error) {
        report(error, 'policy: chaos.when')
      }
      return (may ? struck : next)(flight, attempt)
    }
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

function disposed(): SeawallError {
  return new SeawallError('SEAWALL_DISPOSED', 'policy: used after it was disposed')
}

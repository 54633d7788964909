/** The parts of a policy, each made of its options. One function a part, and a line in {@link MAKERS}. */
import { AdaptiveLimiter, adaptiveGate } from './adaptive-limiter.js'
import { breakerGate, CircuitBreaker } from './breaker.js'
import type { RetryBudget } from './budget.js'
import { Bulkhead, bulkheadGate } from './bulkhead.js'
import { Cache } from './cache.js'
import type { CacheOptions } from './cache-options.js'
import { chaos } from './chaos.js'
import type { Clock } from './clock.js'
import { Coalescer } from './coalesce.js'
import type { CallContext } from './context.js'
import { report } from './events.js'
import { Fallback, recover } from './fallback.js'
import type { Gate } from './gate.js'
import { Hedge, hedgeRun } from './hedge.js'
import type { Outcome } from './outcome.js'
import type { PolicyChaosOptions, PolicyOptions, Stage } from './policy-options.js'
import { type Flight, type Run, started } from './policy-run.js'
import { RateLimiter, rateLimiterGate } from './rate-limiter.js'
import { isUnwanted, judged, type RetryHooks, repeat } from './retry.js'
import type { RetryOptions } from './retry-options.js'
import { Throttle, throttleGate } from './throttle.js'
import { Timeout, timeoutRun } from './timeout.js'

/** A part of a policy. @internal */
export interface Part {
  /** How it lets calls through; or, where it does more than that, what it puts around the rest. */
  readonly gate?: Gate
  readonly around?: (next: Run) => Run
  /** What it says of its present state. */
  explain(): unknown
  /** Takes other options over and keeps what it knows. Without it, it knows nothing and is made anew. */
  update?(given: unknown): void
  /** Lets go of what it made itself. */
  dispose(): void
}

/** What the parts of one policy share. @internal */
export interface Surroundings {
  readonly clock: Clock
  readonly seed: number | undefined
  /** What limits further tries. */
  readonly budget: RetryBudget | undefined
  /** Tells that a further try follows. */
  waiting(attempt: number, waitMs: number, error: unknown): void
}

type Maker<S extends Stage> = (given: NonNullable<PolicyOptions[S]>, around: Surroundings) => Part

const STATELESS = { explain: (): unknown => undefined, dispose: (): void => {} }

interface Stateful<O> extends Disposable {
  explain(): unknown
  update(options: O): void
}

/** A part that is `given`, or made of the options given. */
function stateful<O extends object, T extends Stateful<Partial<O>>>(
  type: new (options: O) => T,
  given: O | T,
  defaults: Partial<O>,
  shape: (it: T) => Pick<Part, 'gate' | 'around'>,
): Part {
  if (given instanceof type) {
    return { ...shape(given), explain: () => given.explain(), dispose: () => {} }
  }
  const it = new type({ ...defaults, ...(given as O) })
  return {
    ...shape(it),
    explain: () => it.explain(),
    update: options => it.update(options as Partial<O>),
    dispose: () => it[Symbol.dispose](),
  }
}

function retry(given: RetryOptions, { clock, seed, budget, waiting }: Surroundings): Part {
  const options: RetryOptions = { onRefusal: 'stop', seed, ...given, clock }
  const problem = judged(options)
  if (problem !== undefined) throw problem
  const { retryResult } = options
  const timed = options.maxElapsedMs !== undefined || typeof options.backoff === 'object'
  const hooks: RetryHooks = {
    allow: () => budget?.allow() ?? true,
    ended: () => budget?.retryEnded(),
    waiting,
  }
  const around = (next: Run): Run => {
    const again = (flight: Flight, at: number, first: Outcome<unknown>): Promise<unknown> => {
      const { signal, deadline, idempotent = options.idempotent } = flight
      const own = deadline === Number.POSITIVE_INFINITY ? undefined : deadline
      const mine = { ...options, signal, deadline: own, idempotent }
      return repeat(attempt => next(flight, attempt), mine, at, first, hooks)
    }
    const once = (flight: Flight, at: number, value: unknown): unknown =>
      retryResult && isUnwanted(retryResult, value) ? again(flight, at, { ok: true, value }) : value
    const run: Run = (flight, attempt) => {
      const at = timed ? clock.now() : 0
      return started(next, flight, attempt).then(
        retryResult && (value => once(flight, at, value)),
        error => again(flight, at, { ok: false, error }),
      )
    }
    return budget ? counted(budget, run) : run
  }
  return { ...STATELESS, around }
}

/** A run whose calls the budget counts, repetitions apart. */
function counted(budget: RetryBudget, next: Run): Run {
  return (flight, attempt) => {
    budget.began()
    return started(next, flight, attempt).then(
      value => {
        budget.ended()
        return value
      },
      error => {
        budget.ended()
        throw error
      },
    )
  }
}

function hedge(given: NonNullable<PolicyOptions['hedge']>, { clock, budget }: Surroundings): Part {
  const limited = budget && { allow: () => budget.allow(), ended: () => budget.retryEnded() }
  return stateful(Hedge, given, { clock, ...(limited && { budget: limited }) }, it => ({
    around: next => (flight, number) =>
      new Promise((resolve, reject) => {
        hedgeRun(
          it,
          flight,
          (attempt, ok, err) => {
            started(next, flight.within(attempt), number - 1 + attempt.attempt).then(ok, err)
          },
          resolve,
          reject,
        )
      }),
  }))
}

/** Runs within a time-out: what is inside gets the try, with its deadline and its signal. */
function timed(it: Timeout): Pick<Part, 'around'> {
  return {
    around: next => (flight, number) =>
      timeoutRun(it, attempt => next(flight.within(attempt), number), flight, number),
  }
}

function strikes({ when, ...options }: PolicyChaosOptions, { clock, seed }: Surroundings): Part {
  const struck = chaos({ clock, seed, ...options })
  const around = (next: Run): Run => {
    const hit = struck(async (flight: Flight, attempt: number) => next(flight, attempt))
    if (when === undefined) return hit
    return (flight, attempt) => {
      let may = false
      try {
        may = Boolean(when(flight))
      } catch (error) {
        report(error, 'policy: chaos.when')
      }
      return (may ? hit : next)(flight, attempt)
    }
  }
  return { ...STATELESS, around }
}

/** Runs for calls with a key through what shares or keeps answers by key; the others pass it by. */
function byKey(
  execute: (key: string, fn: (context: CallContext) => unknown, flight: Flight) => unknown,
): Pick<Part, 'around'> {
  return {
    around: next => (flight, number) =>
      flight.key === undefined
        ? next(flight, number)
        : execute(flight.key, context => next(flight.on(context), number), flight),
  }
}

function fallback(given: NonNullable<PolicyOptions['fallback']>, { clock }: Surroundings): Part {
  const own = given instanceof Fallback ? undefined : new Fallback<unknown>(given, { clock })
  const it = own ?? (given as Fallback<unknown>)
  return {
    around: next => (flight, number) =>
      started(next, flight, number).then(undefined, error => recover(it, error, flight.signal)),
    explain: () => it.explain(),
    dispose: () => own?.[Symbol.dispose](),
  }
}

function cache(given: NonNullable<PolicyOptions['cache']>, { clock, seed }: Surroundings): Part {
  return stateful<CacheOptions<unknown>, Cache<unknown>>(Cache, given, { clock, seed }, it =>
    byKey((key, fn, flight) => it.execute(key, fn, flight)),
  )
}

function coalesce(given: NonNullable<PolicyOptions['coalesce']>, { clock }: Surroundings): Part {
  const shared = given instanceof Coalescer
  const it = shared ? given : new Coalescer({ clock, ...(typeof given === 'object' && given) })
  return {
    ...byKey((key, fn, flight) => it.execute(key, fn, flight)),
    explain: () => it.explain(),
    dispose: () => shared || it[Symbol.dispose](),
  }
}

const MAKERS: { readonly [S in Stage]: Maker<S> } = {
  fallback,
  cache,
  coalesce,
  deadlineMs: (timeoutMs, { clock }) => deadline({ timeoutMs, leastMs: 0, clock }),
  retry,
  hedge,
  rateLimit: (given, { clock }) =>
    stateful(RateLimiter, given, { clock }, it => ({ gate: rateLimiterGate(it) })),
  throttle: (given, { clock, seed }) =>
    stateful(Throttle, given, { clock, seed }, it => ({ gate: throttleGate(it) })),
  breaker: (given, { clock, seed }) =>
    stateful(CircuitBreaker, given, { clock, seed }, it => ({ gate: breakerGate(it) })),
  timeout: (given, { clock }) =>
    stateful(Timeout, typeof given === 'number' ? { timeoutMs: given } : given, { clock }, timed),
  bulkhead: (given, { clock, seed }) =>
    stateful(Bulkhead, given, { clock, seed }, it => ({ gate: bulkheadGate(it) })),
  adaptive: (given, { clock, seed }) =>
    stateful(AdaptiveLimiter, given, { clock, seed }, it => ({ gate: adaptiveGate(it) })),
  chaos: strikes,
}

/** The whole call within its time. */
function deadline(options: { timeoutMs: number; leastMs: number; clock: Clock }): Part {
  const part = stateful(Timeout, options, {}, timed)
  return { ...part, update: timeoutMs => part.update?.({ timeoutMs }) }
}

/** The part of that name. @throws OptionError @internal */
export function makePart(stage: Stage, options: PolicyOptions, around: Surroundings): Part {
  return (MAKERS[stage] as Maker<Stage>)(options[stage] as never, around)
}

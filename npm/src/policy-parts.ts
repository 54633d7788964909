/** The parts of a policy, each made of its options. One function a part, and a line in {@link MAKERS}. */
import { AdaptiveLimiter, adaptiveGate } from './adaptive-limiter.js'
import { breakerGate, CircuitBreaker } from './breaker/index.js'
import type { RetryBudget } from './budget.js'
import { Bulkhead, bulkheadGate } from './bulkhead.js'
import { Cache } from './cache/index.js'
import type { CacheOptions } from './cache/options.js'
import { chaos } from './chaos.js'
import type { Clock } from './clock.js'
import { Coalescer } from './coalesce.js'
import type { CallContext } from './context.js'
import { OptionError } from './errors.js'
import { asked } from './events.js'
import { Fallback, recover } from './fallback.js'
import type { Gate } from './gate.js'
import { Hedge, hedgeRun } from './hedge.js'
import type { HedgeOptions } from './hedge-options.js'
import type { Outcome } from './outcome.js'
import type { PolicyChaosOptions, PolicyOptions, Stage } from './policy-options.js'
import { type Flight, type Run, started } from './policy-run.js'
import { RateLimiter, rateLimiterGate } from './rate-limiter.js'
import { isUnwanted, judged, type RetryHooks, repeat } from './retry.js'
import type { RetryOptions } from './retry-options.js'
import { Throttle, throttleGate } from './throttle.js'
import { Timeout, timeoutRun } from './timeout.js'
import type { TimeoutOptions } from './timeout-options.js'

/** A part of a policy. @internal */
export interface Part {
  /** How it lets calls through; or, where it does more than that, what it puts around the rest. */
  readonly gate?: Gate
  readonly around?: (next: Run) => Run
  /** What it says of its present state. */
  explain(): unknown
  /** Takes other options over and keeps what it knows. Without it, it knows nothing and is made anew. */
  readonly update?: PartUpdate
  /** Lets go of what it made itself. */
  dispose(): void
}

/** How a part takes other options over. @internal */
export interface PartUpdate {
  /** Whether it can: not an object that others use too, which stands in its place. */
  takes(given: unknown): boolean
  /** Throws what `apply` would. */
  check(given: unknown): void
  apply(given: unknown): void
}

/** What the parts of one policy share, read anew each time it is compiled. @internal */
export interface Surroundings {
  readonly clock: Clock
  readonly seed: number | undefined
  /** What limits further tries. */
  readonly budget: RetryBudget | undefined
  /** The retry's word on whether calls may be carried out twice. */
  readonly idempotent: boolean | undefined
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
  let options: O = { ...defaults, ...(given as O) }
  const it = new type(options)
  /** Those that are others than they were, so that what cannot be changed may be named again. */
  const changed = (to: unknown): Partial<O> => {
    const entries = Object.entries(to as O)
    return Object.fromEntries(
      entries.filter(([key, value]) => !Object.is(value, options[key as keyof O])),
    ) as Partial<O>
  }
  return {
    ...shape(it),
    explain: () => it.explain(),
    update: {
      takes: to => !(to instanceof type),
      check: to => {
        // The name of a breaker would be that of the one in use.
        const other = new type({ ...options, name: undefined })
        try {
          other.update(changed(to))
        } finally {
          other[Symbol.dispose]()
        }
      },
      apply: to => {
        const fresh = changed(to)
        it.update(fresh)
        options = { ...options, ...fresh }
      },
    },
    dispose: () => it[Symbol.dispose](),
  }
}

function retry(given: RetryOptions, surroundings: Surroundings): Part {
  const { clock, seed, waiting } = surroundings
  const options: RetryOptions = { onRefusal: 'stop', seed, ...given, clock }
  const problem = judged(options)
  if (problem !== undefined) throw problem
  const { retryResult } = options
  const timed = options.maxElapsedMs !== undefined || typeof options.backoff === 'object'
  const around = (next: Run): Run => {
    const { budget } = surroundings
    const hooks: RetryHooks = {
      allow: () =>
        budget === undefined || Boolean(asked(() => budget.allow(), false, 'policy: the budget')),
      ended: () => budget?.retryEnded(),
      waiting,
    }
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

function hedge(given: NonNullable<PolicyOptions['hedge']>, surroundings: Surroundings): Part {
  const { clock } = surroundings
  const shape = (it: Hedge): Pick<Part, 'around'> => ({
    around: next => {
      const { budget, idempotent } = surroundings
      const spare = budget && { allow: () => budget.allow(), ended: () => budget.retryEnded() }
      return (flight, number) => {
        if ((flight.idempotent ?? idempotent) === false) return next(flight, number)
        return new Promise((resolve, reject) => {
          hedgeRun(
            it,
            flight,
            (attempt, ok, err) => {
              started(next, flight.within(attempt), number - 1 + attempt.attempt).then(ok, err)
            },
            resolve,
            reject,
            it === given ? undefined : spare,
          )
        })
      }
    },
  })
  return stateful<HedgeOptions, Hedge>(Hedge, given, { clock }, shape)
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
      const may = asked(() => when(flight), false, 'policy: chaos.when')
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
  deadlineMs: (timeoutMs, { clock }) => numbered({ timeoutMs, leastMs: 0, clock }, {}),
  retry,
  hedge,
  rateLimit: (given, { clock }) =>
    stateful(RateLimiter, given, { clock }, it => ({ gate: rateLimiterGate(it) })),
  throttle: (given, { clock, seed }) =>
    stateful(Throttle, given, { clock, seed }, it => ({ gate: throttleGate(it) })),
  breaker: (given, { clock, seed }) =>
    stateful(CircuitBreaker, given, { clock, seed }, it => ({ gate: breakerGate(it) })),
  timeout: (given, { clock }) =>
    numbered(typeof given === 'number' ? { timeoutMs: given } : given, { clock }),
  bulkhead: (given, { clock, seed }) =>
    stateful(Bulkhead, given, { clock, seed }, it => ({ gate: bulkheadGate(it) })),
  adaptive: (given, { clock, seed }) =>
    stateful(AdaptiveLimiter, given, { clock, seed }, it => ({ gate: adaptiveGate(it) })),
  chaos: strikes,
}

/** A time-out whose options may be a number. */
function numbered(given: TimeoutOptions | Timeout, defaults: Partial<TimeoutOptions>): Part {
  const part = stateful(Timeout, given, defaults, timed)
  const { update } = part
  if (update === undefined) return part
  const read = (to: unknown): unknown => (typeof to === 'number' ? { timeoutMs: to } : to)
  return {
    ...part,
    update: {
      takes: update.takes,
      check: to => update.check(read(to)),
      apply: to => update.apply(read(to)),
    },
  }
}

const TYPES: Partial<Record<Stage, new (...args: never[]) => unknown>> = {
  fallback: Fallback,
  cache: Cache,
  coalesce: Coalescer,
  hedge: Hedge,
  rateLimit: RateLimiter,
  throttle: Throttle,
  breaker: CircuitBreaker,
  timeout: Timeout,
  bulkhead: Bulkhead,
  adaptive: AdaptiveLimiter,
}

/** Refuses objects of another class, which would pass for options that set nothing. @internal */
export function checkKinds(options: PolicyOptions, stages: readonly Stage[]): void {
  for (const stage of stages) {
    const given = options[stage]
    const type = TYPES[stage]
    if (type === undefined || typeof given !== 'object' || given instanceof type) continue
    const isOptions = stage !== 'fallback' && !('execute' in given)
    if (isOptions) continue
    throw new OptionError(
      `policy: \`${stage}\` must be ${stage === 'fallback' ? 'a function' : 'options'} or of this package's ${type.name}, got another object`,
      stage,
    )
  }
}

/** The part of that name. @throws OptionError @internal */
export function makePart(stage: Stage, options: PolicyOptions, around: Surroundings): Part {
  return (MAKERS[stage] as Maker<Stage>)(options[stage] as never, around)
}

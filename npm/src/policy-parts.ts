/** The parts of a policy, each made of its options. One function a part, and a line in {@link MAKERS}. */
import { breakerGate, CircuitBreaker } from './breaker.js'
import { chaos } from './chaos.js'
import type { Clock } from './clock.js'
import { report } from './events.js'
import type { Gate } from './gate.js'
import type { Outcome } from './outcome.js'
import type { PolicyChaosOptions, PolicyOptions, Stage } from './policy-options.js'
import { type Flight, type Run, started } from './policy-run.js'
import { isUnwanted, judged, type RetryHooks, repeat } from './retry.js'
import type { RetryOptions } from './retry-options.js'

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
  /** Tells that a further try follows. */
  waiting(attempt: number, waitMs: number, error: unknown): void
}

type Maker<S extends Stage> = (given: NonNullable<PolicyOptions[S]>, around: Surroundings) => Part

const STATELESS = { explain: (): unknown => undefined, dispose: (): void => {} }

function breaker(
  given: NonNullable<PolicyOptions['breaker']>,
  { clock, seed }: Surroundings,
): Part {
  const own = given instanceof CircuitBreaker ? undefined : { clock, seed, ...given }
  const it = own ? new CircuitBreaker(own) : (given as CircuitBreaker)
  return {
    gate: breakerGate(it),
    explain: () => it.explain(),
    ...(own && { update: options => it.update(options as object) }),
    dispose: () => own && it[Symbol.dispose](),
  }
}

function retry(given: RetryOptions, { clock, seed, waiting }: Surroundings): Part {
  const options: RetryOptions = { onRefusal: 'stop', seed, ...given, clock }
  const problem = judged(options)
  if (problem !== undefined) throw problem
  const { retryResult } = options
  const timed = options.maxElapsedMs !== undefined || typeof options.backoff === 'object'
  const hooks: RetryHooks = { allow: () => true, ended: () => {}, waiting }
  const around = (next: Run): Run => {
    const again = (flight: Flight, at: number, first: Outcome<unknown>): Promise<unknown> => {
      const { signal, deadline, idempotent = options.idempotent } = flight
      const own = deadline === Number.POSITIVE_INFINITY ? undefined : deadline
      const mine = { ...options, signal, deadline: own, idempotent }
      return repeat(attempt => next(flight, attempt), mine, at, first, hooks)
    }
    const once = (flight: Flight, at: number, value: unknown): unknown =>
      retryResult && isUnwanted(retryResult, value) ? again(flight, at, { ok: true, value }) : value
    return (flight, attempt) => {
      const at = timed ? clock.now() : 0
      return started(next, flight, attempt).then(
        retryResult && (value => once(flight, at, value)),
        error => again(flight, at, { ok: false, error }),
      )
    }
  }
  return { ...STATELESS, around }
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

const MAKERS: { readonly [S in Stage]: Maker<S> } = { retry, breaker, chaos: strikes }

/** The part of that name. @throws OptionError @internal */
export function makePart(stage: Stage, options: PolicyOptions, around: Surroundings): Part {
  return (MAKERS[stage] as Maker<Stage>)(options[stage] as object, around)
}

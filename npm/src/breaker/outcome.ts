/**
 * What the end of a call means to a breaker, as far as its options say so. Options are objects of many
 * shapes, so none is read that need not be.
 */
import { classify } from '../classify.js'
import { isSelfInflicted } from '../errors.js'
import { call } from '../events.js'
import { FAILURE, NEUTRAL, SUCCESS } from '../gate.js'
import type { CircuitBreakerOptions } from './options.js'

/** Whether a call's end needs nothing of its beginning. */
export function isPlain(options: CircuitBreakerOptions): boolean {
  return options.slowCallMs === undefined && options.isFailureResult === undefined
}

/** Whether a result is a failure. */
export function isBad({ isFailureResult }: CircuitBreakerOptions, value: unknown): boolean {
  return isFailureResult !== undefined && guarded(isFailureResult, value, false)
}

/** Whether even a good result may ask to be left alone, so that it must be looked at. */
export function isHeard(options: CircuitBreakerOptions): boolean {
  return options.isFailureResult !== undefined && options.openFor !== undefined
}

/** Whether a call that ends now was slow; one whose beginning is not known was not. */
export function isSlow(
  options: CircuitBreakerOptions,
  started: number | undefined,
  now: number,
): boolean {
  if (started === undefined) return false
  const { slowCallMs } = options
  return slowCallMs !== undefined && now - started > slowCallMs
}

/** How a call ended that came to `outcome`: it may be nothing to judge by. */
export function weighed(
  options: CircuitBreakerOptions,
  outcome: number,
  error: unknown,
  signal: AbortSignal | undefined,
): number {
  if (signal?.aborted) return NEUTRAL
  if (outcome !== FAILURE) return outcome
  const { isFailure } = options
  const counts = !isSelfInflicted(error) && !(isFailure && !guarded(isFailure, error, true))
  return counts ? FAILURE : NEUTRAL
}

/** For how long a result asks to be left alone, or -1. */
export function leftAlone(
  options: CircuitBreakerOptions,
  outcome: number,
  error: unknown,
  value: unknown,
): number {
  const { openFor } = options
  if (openFor === undefined || outcome === NEUTRAL) return -1
  if (outcome === SUCCESS && options.isFailureResult === undefined) return -1
  let ms: number | null | undefined
  call(() => {
    const asked =
      openFor === 'retry-after' ? classify(error ?? value)?.retryAfterMs : openFor(error, value)
    ms = asked
    return asked
  }, 'CircuitBreaker: `openFor`')
  return typeof ms === 'number' && ms >= 0 ? ms : -1
}

/** The answer of a filter of the user's, or `otherwise` where it throws or answers a promise. */
function guarded<A>(filter: (argument: A) => boolean, argument: A, otherwise: boolean): boolean {
  let answer = otherwise
  call(() => {
    const said: unknown = filter(argument)
    if (!(said instanceof Promise)) answer = Boolean(said)
    return said
  }, 'CircuitBreaker: a filter')
  return answer
}

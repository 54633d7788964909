/** What a caller is told whom a breaker does not let through. */

import { CircuitBreakerError, type RejectionReason, stackless } from '../errors.js'
import type { BreakerCalls } from './calls.js'
import type { CircuitBreakerOptions } from './options.js'

/** By the number of the engine. */
export const REASONS: readonly RejectionReason[] = [
  'open',
  'open',
  'probing',
  'recovering',
  'isolated',
]
const MESSAGES: Record<RejectionReason, string> = {
  open: 'Circuit breaker is open',
  probing: 'Circuit breaker is testing recovery',
  recovering: 'Circuit breaker is letting through a share of calls',
  isolated: 'Circuit breaker is held isolated',
}

/** The error of a refusal; `left` is in how many ms the answer may be another. */
export function refusal(
  breaker: BreakerCalls,
  options: CircuitBreakerOptions,
  reason: RejectionReason,
  left: number | undefined,
): CircuitBreakerError {
  const message = MESSAGES[reason]
  const make = (): CircuitBreakerError =>
    new CircuitBreakerError(
      message,
      reason,
      options.name,
      left === undefined ? undefined : Math.ceil(left),
      breaker,
    )
  return options.stack ? make() : stackless(make, `CircuitBreakerError: ${message}`)
}

/** A refusal as a result; the error is made when somebody looks at it. */
export class Refused {
  readonly ok = false
  readonly #breaker: BreakerCalls
  readonly #options: CircuitBreakerOptions
  readonly #left: number
  #error: CircuitBreakerError | undefined

  constructor(breaker: BreakerCalls, options: CircuitBreakerOptions, left: number) {
    this.#breaker = breaker
    this.#options = options
    this.#left = left
  }

  get error(): CircuitBreakerError {
    this.#error ??= refusal(this.#breaker, this.#options, 'open', this.#left)
    return this.#error
  }
}

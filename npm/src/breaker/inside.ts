import type { Gate } from '../gate.js'
import type { BreakerCalls } from './calls.js'
import type { CircuitBreakerOptions } from './options.js'

/** What a breaker has inside, for its own files. @internal */
export interface Inside {
  /** The engine's handle, below 0 once it was disposed of. */
  handle(breaker: BreakerCalls): number
  /** The same. @throws SeawallError for a breaker that was disposed of. */
  live(breaker: BreakerCalls): number
  /** The breaker as a part of a pipeline. */
  gate(breaker: BreakerCalls): Gate
  options(breaker: BreakerCalls): CircuitBreakerOptions
  now(breaker: BreakerCalls): number
  /** The number of its state. */
  state(breaker: BreakerCalls): number
  /** A permit for one call. @throws CircuitBreakerError where there is none. */
  admit(breaker: BreakerCalls, now: number): number
  /** Tells how the call of a permit has ended. */
  record(
    breaker: BreakerCalls,
    permit: number,
    outcome: number,
    error: unknown,
    started: number,
  ): void
  /** Tells listeners of a change they have not heard of. */
  sync(breaker: BreakerCalls): void
  /** Puts other options, which the engine has taken, in place of those it had. */
  change(breaker: BreakerCalls, options: CircuitBreakerOptions): void
}

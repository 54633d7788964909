import type { RejectionReason } from '../errors.js'
import type { CircuitBreaker } from './index.js'
import type { CircuitState } from './options.js'
import type { BreakerExplanation } from './report.js'

/** The state in `@kysera/infra`'s form. */
export interface CircuitBreakerState {
  state: CircuitState
  /** Failures its rule has counted. */
  failures: number
  /** Epoch milliseconds of the last failure that counted. */
  lastFailureTime: number | undefined
  /** Whether a probe is under way. */
  isTestingHalfOpen: boolean
}

/** What a breaker tells of itself; see {@link CircuitBreaker.on}. */
export interface BreakerEvents {
  /** It changed its state. In other threads a shared breaker tells at the thread's next call. */
  stateChange: {
    from: BreakerExplanation['state']
    to: BreakerExplanation['state']
    /** Why, with rule, counts, causes and generation. */
    because: BreakerExplanation
    breaker: CircuitBreaker
  }
  /** A call failed. */
  failure: { error: unknown; breaker: CircuitBreaker }
  /** A call was refused. */
  rejected: { reason: RejectionReason; retryAfterMs: number | undefined; breaker: CircuitBreaker }
}

/** What a single call may bring. */
export interface ExecuteOptions {
  /** When it is aborted by the end of the call, the call counts as neutral. Aborted before: not called. */
  signal?: AbortSignal | undefined
}

/** Leave to run one call by hand. Settle it once; disposed of without, it counts as neutral. */
export interface BreakerPermit extends Disposable {
  success(): void
  failure(error?: unknown): void
  neutral(): void
}

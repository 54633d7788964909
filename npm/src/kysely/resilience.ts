/** Circuit breaker and retry; takes the place of `@kysera/infra/resilience`. */

export type { CircuitBreakerState } from '../breaker/events.js'
export { CircuitBreaker } from '../breaker/index.js'
export type { CircuitBreakerOptions, CircuitState } from '../breaker/options.js'
export { isTransientError } from '../classify.js'
export { CircuitBreakerError, DatabaseError } from '../errors.js'
export { createRetryWrapper, withRetry } from '../retry.js'
export type { RetryOptions } from '../retry-options.js'

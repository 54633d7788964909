import { CircuitBreaker, CircuitBreakerError, withRetry } from 'seawall'
import { isTransientError } from 'seawall/kysely'

/**
 * The database with Seawall around it: calls that failed for a passing reason are made again, with
 * growing, jittered delays; a breaker lets nothing through to a database that is down.
 */
export function guarded({ onBreaker, onRetry }) {
  const breaker = new CircuitBreaker({
    name: 'database',
    threshold: 5,
    resetTimeMs: 250,
    onStateChange: onBreaker,
  })
  const retry = {
    maxAttempts: 7,
    delayMs: 50,
    maxDelayMs: 1000,
    maxElapsedMs: 3000,
    shouldRetry: error => error instanceof CircuitBreakerError || isTransientError(error),
    onRetry,
  }
  return {
    /** `idempotent`: whether `fn` may run twice when nobody knows if the first time arrived. */
    call: (fn, { idempotent }) => withRetry(() => breaker.execute(fn), { ...retry, idempotent }),
    explain: () => breaker.explain(),
    state: () => breaker.getState().state,
  }
}

/** The database without: each call is made once. */
export function plain() {
  return {
    call: fn => fn(),
    explain: () => null,
    state: () => null,
  }
}

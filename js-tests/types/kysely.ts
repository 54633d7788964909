import type * as Original from '@kysera/infra'
import type { CircuitBreakerError as OriginalError } from '@kysera/infra/resilience'
import type { Kysely } from 'kysely'
import * as ours from 'seawall/kysely'
import type { CircuitBreakerError } from 'seawall/kysely/resilience'

// Whatever was written for the original compiles with ours.
export const checkDatabaseHealth: typeof Original.checkDatabaseHealth = ours.checkDatabaseHealth
export const performHealthCheck: typeof Original.performHealthCheck = ours.performHealthCheck
export const getMetrics: typeof Original.getMetrics = ours.getMetrics
export const hasDatabaseMetrics: typeof Original.hasDatabaseMetrics = ours.hasDatabaseMetrics
export const createMetricsPool: typeof Original.createMetricsPool = ours.createMetricsPool
export const isMetricsPool: typeof Original.isMetricsPool = ours.isMetricsPool
export const isTransientError: typeof Original.isTransientError = ours.isTransientError
export const withRetry: typeof Original.withRetry = ours.withRetry
export const createRetryWrapper: typeof Original.createRetryWrapper = ours.createRetryWrapper
export const gracefulShutdown: typeof Original.gracefulShutdown = ours.gracefulShutdown
export const shutdownDatabase: typeof Original.shutdownDatabase = ours.shutdownDatabase
export const registerShutdownHandlers: typeof Original.registerShutdownHandlers =
  ours.registerShutdownHandlers
export const createShutdownController: typeof Original.createShutdownController =
  ours.createShutdownController

export const make = (db: Kysely<unknown>, options: Original.HealthMonitorOptions): Disposable =>
  new ours.HealthMonitor(db, options)
export const breaker = (options: Original.CircuitBreakerOptions): ours.CircuitBreaker =>
  new ours.CircuitBreaker(options)
export const caught = (error: OriginalError): { code: string } => error
export const refused = (error: CircuitBreakerError): OriginalError => error

export const types = (
  status: Original.HealthStatus,
  check: Original.HealthCheck,
  result: Original.HealthCheckResult,
  metrics: Original.HealthMetrics,
  recorded: Original.DatabaseWithMetrics,
  health: Original.HealthCheckOptions,
  callback: Original.HealthCheckCallback,
  asked: Original.GetMetricsOptions,
  answered: Original.MetricsResult,
  retry: Original.RetryOptions,
  state: Original.CircuitState,
  breakerState: Original.CircuitBreakerState,
  counts: Original.PoolMetrics,
  pool: Original.DatabasePool,
  measured: Original.MetricsPool,
  shutdown: Original.ShutdownOptions,
  register: Original.RegisterShutdownOptions,
): [
  ours.HealthStatus,
  ours.HealthCheck,
  ours.HealthCheckResult,
  ours.HealthMetrics,
  ours.DatabaseWithMetrics,
  ours.HealthCheckOptions,
  ours.HealthCheckCallback,
  ours.GetMetricsOptions,
  ours.MetricsResult,
  ours.RetryOptions,
  ours.CircuitState,
  ours.CircuitBreakerState,
  ours.PoolMetrics,
  ours.DatabasePool,
  ours.MetricsPool,
  ours.ShutdownOptions,
  ours.RegisterShutdownOptions,
] => [
  status,
  check,
  result,
  metrics,
  recorded,
  health,
  callback,
  asked,
  answered,
  retry,
  state,
  breakerState,
  counts,
  pool,
  measured,
  shutdown,
  register,
]

// @ts-expect-error the limit is a number
ours.poolSize({ serverMax: '100' })

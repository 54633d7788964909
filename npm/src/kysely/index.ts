/** Everything of `@kysera/infra` under the same names: change the import and nothing else. */
export type { HealthLimits } from '../health/grade.js'
export {
  checkDatabaseHealth,
  type HealthCheck,
  type HealthCheckOptions,
  type HealthCheckResult,
  type HealthMetrics,
  type HealthStatus,
  performHealthCheck,
} from './check.js'
export { type DatabaseCheckOptions, databaseCheck } from './database-check.js'
export type { KyseraLogger } from './logger.js'
export {
  type DatabaseWithMetrics,
  type GetMetricsOptions,
  getMetrics,
  hasDatabaseMetrics,
  type MetricsResult,
  type QueryMetrics,
} from './metrics.js'
export { type HealthCheckCallback, HealthMonitor, type HealthMonitorOptions } from './monitor.js'
export {
  createMetricsPool,
  type DatabasePool,
  isMetricsPool,
  type MetricsPool,
  type PoolMetrics,
  type PoolSize,
  type PoolSizeOptions,
  poolSize,
} from './pool.js'
export {
  CircuitBreaker,
  CircuitBreakerError,
  type CircuitBreakerOptions,
  type CircuitBreakerState,
  type CircuitState,
  createRetryWrapper,
  isTransientError,
  type RetryOptions,
  withRetry,
} from './resilience.js'
export {
  createShutdownController,
  gracefulShutdown,
  type RegisterShutdownOptions,
  registerShutdownHandlers,
  type ShutdownController,
  type ShutdownOptions,
  shutdownDatabase,
} from './shutdown.js'

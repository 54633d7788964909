/** Health of a database behind Kysely; takes the place of `@kysera/infra/health`. */
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

import { report } from '../events.js'
import type { MetricsPool, PoolMetrics } from './pool.js'

/** What a pool tells, or nothing where it cannot; a `getMetrics` that throws is reported. */
export function readPool(pool: MetricsPool | undefined): PoolMetrics | undefined {
  try {
    if (!pool?.getMetrics) return undefined
    const metrics = pool.getMetrics()
    return {
      total: metrics.total,
      idle: metrics.idle,
      active: metrics.active,
      waiting: metrics.waiting,
      ...maxOf(metrics),
    }
  } catch (error) {
    report(error, "the pool's getMetrics()")
    return undefined
  }
}

function maxOf({ max }: PoolMetrics): { max: number } | undefined {
  return typeof max === 'number' && Number.isFinite(max) ? { max } : undefined
}

/** What the connections of a pool are doing; takes the place of `@kysera/infra/pool`. */
import { describe, OptionError } from '../errors.js'
import { recognize } from './pool-shapes.js'

export { type PoolSize, type PoolSizeOptions, poolSize } from '../pool.js'

/** What the connections of a pool are doing at this moment. */
export interface PoolMetrics {
  /**
   * Connections in all. For pg and its like those that are open, or the most the pool opens while
   * none is; for mysql2, tarn and mssql always the most the pool opens.
   */
  total: number
  /** Connections that are open and wait for work. */
  idle: number
  /** Connections in use. */
  active: number
  /** Requests that wait for a connection. */
  waiting: number
  /**
   * The most the pool opens, where that is known. A pool made by {@link createMetricsPool} tells it
   * in a property that is not listed, so that its metrics compare equal to the original's.
   */
  readonly max?: number
  /**
   * Whether the kind of pool was recognized. If not, the numbers are invented: 10 connections, all
   * closed. Not listed either.
   */
  readonly detected?: boolean
}

/** A pool as every driver has it. */
export interface DatabasePool {
  end(): Promise<void> | void
  query?(sql: string, values?: unknown[]): Promise<unknown>
}

/** A pool that tells what its connections are doing. */
export interface MetricsPool extends DatabasePool {
  getMetrics(): PoolMetrics
}

/**
 * The same pool with a `getMetrics`. The pool itself is not modified: what is returned passes all
 * else on to it.
 *
 * It knows the pools of pg, mysql2 (with promises and with callbacks), tarn, mssql, better-sqlite3
 * and `node:sqlite`. A pool without an `end` gets one that closes it. A pool of another kind keeps a
 * `getMetrics` of its own; without one its numbers are invented, see {@link PoolMetrics.detected}.
 *
 * @throws OptionError (a TypeError) for what is no object.
 *
 * @example
 * ```ts
 * import { createMetricsPool } from 'seawall/kysely'
 * import pg from 'pg'
 *
 * const pool = createMetricsPool(new pg.Pool({ max: 20 }))
 * const { active, waiting } = pool.getMetrics()
 * console.log(active, waiting)
 * await pool.end()
 * ```
 */
export function createMetricsPool<P extends object = DatabasePool>(pool: P): P & MetricsPool {
  if ((typeof pool !== 'object' && typeof pool !== 'function') || pool === null) {
    throw new OptionError(
      `createMetricsPool: the pool must be an object, got ${describe(pool)}`,
      'pool',
    )
  }
  const { measure, close } = recognize(pool)
  const added: Record<PropertyKey, unknown> = { getMetrics: measure }
  if (close && typeof Reflect.get(pool, 'end', pool) !== 'function') added.end = close
  return passingOn(pool, added) as P & MetricsPool
}

/** Whether a pool tells what its connections are doing; false also for what is no pool at all. */
export function isMetricsPool(pool: unknown): pool is MetricsPool {
  return typeof (pool as Partial<MetricsPool> | undefined | null)?.getMetrics === 'function'
}

/** A proxy of `target` that has `added` as well. */
function passingOn(target: object, added: Record<PropertyKey, unknown>): object {
  const methods = new WeakMap<object, unknown>()
  const isAdded = (key: PropertyKey): boolean => Object.hasOwn(added, key)
  const proxy: object = new Proxy(target, {
    get(_, key) {
      if (isAdded(key)) return added[key]
      // Getters and methods that use #private members must see the pool itself as `this`.
      const value: unknown = Reflect.get(target, key, target)
      if (typeof value !== 'function' || isFixed(target, key) || isConstructor(value)) return value
      const known = methods.get(value)
      if (known) return known
      const method = new Proxy(value, {
        apply(fn, self, args) {
          const result: unknown = Reflect.apply(
            fn,
            self === proxy || self === undefined ? target : self,
            args,
          )
          return result === target ? proxy : result
        },
      })
      methods.set(value, method)
      return method
    },
    set: (_, key, value) => Reflect.set(target, key, value, target),
    has: (_, key) => Reflect.has(target, key) || (isAdded(key) && Object.isExtensible(target)),
  })
  return proxy
}

/** Whether the language wants a proxy to answer this property as it is. */
function isFixed(target: object, key: PropertyKey): boolean {
  const own = Reflect.getOwnPropertyDescriptor(target, key)
  return own !== undefined && !own.configurable && !own.writable
}

/** Classes and functions of the old kind, which may be compared, or made instances of. */
function isConstructor(fn: { prototype?: { constructor?: unknown } }): boolean {
  return fn.prototype?.constructor === fn
}

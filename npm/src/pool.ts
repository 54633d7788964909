/** How many connections a pool may open; the division is the engine's. */
import { policyEngine } from './engine/policies/index.js'
import { optionProblem } from './errors.js'
import { check, type Kind } from './options.js'

/** What the connections of a database server are divided by. */
export interface PoolSizeOptions {
  /**
   * Connections the server accepts (`max_connections`): a whole number of at least 1. Default 100,
   * as in PostgreSQL; MySQL's own default is 151.
   */
  serverMax?: number | undefined
  /** Instances of the service at full scale: a whole number of at least 1. Default 1. */
  instances?: number | undefined
  /**
   * Processes or worker threads in each instance that have a pool of their own: a whole number of
   * at least 1. Default 1.
   */
  processes?: number | undefined
  /**
   * The share of the server's connections to keep free, from 0 to 1. Default 0.5, so that a deploy
   * may run old and new instances side by side. With 0 the new ones of such a deploy are turned away.
   */
  reserve?: number | undefined
  /**
   * Connections that others hold, such as other services, migrations, and those the server keeps
   * for administrators: a whole number from 0 to `serverMax`. Default 0.
   */
  held?: number | undefined
}

/** How large a pool may be, and why. */
export interface PoolSize {
  /** The most connections each process may open; at least 1. */
  size: number
  /** How the number came about, in a sentence for a log line. */
  explanation: string
  /** Whether there is a connection for each process. If not, `size` is 1 and the server may still turn some away. */
  fits: boolean
}

const FIELDS: Record<keyof PoolSizeOptions, Kind> = {
  serverMax: 'integer',
  instances: 'integer',
  processes: 'integer',
  reserve: 'number',
  held: 'integer',
}

/**
 * The size to give a connection pool, so that all processes together stay within what the database
 * server accepts: what the server has less what others hold, less the reserve, divided among all
 * processes and rounded down. It is the most a process may open, not what it needs: use the fewest
 * connections that reach the throughput you want.
 *
 * @throws OptionError naming the option, what is allowed and what came.
 *
 * @example
 * ```ts
 * import { poolSize } from 'seawall/kysely'
 *
 * const { size, explanation } = poolSize({ serverMax: 100, instances: 6 })
 * console.log(size, explanation) // 8, and why
 * ```
 */
export function poolSize(options: PoolSizeOptions = {}): PoolSize {
  check('poolSize', options, FIELDS)
  const { serverMax = 100, instances = 1, processes = 1, reserve = 0.5, held = 0 } = options
  const e = policyEngine()
  const numbers = e.poolSize(serverMax, instances, processes, reserve, held)
  if (numbers.length === 0) throw optionProblem('poolSize', options, e)
  const [size, usable, sharers, fits] = Array.from(numbers) as [number, number, number, number]
  return {
    size,
    explanation: explain(size, usable, sharers, fits > 0, serverMax, reserve, held),
    fits: fits > 0,
  }
}

function explain(
  size: number,
  usable: number,
  sharers: number,
  fits: boolean,
  serverMax: number,
  reserve: number,
  held: number,
): string {
  const without = held > 0 ? ` without the ${held} that others hold` : ''
  const left = `${serverMax} connections${without}, of which ${rounded(reserve * 100)} % stay free, leave ${rounded(usable)}`
  const among = sharers === 1 ? '1 process' : `${sharers} processes`
  if (fits) return `${left}; divided among ${among} and rounded down that is ${size} for each`
  return `${left}; that is less than one for each of ${among}, so the server may turn some away even with ${size} for each`
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100
}

import type { Clock } from '../clock.js'
import { OptionError } from '../errors.js'
import { check, type Kind } from '../options.js'
import type { Store } from '../store.js'

/** How long answers are good. Times are in milliseconds. */
export interface CacheTimes<V> {
  /**
   * How long an answer is fresh: a number, or a function of the answer. 0, or a function that
   * answers less or none: it is shared by those who wait for it and not kept. Default 600,000.
   */
  ttlMs?: number | ((value: V) => number) | undefined
  /** How long after that it is given while a new one is fetched in the background. Default 0. */
  staleWhileRevalidateMs?: number | undefined
  /** How long after it was fresh it is given where fetching a new one fails. Default 0. */
  staleIfErrorMs?: number | undefined
  /** By which share the time to live is shortened at most, 0 to 1, at random. Default 0. */
  jitter?: number | undefined
}

/** What a cache keeps, how and where. */
export interface CacheOptions<V> extends CacheTimes<V> {
  /** In errors and explanations. */
  name?: string | undefined
  /**
   * How many bytes of keys and values there are in memory at most; what was not used for longest
   * goes first. A value too large for it is not kept. Default 16,777,216.
   */
  maxBytes?: number | undefined
  /**
   * How a value is held. Default `JSON.stringify`: what JSON does not have (dates, maps, big
   * integers) needs another, such as `v8.serialize` of `node:v8`. Only with `deserialize`.
   */
  serialize?: ((value: V) => string | Uint8Array) | undefined
  /** The value of what is held; called for each hit, so that no two callers get the same object. */
  deserialize?: ((held: string | Uint8Array) => V) | undefined
  /**
   * `true`: values are frozen to the last part and held as they are. Everybody gets the same
   * object, which nobody can change, and a hit costs next to nothing. For plain objects, arrays
   * and what cannot be changed anyway; others are not kept. Not with `serialize`.
   */
  frozen?: boolean | undefined
  /** How many bytes a value counts for. Default those it takes serialised. */
  sizeOf?: ((value: V) => number) | undefined
  /** Where values are looked for that are not in memory, and kept besides. */
  store?: Store | undefined
  /** How long the store is waited for before it counts as failed. Default 500. */
  storeTimeoutMs?: number | undefined
  /**
   * What the values are: their keys in the store are `<type>-v<version>-<key>`. Default the key
   * alone.
   */
  type?: string | undefined
  /** The version of their shape; raise it when that changes. Default 1. Only with `type`. */
  version?: number | undefined
  /** Entries of older versions that are converted when they are read. Only with `version`. */
  migrate?: CacheMigration<V> | undefined
  /** The same seed gives the same jitter. Default a random one. */
  seed?: number | undefined
  /** Where time and timers come from. Default the runtime's. */
  clock?: Clock | undefined
  /** The time of day in ms, which processes that share a store agree on. Default `Date.now`. */
  wallNow?: (() => number) | undefined
}

/** How entries of older versions become such of the present one. */
export interface CacheMigration<V> {
  /** The oldest version that is looked for. Each costs a miss a further question to the store. */
  from: number
  /** The value as it is now, of one of an older version. */
  convert: (value: unknown, version: number) => V
}

const TIMES: Record<string, Kind> = {
  ttlMs: 'any',
  staleWhileRevalidateMs: 'number',
  staleIfErrorMs: 'number',
  jitter: 'number',
}
const FIELDS: Record<string, Kind> = {
  ...TIMES,
  name: 'string',
  maxBytes: 'integer',
  serialize: 'function',
  deserialize: 'function',
  frozen: 'boolean',
  sizeOf: 'function',
  store: 'object',
  storeTimeoutMs: 'number',
  type: 'string',
  version: 'integer',
  migrate: 'object',
  seed: 'number',
  clock: 'object',
  wallNow: 'function',
}

/** Refuses what is unknown, of a wrong type, or does not go together. @internal */
export function checkCache<V>(options: CacheOptions<V>): void {
  check('Cache', options, FIELDS)
  checkTtl(options)
  const { frozen, migrate } = options
  together(options, 'serialize', 'deserialize')
  together(options, 'deserialize', 'serialize')
  together(options, 'version', 'type')
  together(options, 'migrate', 'version')
  together(options, 'type', 'store')
  together(options, 'storeTimeoutMs', 'store')
  expect(
    !(frozen && options.serialize),
    'frozen',
    'must not be set together with `serialize`',
    frozen,
  )
  if (migrate === undefined) return
  check('Cache migrate', migrate, { from: 'integer', convert: 'function' })
  const { from, convert } = migrate
  expect(from !== undefined, 'migrate.from', 'must be given', from)
  expect(typeof convert === 'function', 'migrate.convert', 'must be a function', convert)
}

/** Refuses times of a wrong type. @internal */
export function checkTimes<V>(times: CacheTimes<V>): void {
  check('Cache', times, TIMES)
  checkTtl(times)
}

function checkTtl<V>({ ttlMs }: CacheTimes<V>): void {
  const fits = typeof ttlMs === 'number' && !Number.isNaN(ttlMs)
  const known = fits || ttlMs === undefined || typeof ttlMs === 'function'
  expect(known, 'ttlMs', 'must be a number or a function', ttlMs)
}

function together<V>(
  options: CacheOptions<V>,
  option: keyof CacheOptions<V>,
  other: keyof CacheOptions<V>,
): void {
  const fits = options[option] === undefined || options[other] !== undefined
  if (fits) return
  const message = `Cache: \`${option}\` may be set only together with \`${other}\``
  throw new OptionError(message, option)
}

function expect(holds: boolean, option: string, must: string, got: unknown): void {
  if (!holds) throw new OptionError(`Cache: \`${option}\` ${must}, got ${String(got)}`, option)
}

/** What is kept as `RoomOptions` of `core/src/cache/room.rs`, field by field. @internal */
export function roomNumbers<V>(options: CacheOptions<V>): Float64Array {
  const { maxBytes, storeTimeoutMs, version, migrate } = options
  return Float64Array.from(
    [maxBytes, storeTimeoutMs, version, migrate?.from],
    value => value ?? Number.NaN,
  )
}

/** The times as `CacheOptions` of `core/src/cache/options.rs`, field by field. @internal */
export function cacheNumbers<V>(times: CacheTimes<V>): Float64Array {
  const { ttlMs, staleWhileRevalidateMs, staleIfErrorMs, jitter } = times
  const fixed = typeof ttlMs === 'number' ? ttlMs : undefined
  const numbers = [fixed, staleWhileRevalidateMs, staleIfErrorMs, jitter]
  return Float64Array.from(numbers, value => value ?? Number.NaN)
}

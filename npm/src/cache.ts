/**
 * Keeping answers. How long one is good for what is the engine's decision (`core/src/cache`); what
 * is kept is bounded in bytes, and no caller can change what another one gets.
 *
 * A fresh hit does not reach the engine: an entry carries the lifespan that the engine gave it,
 * and is fresh while its age is from 0 to that. All else is the engine's to judge.
 */

import type { LRUCache } from 'lru-cache'
import { lru } from '#lru'
import { type Found, type Kept, Level, type StoreOperation } from './cache-level.js'
import {
  type CacheOptions,
  type CacheTimes,
  cacheNumbers,
  checkCache,
  checkTimes,
} from './cache-options.js'
import { deepFreeze } from './cache-values.js'
import { type Clock, systemClock } from './clock.js'
import { Coalescer } from './coalesce.js'
import type { CallContext, CallOptions } from './context.js'
import { Handles } from './engine/handles.js'
import { policyEngine } from './engine/policies/index.js'
import type { PoliciesEngine } from './engine/policies/types.js'
import { optionProblem, SeawallError } from './errors.js'
import { Listeners } from './events.js'
import { rejecting } from './gate.js'
import { updated } from './options.js'
import type { Outcome } from './outcome.js'
import { seedOr } from './seed.js'
import { sizeOfBytes } from './store.js'

/** `Freshness` of the core. */
const FRESH = 0
const STALE = 1
const ON_ERROR = 2
const EXPIRED = 3

/** What a cache tells; see {@link Cache.on}. */
export interface CacheEvents {
  /** An answer was given that is no longer fresh; with the error for which no new one was had. */
  stale: { key: string; ageMs: number; cause: unknown }
  /** A new answer could not be fetched in the background. The old one stays. */
  refreshFailed: { key: string; error: unknown }
  /** The store failed or took too long. The call went on without it. */
  storeFailed: { key: string; operation: StoreOperation; error: unknown }
  /** A value could not be held, read, converted or measured, or is too large. It is not kept. */
  refused: { key: string; error: unknown }
  /** A value had to go for the sake of others. */
  evicted: { key: string; bytes: number }
}

/** What a cache holds and has done; see {@link Cache.explain}. */
export interface CacheExplanation {
  name: string | undefined
  /** Values in memory, their bytes and how many there may be. */
  entries: number
  bytes: number
  maxBytes: number
  /** Calls answered from memory while fresh, with what was stale, and all others. */
  hits: number
  stale: number
  misses: number
  /** Misses that were answered from the store. */
  storeHits: number
  storeFailures: number
  /** How often a value was fetched, in the background among them, and how often calls shared one. */
  loads: number
  refreshes: number
  joined: number
  /** Values that had to go, and such that could not be kept. */
  evictions: number
  refused: number
}

interface Entry {
  held: unknown
  /** Ms of the clock; below its beginning where another process stored it. */
  stored: number
  lifespanMs: number
  /** What it counts for, once it is in memory. */
  bytes: number
}

/** What a miss brought. */
interface Loaded<V> {
  entry?: Entry
  /** Where there is no entry, or none that can be read. */
  value?: V
  /** Why the entry is an old one. */
  cause?: unknown
  stale?: boolean
}

interface Flight {
  /** Ms of the clock. */
  began: number
}

/** A fetch that takes longer counts as hung: the next call for its key begins another. */
const JOIN_WITHIN_MS = 60_000

const handles = new Handles(handle => policyEngine().cacheFree(handle))

/**
 * Keeps answers by key, in memory and if wanted in a store that processes share.
 *
 * Parallel misses of a key share one fetch. Failures are not kept. A store that fails makes calls
 * slower and fails none.
 *
 * Values are held serialised, and each call gets an object of its own, also the one that fetched
 * it: what JSON leaves out is missing from the first answer as from the last. A value that cannot
 * be serialised is handed on as it is and not kept.
 *
 * @example
 * ```ts
 * import { Cache } from 'seawall'
 *
 * const users = new Cache<{ id: number; name: string }>({
 *   ttlMs: 60_000,
 *   staleWhileRevalidateMs: 30_000,
 *   staleIfErrorMs: 3_600_000,
 *   jitter: 0.1,
 * })
 * const fetchName = async () => ({ id: 7, name: 'Ada' })
 * const user = await users.execute('7', fetchName)
 * console.log(user.name, users.explain().misses)
 * ```
 */
export class Cache<V> implements Disposable {
  /** Its name, if it was given one. */
  readonly name: string | undefined
  readonly #options: CacheOptions<V>
  readonly #clock: Clock
  readonly #wallNow: () => number
  readonly #memory: LRUCache<string, Entry>
  readonly #maxBytes: number
  readonly #level: Level | null
  readonly #coalescer: Coalescer
  /** The fetch of each key whose result may be kept; a key that is changed meanwhile has none. */
  readonly #flights = new Map<string, Flight>()
  readonly #engine: PoliciesEngine
  #times: CacheTimes<V>
  #handle: number
  #listeners: Listeners<CacheEvents> | undefined
  #hits = 0
  #stale = 0
  #misses = 0
  #storeHits = 0
  #storeFailures = 0
  #loads = 0
  #refreshes = 0
  #evictions = 0
  #refused = 0
  #disposed = false

  /** @throws OptionError for an option that is unknown, wrong, or at odds with another */
  constructor(options: CacheOptions<V> = {}) {
    checkCache(options)
    this.#options = { ...options }
    this.#engine = policyEngine()
    this.#times = this.#options
    this.#handle = this.#rule(options)
    handles.watch(this, this.#handle)
    this.name = options.name
    this.#clock = options.clock ?? systemClock
    this.#wallNow = options.wallNow ?? (() => Date.now())
    this.#maxBytes = options.maxBytes ?? 2 ** 24
    this.#memory = new (lru())<string, Entry>({
      maxSize: this.#maxBytes,
      dispose: ({ bytes }, key, reason) => {
        if (reason !== 'evict') return
        this.#evictions++
        this.#listeners?.emit('evicted', { key, bytes })
      },
    })
    this.#coalescer = new Coalescer({
      name: options.name,
      joinWithinMs: JOIN_WITHIN_MS,
      clock: this.#clock,
    })
    const failed = (operation: StoreOperation, key: string, error: unknown): void => {
      this.#storeFailures++
      this.#listeners?.emit('storeFailed', { key, operation, error })
    }
    this.#level = options.store ? new Level(options.store, options, this.#clock, failed) : null
  }

  /**
   * The answer that is kept for `key`, or else that of `fn`. `fn` is shared by all who wait for
   * it: it is told when the last has gone, and each may leave by its own signal or deadline.
   *
   * @throws what `fn` threw, if no older answer may stand in; the reason of the signal
   */
  execute(
    key: string,
    fn: (context: CallContext) => PromiseLike<V> | V,
    options?: CallOptions,
  ): Promise<V> {
    if (this.#disposed) return rejecting(disposed())
    if (options?.signal?.aborted) return rejecting(options.signal.reason)
    const entry = this.#memory.get(key)
    const freshness = entry === undefined ? EXPIRED : this.#judge(entry)
    if (entry !== undefined && freshness <= STALE) {
      const opened = this.#open(key, entry)
      if (opened !== undefined) {
        if (freshness === FRESH) this.#hits++
        else {
          this.#tellStale(key, entry, undefined)
          this.#refresh(key, fn)
        }
        return Promise.resolve(opened.value)
      }
    } else if (entry !== undefined && freshness === EXPIRED) this.#memory.delete(key)
    this.#misses++
    return this.#fetch(key, fn, options)
  }

  /** Like {@link execute}, but answers a result instead of rejecting. */
  tryExecute(
    key: string,
    fn: (context: CallContext) => PromiseLike<V> | V,
    options?: CallOptions,
  ): Promise<Outcome<V>> {
    return this.execute(key, fn, options).then(
      value => ({ ok: true, value }),
      error => ({ ok: false, error }),
    )
  }

  /** The answer that is kept, also a stale one, or `undefined`. Nothing is fetched or counted. */
  async get(key: string): Promise<V | undefined> {
    const entry = this.#memory.get(key)
    if (entry && this.#judge(entry) <= STALE) return this.#open(key, entry)?.value
    const found = await this.#level?.get(key)
    const old = found && this.#adopt(key, found, false)
    return old && this.#judge(old) <= STALE ? this.#open(key, old)?.value : undefined
  }

  /**
   * Keeps a value. What is being fetched for the key meanwhile is not kept.
   *
   * @returns whether it is kept, and the store has it where there is one
   */
  set(key: string, value: V): Promise<boolean> {
    this.#outdate(key)
    const entry = this.#entryOf(key, value)
    if (entry === undefined || !(entry.lifespanMs > 0)) {
      return this.delete(key).then(() => false)
    }
    const kept = this.#keep(key, entry, value)
    return this.#level ? this.#write(key, entry) : Promise.resolve(kept)
  }

  /**
   * Forgets a value. What is being fetched for the key meanwhile is not kept.
   *
   * @returns whether it is surely gone from the store; `true` where there is none
   */
  delete(key: string): Promise<boolean> {
    this.#outdate(key)
    this.#memory.delete(key)
    return this.#level?.delete(key) ?? Promise.resolve(true)
  }

  /** Forgets what is in memory. The store is left as it is. */
  clear(): void {
    for (const key of this.#flights.keys()) this.#outdate(key)
    this.#memory.clear()
  }

  /** What it holds and has done. */
  explain(): CacheExplanation {
    return {
      name: this.name,
      entries: this.#memory.size,
      bytes: this.#memory.calculatedSize,
      maxBytes: this.#maxBytes,
      hits: this.#hits,
      stale: this.#stale,
      misses: this.#misses,
      storeHits: this.#storeHits,
      storeFailures: this.#storeFailures,
      loads: this.#loads,
      refreshes: this.#refreshes,
      joined: this.#coalescer.explain().joined,
      evictions: this.#evictions,
      refused: this.#refused,
    }
  }

  /**
   * Other times, for what is kept from now on; what is in memory stays, and is stale for as long
   * as they say.
   *
   * @throws OptionError for a time that is wrong; then all stays as it was
   */
  update(times: CacheTimes<V>): void {
    if (this.#disposed) throw disposed()
    checkTimes(times)
    const next = updated(this.#times, times)
    const handle = this.#rule(next)
    handles.release(this, this.#handle)
    this.#handle = handle
    this.#times = next
    handles.watch(this, handle)
  }

  /** Calls `listener` at each such event until the function returned is called. */
  on<E extends keyof CacheEvents>(
    event: E,
    listener: (detail: CacheEvents[E]) => void,
  ): () => void {
    this.#listeners ??= new Listeners('Cache')
    return this.#listeners.add(event, listener)
  }

  /** Forgets everything in memory and takes no further calls. The store is left as it is. */
  [Symbol.dispose](): void {
    if (this.#disposed) return
    this.clear()
    this.#disposed = true
    handles.release(this, this.#handle)
    this.#coalescer[Symbol.dispose]()
  }

  #rule(times: CacheTimes<V>): number {
    const handle = this.#engine.cacheNew(cacheNumbers(times), seedOr(this.#options.seed))
    if (handle < 0) throw optionProblem('Cache', times, this.#engine)
    return handle
  }

  #judge({ stored, lifespanMs }: Entry): number {
    const age = this.#clock.now() - stored
    if (age >= 0 && age < lifespanMs) return FRESH
    return this.#disposed ? EXPIRED : this.#engine.cacheJudge(this.#handle, age, lifespanMs)
  }

  async #fetch(
    key: string,
    fn: (context: CallContext) => PromiseLike<V> | V,
    options: CallOptions | undefined,
    level: Level | null = this.#level,
  ): Promise<V> {
    let loaded: Loaded<V>
    try {
      loaded = await this.#coalescer.execute(
        key,
        context => this.#load(key, fn, context, level),
        options,
      )
    } catch (cause) {
      // Also for a call that could not wait any longer; not for one that nobody wants.
      const old = this.#memory.peek(key)
      if (old === undefined || options?.signal?.aborted || this.#judge(old) > ON_ERROR) throw cause
      loaded = { entry: old, cause, stale: true }
    }
    const { entry, cause, stale } = loaded
    const opened = entry && this.#open(key, entry)
    if (entry === undefined || opened === undefined) {
      if ('value' in loaded) return loaded.value as V
      // An old value that cannot be read stands in for nothing.
      if (cause !== undefined) throw cause
      // The store's cannot be read: without it, then.
      return this.#fetch(key, fn, options, null)
    }
    if (stale) {
      this.#tellStale(key, entry, cause)
      if (cause === undefined) this.#refresh(key, fn)
    }
    return opened.value
  }

  /** One fetch for all who wait: from the store, and if that has none, by `fn`. */
  async #load(
    key: string,
    fn: (context: CallContext) => PromiseLike<V> | V,
    context: CallContext,
    level: Level | null,
    refreshing = false,
  ): Promise<Loaded<V>> {
    const flight: Flight = { began: this.#clock.now() }
    this.#flights.set(key, flight)
    try {
      let spare = this.#memory.peek(key)
      const found = level && (await level.get(key))
      const isCurrent = this.#flights.get(key) === flight
      const adopted = found && this.#adopt(key, found, isCurrent)
      if (adopted) {
        const freshness = this.#judge(adopted)
        if (freshness === FRESH || (freshness === STALE && !refreshing)) {
          this.#storeHits++
          if (this.#flights.get(key) === flight) this.#keep(key, adopted, undefined)
          return { entry: adopted, stale: freshness === STALE }
        }
        if (spare === undefined || adopted.stored > spare.stored) spare = adopted
      }
      this.#loads++
      let value: V
      try {
        value = await fn(context)
      } catch (cause) {
        if (refreshing || spare === undefined || this.#judge(spare) > ON_ERROR) throw cause
        return { entry: spare, cause, stale: true }
      }
      const entry = this.#entryOf(key, value)
      if (entry && entry.lifespanMs > 0 && this.#flights.get(key) === flight) {
        this.#keep(key, entry, value)
        if (this.#level) void this.#write(key, entry)
      }
      return entry ? { entry, value } : { value }
    } finally {
      if (this.#flights.get(key) === flight) this.#flights.delete(key)
    }
  }

  /** Fetches a new value unless that is under way. */
  #refresh(key: string, fn: (context: CallContext) => PromiseLike<V> | V): void {
    const flight = this.#flights.get(key)
    if (flight && this.#clock.now() - flight.began <= JOIN_WITHIN_MS) return
    this.#refreshes++
    this.#coalescer
      .execute(key, context => this.#load(key, fn, context, this.#level, true))
      .catch(error => this.#listeners?.emit('refreshFailed', { key, error }))
  }

  #outdate(key: string): void {
    this.#flights.delete(key)
    this.#coalescer.forget(key)
  }

  /** A value as it is held, or `undefined` if it cannot be. */
  #entryOf(key: string, value: V): Entry | undefined {
    const { frozen, serialize = JSON.stringify } = this.#options
    try {
      const held = frozen ? deepFreeze(value) : serialize(value)
      // JSON has no word for it.
      if (held === undefined && !frozen) return undefined
      const { ttlMs } = this.#times
      const asked = typeof ttlMs === 'function' ? toMillis(ttlMs(value)) : Number.NaN
      const lifespanMs = this.#engine.cacheLifespan(this.#handle, asked)
      return { held, stored: this.#clock.now(), lifespanMs, bytes: 0 }
    } catch (error) {
      this.#refuse(key, error)
      return undefined
    }
  }

  /** The value of an entry; nothing where it cannot be read, and then it is forgotten. */
  #open(key: string, { held }: Entry): { value: V } | undefined {
    const { frozen, deserialize = JSON.parse as (held: unknown) => V } = this.#options
    if (frozen) return { value: held as V }
    try {
      return { value: deserialize(held as string) }
    } catch (error) {
      this.#memory.delete(key)
      this.#refuse(key, error)
      return undefined
    }
  }

  /** An entry of the store as one of the memory, of the present version; that is kept if `keep`. */
  #adopt(key: string, found: Found, keep: boolean): Entry | undefined {
    const { frozen, migrate, serialize = JSON.stringify } = this.#options
    const { deserialize = JSON.parse as (held: unknown) => V } = this.#options
    const stored = this.#clock.now() - Math.abs(this.#wallNow() - found.storedWall)
    try {
      let { held } = found
      if (migrate && this.#level?.isOld(found)) {
        const version = found.version as number
        held = serialize(migrate.convert(deserialize(held as string), version))
        const { storedWall, lifespanMs } = found
        const left = this.#expiry(stored, lifespanMs)
        if (keep && left > 0)
          void this.#level.set(key, { held, storedWall, lifespanMs }, left, true)
      }
      const value = frozen ? deepFreeze(deserialize(held as string)) : held
      return { held: value, stored, lifespanMs: found.lifespanMs, bytes: 0 }
    } catch (error) {
      this.#refuse(key, error)
      return undefined
    }
  }

  /** Puts an entry into memory, if it fits. `value` is what it was made of, where that is at hand. */
  #keep(key: string, entry: Entry, value: V | undefined): boolean {
    const { sizeOf, frozen, deserialize = JSON.parse as (held: unknown) => V } = this.#options
    const { held } = entry
    try {
      let bytes: number
      if (sizeOf) {
        bytes = sizeOf((frozen ? held : (value ?? deserialize(held as string))) as V)
        if (!(bytes >= 0)) throw new RangeError(`sizeOf answered ${bytes}`)
      } else {
        bytes = sizeOfBytes((frozen ? (JSON.stringify(held) ?? '') : held) as string)
      }
      entry.bytes = Math.max(1, Math.ceil(bytes + sizeOfBytes(key)))
      if (entry.bytes > this.#maxBytes) {
        throw new RangeError(`${entry.bytes} bytes are more than all, ${this.#maxBytes}`)
      }
      this.#memory.set(key, entry, { size: entry.bytes })
      return true
    } catch (error) {
      // An older one would outlive what it was replaced by.
      this.#memory.delete(key)
      this.#refuse(key, error)
      return false
    }
  }

  #write(key: string, entry: Entry): Promise<boolean> {
    const level = this.#level as Level
    const { held, stored, lifespanMs } = entry
    const expiry = this.#expiry(stored, lifespanMs)
    const text = this.#options.frozen ? JSON.stringify(held) : (held as string | Uint8Array)
    if (text === undefined) return Promise.resolve(false)
    const kept: Kept = { held: text, storedWall: this.#wallNow(), lifespanMs }
    return level.set(key, kept, expiry)
  }

  /** How long an entry is still good for anything. */
  #expiry(stored: number, lifespanMs: number): number {
    const age = this.#clock.now() - stored
    return this.#engine.cacheKept(this.#handle, lifespanMs) - age
  }

  #tellStale(key: string, { stored }: Entry, cause: unknown): void {
    this.#stale++
    if (!this.#listeners?.has('stale')) return
    this.#listeners.emit('stale', { key, ageMs: this.#clock.now() - stored, cause })
  }

  #refuse(key: string, error: unknown): void {
    this.#refused++
    this.#listeners?.emit('refused', { key, error })
  }
}

/** What a function answered as a time: what is none, or below 0, is 0. */
function toMillis(ms: number): number {
  return ms > 0 ? ms : 0
}

function disposed(): SeawallError {
  return new SeawallError('SEAWALL_DISPOSED', 'Cache: used after it was disposed')
}

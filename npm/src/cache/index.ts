/**
 * Keeping answers. How long one is good for what is the engine's decision (`core/src/cache`); what
 * is kept is bounded in bytes, and no caller can change what another one gets.
 *
 * A fresh hit does not reach the engine: an entry carries the lifespan that the engine gave it,
 * and is fresh while its age is from 0 to that. All else is the engine's to judge.
 */

import { type Clock, systemClock } from '../clock.js'
import { Coalescer } from '../coalesce.js'
import type { CallContext, CallOptions } from '../context.js'
import { Handles } from '../engine/handles.js'
import { policyEngine } from '../engine/policies/index.js'
import type { PoliciesEngine } from '../engine/policies/types.js'
import { optionProblem, SeawallError } from '../errors.js'
import { Listeners } from '../events.js'
import { rejecting } from '../gate.js'
import { updated } from '../options.js'
import { failed, type Outcome, succeeded } from '../outcome.js'
import { seedOr } from '../seed.js'
import type { CacheEvents, CacheExplanation } from './events.js'
import { type Found, type Kept, Level, type StoreOperation } from './level.js'
import { type Entry, Memory } from './memory.js'
import {
  type CacheOptions,
  type CacheTimes,
  cacheNumbers,
  checkCache,
  checkTimes,
  roomNumbers,
} from './options.js'

/** `Freshness` of the core. */
const FRESH = 0
const STALE = 1
const ON_ERROR = 2
const EXPIRED = 3

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
  readonly #memory: Memory<V>
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
    const [maxBytes = 0, storeTimeoutMs = 0] = Array.from(
      this.#engine.cacheRoom(roomNumbers(options)),
    )
    if (maxBytes === 0) throw optionProblem('Cache', options, this.#engine)
    this.#times = this.#options
    this.#handle = this.#rule(options)
    handles.watch(this, this.#handle)
    this.name = options.name
    this.#clock = options.clock ?? systemClock
    this.#memory = new Memory(this.#options, maxBytes, this.#clock, {
      evicted: (key, bytes) => {
        this.#evictions++
        this.#listeners?.emit('evicted', { key, bytes })
      },
      refused: (key, error) => {
        this.#refused++
        this.#listeners?.emit('refused', { key, error })
      },
    })
    this.#coalescer = new Coalescer({
      name: options.name,
      joinWithinMs: JOIN_WITHIN_MS,
      clock: this.#clock,
    })
    const storeFailed = (operation: StoreOperation, key: string, error: unknown): void => {
      this.#storeFailures++
      this.#listeners?.emit('storeFailed', { key, operation, error })
    }
    const { store } = options
    this.#level = store ? new Level(store, options, storeTimeoutMs, this.#clock, storeFailed) : null
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
      const opened = this.#memory.open(key, entry)
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
    return this.execute(key, fn, options).then<Outcome<V>, Outcome<V>>(succeeded, failed)
  }

  /** The answer that is kept, also a stale one, or `undefined`. Nothing is fetched or counted. */
  async get(key: string): Promise<V | undefined> {
    const entry = this.#memory.get(key)
    if (entry && this.#judge(entry) <= STALE) return this.#memory.open(key, entry)?.value
    const found = await this.#level?.get(key)
    const old = found && this.#adopt(key, found, false)
    return old && this.#judge(old) <= STALE ? this.#memory.open(key, old)?.value : undefined
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
    const kept = this.#memory.keep(key, entry, value)
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
      bytes: this.#memory.bytes,
      maxBytes: this.#memory.maxBytes,
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
    const opened = entry && this.#memory.open(key, entry)
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
          if (this.#flights.get(key) === flight) this.#memory.keep(key, adopted, undefined)
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
        this.#memory.keep(key, entry, value)
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

  #entryOf(key: string, value: V): Entry | undefined {
    return this.#memory.entryOf(key, value, this.#lifespanOf)
  }

  readonly #lifespanOf = (value: V): number => {
    const { ttlMs } = this.#times
    const asked = typeof ttlMs === 'function' ? toMillis(ttlMs(value)) : Number.NaN
    return this.#engine.cacheLifespan(this.#handle, asked)
  }

  /** An entry of the store as one of the memory, of the present version; that is stored if `keep`. */
  #adopt(key: string, found: Found, keep: boolean): Entry | undefined {
    const level = this.#level as Level
    return this.#memory.adopt(key, found, level.isOld(found), (held, stored) => {
      const { storedWall, lifespanMs } = found
      const left = this.#expiry(stored, lifespanMs)
      if (keep && left > 0) void level.set(key, { held, storedWall, lifespanMs }, left, true)
    })
  }

  #write(key: string, entry: Entry): Promise<boolean> {
    const level = this.#level as Level
    const { held, stored, lifespanMs } = entry
    const expiry = this.#expiry(stored, lifespanMs)
    const text = this.#options.frozen ? JSON.stringify(held) : (held as string | Uint8Array)
    if (text === undefined) return Promise.resolve(false)
    const kept: Kept = { held: text, storedWall: this.#memory.wallNow(), lifespanMs }
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
}

/** What a function answered as a time: what is none, or below 0, is 0. */
function toMillis(ms: number): number {
  return ms > 0 ? ms : 0
}

function disposed(): SeawallError {
  return new SeawallError('SEAWALL_DISPOSED', 'Cache: used after it was disposed')
}

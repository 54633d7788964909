/** The first level of a cache: values as they are held, bounded in bytes. */
import type { LRUCache } from 'lru-cache'
import { lru } from '#lru'
import type { Clock } from '../clock.js'
import { sizeOfBytes } from '../store.js'
import type { Found } from './level.js'
import type { CacheOptions } from './options.js'
import { deepFreeze } from './values.js'

/** A value that is held, and since when. */
export interface Entry {
  held: unknown
  /** Ms of the clock; below its beginning where another process stored it. */
  stored: number
  lifespanMs: number
  /** What it counts for, once it is in memory. */
  bytes: number
}

/** Told of what becomes of values. */
export interface Told {
  evicted(key: string, bytes: number): void
  /** It could not be held, read, converted or measured, or is too large. */
  refused(key: string, error: unknown): void
}

/** Values in memory, each of which can be read anew. */
export class Memory<V> {
  readonly maxBytes: number
  readonly #options: CacheOptions<V>
  readonly #clock: Clock
  readonly #wallNow: () => number
  readonly #entries: LRUCache<string, Entry>
  readonly #told: Told

  constructor(options: CacheOptions<V>, maxBytes: number, clock: Clock, told: Told) {
    this.maxBytes = maxBytes
    this.#options = options
    this.#clock = clock
    this.#wallNow = options.wallNow ?? (() => Date.now())
    this.#told = told
    this.#entries = new (lru())<string, Entry>({
      maxSize: maxBytes,
      dispose: ({ bytes }, key, reason) => {
        if (reason === 'evict') told.evicted(key, bytes)
      },
    })
  }

  /** How many values there are. */
  get size(): number {
    return this.#entries.size
  }

  /** How many bytes they count for. */
  get bytes(): number {
    return this.#entries.calculatedSize
  }

  /** What is held for a key, which counts as a use of it. */
  get(key: string): Entry | undefined {
    return this.#entries.get(key)
  }

  /** The same, which does not. */
  peek(key: string): Entry | undefined {
    return this.#entries.peek(key)
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }

  clear(): void {
    this.#entries.clear()
  }

  /** The time of day in ms. */
  wallNow(): number {
    return this.#wallNow()
  }

  /** A value as it is held, or `undefined` if it cannot be. It is not kept by that. */
  entryOf(key: string, value: V, lifespanOf: (value: V) => number): Entry | undefined {
    const { frozen, serialize = JSON.stringify } = this.#options
    try {
      const held = frozen ? deepFreeze(value) : serialize(value)
      // JSON has no word for it.
      if (held === undefined && !frozen) return undefined
      const lifespanMs = lifespanOf(value)
      return { held, stored: this.#clock.now(), lifespanMs, bytes: 0 }
    } catch (error) {
      this.#told.refused(key, error)
      return undefined
    }
  }

  /** The value of an entry; nothing where it cannot be read, and then it is forgotten. */
  open(key: string, { held }: Entry): { value: V } | undefined {
    const { frozen, deserialize = JSON.parse as (held: unknown) => V } = this.#options
    if (frozen) return { value: held as V }
    try {
      return { value: deserialize(held as string) }
    } catch (error) {
      this.delete(key)
      this.#told.refused(key, error)
      return undefined
    }
  }

  /**
   * What a store had, as it is held here. `converted` hears how one of an older version is held now,
   * and since when it has been stored.
   */
  adopt(
    key: string,
    found: Found,
    isOld: boolean,
    converted: (held: string | Uint8Array, stored: number) => void,
  ): Entry | undefined {
    const { frozen, migrate, serialize = JSON.stringify } = this.#options
    const { deserialize = JSON.parse as (held: unknown) => V } = this.#options
    const stored = this.#clock.now() - Math.abs(this.#wallNow() - found.storedWall)
    try {
      let { held } = found
      if (migrate && isOld) {
        const version = found.version as number
        held = serialize(migrate.convert(deserialize(held as string), version))
        converted(held, stored)
      }
      const value = frozen ? deepFreeze(deserialize(held as string)) : held
      return { held: value, stored, lifespanMs: found.lifespanMs, bytes: 0 }
    } catch (error) {
      this.#told.refused(key, error)
      return undefined
    }
  }

  /** Keeps an entry, if it fits. `value` is what it was made of, where that is at hand. */
  keep(key: string, entry: Entry, value: V | undefined): boolean {
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
      if (entry.bytes > this.maxBytes) {
        throw new RangeError(`${entry.bytes} bytes are more than all, ${this.maxBytes}`)
      }
      this.#entries.set(key, entry, { size: entry.bytes })
      return true
    } catch (error) {
      // An older one would outlive what it was replaced by.
      this.delete(key)
      this.#told.refused(key, error)
      return false
    }
  }
}

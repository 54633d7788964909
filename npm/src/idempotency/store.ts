import type { Clock } from '../clock.js'

/** What a store holds under a key. */
export interface IdempotencyStored {
  /** The bytes as they were set. */
  value: Uint8Array
  /** What {@link IdempotencyStore.compareAndSet} wants, of a type only the store knows. */
  token: unknown
}

/** Where keys and answers are kept: any `Store` of this package, such as one over Redis. Times are in ms. */
export interface IdempotencyStore {
  /** The value, or `undefined` if there is none. */
  get(key: string): Promise<IdempotencyStored | undefined>
  /** Sets it if there is none; whether it did. */
  add(key: string, value: Uint8Array, expiryMs?: number): Promise<boolean>
  /** Deletes it; whether there was one. */
  delete(key: string): Promise<boolean>
  /** Sets it if it is still the one that `get` answered with `token`; whether it did. */
  compareAndSet(key: string, token: unknown, value: Uint8Array, expiryMs?: number): Promise<boolean>
}

interface Entry {
  readonly value: Uint8Array
  readonly ends: number
}

/** Bytes of keys and answers that are kept in memory. */
const MOST_BYTES = 32 * 1024 * 1024

/**
 * Keys in the memory of this process, in the order in which they were set: that is the order in
 * which they end, but for those of running requests, which are few.
 */
export function ownStore(clock: Clock): IdempotencyStore {
  const entries = new Map<string, Entry>()
  let bytes = 0
  const remove = (key: string): boolean => {
    const entry = entries.get(key)
    if (entry === undefined) return false
    entries.delete(key)
    bytes -= entry.value.byteLength + key.length
    return true
  }
  const live = (key: string): Entry | undefined => {
    const entry = entries.get(key)
    if (entry === undefined || clock.now() < entry.ends) return entry
    remove(key)
    return undefined
  }
  const put = (key: string, value: Uint8Array, expiryMs = Number.POSITIVE_INFINITY): void => {
    remove(key)
    entries.set(key, { value, ends: clock.now() + expiryMs })
    bytes += value.byteLength + key.length
    // Those that have ended go first, then the oldest.
    for (const [old, { ends }] of entries) {
      if (old === key || (ends > clock.now() && bytes <= MOST_BYTES)) break
      remove(old)
    }
  }
  return {
    async get(key) {
      const entry = live(key)
      return entry && { value: entry.value, token: entry }
    },
    async add(key, value, expiryMs) {
      if (live(key)) return false
      put(key, value, expiryMs)
      return true
    },
    async delete(key) {
      return remove(key)
    },
    async compareAndSet(key, token, value, expiryMs) {
      if (live(key) !== token) return false
      put(key, value, expiryMs)
      return true
    },
  }
}

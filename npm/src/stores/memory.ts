import { lru } from '#lru'
import { type Clock, systemClock } from '../clock.js'
import { policyEngine } from '../engine/policies/index.js'
import { optionProblem } from '../errors.js'
import { check } from '../options.js'
import { bytesOf, checkExpiry, type Store, sizeOfBytes, tooLarge } from '../store.js'

/** What a store in memory holds. */
export interface MemoryStoreOptions {
  /** Bytes of keys and values at most; what was not used for longest goes first. Default 16,777,216. */
  maxBytes?: number | undefined
  /** Where time comes from. Default the runtime's. */
  clock?: Clock | undefined
}

interface Item {
  value: Uint8Array
  token: number
  /** Ms of the clock. */
  ends: number
}

/**
 * A {@link Store} in the memory of this process: for tests, and where there is only one process.
 *
 * @example
 * ```ts
 * import { memoryStore } from 'seawall/stores'
 *
 * const store = memoryStore()
 * console.log(await store.add('job 7', 'taken', 60_000)) // true
 * console.log(await store.add('job 7', 'taken', 60_000)) // false
 * ```
 */
export function memoryStore(options: MemoryStoreOptions = {}): Store {
  check('memoryStore', options, { maxBytes: 'integer', clock: 'object' })
  const { clock = systemClock } = options
  const e = policyEngine()
  const [maxBytes] = Array.from(e.cacheRoom(Float64Array.of(options.maxBytes ?? Number.NaN)))
  if (maxBytes === undefined) throw optionProblem('memoryStore', options, e)
  const items = new (lru())<string, Item>({ maxSize: maxBytes })
  let last = 0

  const live = (key: string): Item | undefined => {
    const item = items.get(key)
    if (item === undefined || clock.now() < item.ends) return item
    items.delete(key)
    return undefined
  }
  const put = (key: string, value: string | Uint8Array, expiryMs: number | undefined): void => {
    const ms = checkExpiry('memoryStore', expiryMs) ?? Number.POSITIVE_INFINITY
    // A copy: the caller may go on with his.
    const bytes = Uint8Array.from(bytesOf(value))
    const size = Math.max(1, bytes.length + sizeOfBytes(key))
    if (size > maxBytes) throw tooLarge('memoryStore', key, size, maxBytes)
    items.set(key, { value: bytes, token: ++last, ends: clock.now() + ms }, { size })
  }
  return {
    async get(key) {
      const item = live(key)
      return item && { value: Uint8Array.from(item.value), token: item.token }
    },
    async set(key, value, expiryMs) {
      put(key, value, expiryMs)
    },
    async add(key, value, expiryMs) {
      if (live(key)) return false
      put(key, value, expiryMs)
      return true
    },
    async delete(key) {
      const item = live(key)
      items.delete(key)
      return item !== undefined
    },
    async compareAndSet(key, token, value, expiryMs) {
      if (live(key)?.token !== token) return false
      put(key, value, expiryMs)
      return true
    },
  }
}

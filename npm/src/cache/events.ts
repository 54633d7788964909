import type { StoreOperation } from './level.js'

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

import { createRequire } from 'node:module'
import type { LRUCache } from 'lru-cache'

let found: typeof LRUCache | undefined

/** The class, required when the first cache is made: it takes as long as all the rest to import. */
export function lru(): typeof LRUCache {
  found ??= (createRequire(import.meta.url)('lru-cache') as typeof import('lru-cache')).LRUCache
  return found
}

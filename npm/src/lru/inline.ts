import { LRUCache } from 'lru-cache'

/** The class of caches that forget what was used longest ago. */
export function lru(): typeof LRUCache {
  return LRUCache
}

/** Stores outside the process, over the client you bring: `seawall/stores`. */
export { type Store, type Stored, versionedKey } from '../store.js'
export {
  type MemcachedClient,
  type MemcachedStoreOptions,
  type MemjsClient,
  memcachedStore,
} from './memcached.js'
export { type MemoryStoreOptions, memoryStore } from './memory.js'
export { type IoredisClient, type NodeRedisClient, redisStore } from './redis.js'

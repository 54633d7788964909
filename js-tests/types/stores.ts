// What TypeScript users see of caches and stores, with the clients' own types.
import { Redis } from 'ioredis'
import { createClient, createCluster } from 'redis'
import { Cache, Coalescer, Fallback, fallback, type Store, versionedKey } from 'seawall'
import { memoryStore, redisStore } from 'seawall/stores'

const stores: Store[] = [
  redisStore(createClient()),
  redisStore(createCluster({ rootNodes: [] })),
  redisStore(new Redis()),
  memoryStore(),
]
// @ts-expect-error no client
redisStore({ get: (key: string) => key })

interface User {
  name: string
}
const users = new Cache<User>({
  ttlMs: user => user.name.length,
  store: stores[0],
  type: 'user',
  version: 2,
  migrate: { from: 1, convert: (old, version) => ({ name: `${String(old)} ${version}` }) },
})
export const user: Promise<User> = users.execute('7', async ({ signal }) => ({
  name: String(signal.aborted),
}))
// @ts-expect-error another type
users.execute('7', async () => 5)
users.on('stale', ({ key, ageMs }) => `${key} ${ageMs.toFixed()}`)

export const shared: Promise<number> = new Coalescer().execute('k', () => 5)
export const either: Promise<number | string> = new Fallback('none').execute(() => 5)
export const once: Promise<number | Error> = fallback(
  () => 5,
  error => error as Error,
)
export const key: string = versionedKey('user', 2, '7')

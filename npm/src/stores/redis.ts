import type { Buffer } from 'node:buffer'
import { OptionError } from '../errors.js'
import { bytesOf, checkExpiry, type Store } from '../store.js'
import { buffers } from './buffers.js'

/** What is used of a client of `redis` (node-redis) 5 or later; a pool or a cluster has it too. */
export interface NodeRedisClient {
  withTypeMapping(mapping: Record<number, unknown>): unknown
}

/** What is used of a client of `ioredis`; a cluster has it too. */
export interface IoredisClient {
  getBuffer(key: string): Promise<Buffer | null>
  set(...args: unknown[]): Promise<unknown>
  del(key: string): Promise<unknown>
  eval(...args: unknown[]): Promise<unknown>
}

/** The methods of node-redis behind `withTypeMapping`. */
interface Mapped {
  get(key: string): Promise<Buffer | null>
  set(key: string, value: Buffer, options: object): Promise<unknown>
  del(key: string): Promise<unknown>
  eval(
    script: string,
    options: { keys: string[]; arguments: (string | Buffer)[] },
  ): Promise<unknown>
}

/** The type byte of a bulk string, `$`, for which node-redis is to answer bytes. */
const BULK = 36

/** Sets the second argument where the first is still there; the third is the expiry in ms, if any. */
const COMPARE_AND_SET = `if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[3] == '' then redis.call('set', KEYS[1], ARGV[2])
else redis.call('set', KEYS[1], ARGV[2], 'px', ARGV[3]) end
return 1`

/** How a client is spoken to. */
interface Speaker {
  get(key: string): Promise<Buffer | null>
  set(key: string, value: Buffer, ms: number | undefined, onlyNew: boolean): Promise<unknown>
  del(key: string): Promise<unknown>
  eval(script: string, key: string, args: (string | Buffer)[]): Promise<unknown>
}

/**
 * A {@link Store} in Redis or what speaks its language, over your client of `redis` 5 or later or
 * of `ioredis`. The token is the value itself: a value that went away and came back is the same.
 *
 * Give the client a limit of its own: while the server is away both queue commands by default.
 *
 * @throws OptionError if the client is neither
 * @example
 * ```ts no_run
 * import { createClient } from 'redis'
 * import { Cache } from 'seawall'
 * import { redisStore } from 'seawall/stores'
 *
 * const client = await createClient().connect()
 * const users = new Cache({ store: redisStore(client), type: 'user', version: 2 })
 * ```
 */
export function redisStore(client: NodeRedisClient | IoredisClient): Store {
  const speaker = speakerOf(client)
  return {
    async get(key) {
      const value = await speaker.get(key)
      return value === null ? undefined : { value, token: value }
    },
    async set(key, value, expiryMs) {
      await speaker.set(key, bufferOf(value), whole(expiryMs), false)
    },
    async add(key, value, expiryMs) {
      return (await speaker.set(key, bufferOf(value), whole(expiryMs), true)) !== null
    },
    async delete(key) {
      return Number(await speaker.del(key)) > 0
    },
    async compareAndSet(key, token, value, expiryMs) {
      const ms = whole(expiryMs)
      const args = [token as Buffer, bufferOf(value), ms === undefined ? '' : String(ms)]
      return Number(await speaker.eval(COMPARE_AND_SET, key, args)) === 1
    },
  }
}

function speakerOf(client: NodeRedisClient | IoredisClient): Speaker {
  const { getBuffer } = (client ?? {}) as Partial<IoredisClient>
  if (typeof getBuffer === 'function') {
    const io = client as IoredisClient
    return {
      get: key => io.getBuffer(key),
      set: (key, value, ms, onlyNew) =>
        io.set(key, value, ...(ms === undefined ? [] : ['PX', ms]), ...(onlyNew ? ['NX'] : [])),
      del: key => io.del(key),
      eval: (script, key, args) => io.eval(script, 1, key, ...args),
    }
  }
  const { withTypeMapping } = (client ?? {}) as Partial<NodeRedisClient>
  if (typeof withTypeMapping === 'function') {
    const mapped = (client as NodeRedisClient).withTypeMapping({ [BULK]: buffers() }) as Mapped
    return {
      get: key => mapped.get(key),
      set: (key, value, ms, onlyNew) =>
        mapped.set(key, value, {
          ...(ms !== undefined && { expiration: { type: 'PX', value: ms } }),
          ...(onlyNew && { condition: 'NX' }),
        }),
      del: key => mapped.del(key),
      eval: (script, key, args) => mapped.eval(script, { keys: [key], arguments: args }),
    }
  }
  throw new OptionError(
    'redisStore: the client must be one of `redis` 5 or later, or of `ioredis`',
    'client',
  )
}

function bufferOf(value: string | Uint8Array): Buffer {
  const bytes = bytesOf(value)
  return buffers().from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function whole(expiryMs: number | undefined): number | undefined {
  const ms = checkExpiry('redisStore', expiryMs)
  return ms === undefined || ms === Number.POSITIVE_INFINITY ? undefined : Math.ceil(ms)
}

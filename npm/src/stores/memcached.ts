import type { Buffer } from 'node:buffer'
import { OptionError, SeawallError } from '../errors.js'
import { bytesOf, checkExpiry, type Store, type Stored, tooLarge } from '../store.js'
import { buffers } from './buffers.js'

/** What is used of a client of `memjs`. */
export interface MemjsClient {
  seq: number
  incrSeq(): void
  perform(
    key: string,
    request: Buffer,
    seq: number,
    callback: (error: Error | null, response: MemjsResponse | null) => void,
  ): void
}

interface MemjsResponse {
  header: { status: number; cas: Buffer }
  val: Buffer
}

/** What is used of a client of `memcached`. */
export interface MemcachedClient {
  gets(key: string, callback: (error: unknown, data: unknown) => void): void
  set(key: string, value: Buffer, seconds: number, callback: Answered): void
  add(key: string, value: Buffer, seconds: number, callback: Answered): void
  cas(key: string, value: Buffer, cas: string, seconds: number, callback: Answered): void
  del(key: string, callback: Answered): void
}

type Answered = (error: unknown, done: unknown) => void

/** What a server takes. */
export interface MemcachedStoreOptions {
  /**
   * The largest value in bytes; a larger one is refused with `SEAWALL_VALUE_TOO_LARGE`. Default
   * 1,048,064: the server's item of 1 MiB less the room for its head and the longest key.
   */
  maxValueBytes?: number | undefined
}

/** How a client is spoken to. */
interface Speaker {
  get(key: string): Promise<Stored | undefined>
  set(key: string, value: Buffer, seconds: number): Promise<unknown>
  add(key: string, value: Buffer, seconds: number): Promise<boolean>
  cas(key: string, token: unknown, value: Buffer, seconds: number): Promise<boolean>
  del(key: string): Promise<boolean>
}

/** Longer keys, and those with a space or a character beyond ASCII, go by their hash. */
const PLAIN_KEY = /^[\x21-\x7e]{1,250}$/
/** The longest expiry that is a span, in seconds; a longer one is taken for a time of day. */
const MONTH = 60 * 60 * 24 * 30

/**
 * A {@link Store} in memcached, over your client of `memjs` or of `memcached`. Expiries are in
 * whole seconds there, rounded up.
 *
 * A key of more than 250 bytes, or with characters that memcached does not take, goes by its
 * SHA-256. `memjs` repeats a request that failed: an `add` or `compareAndSet` whose first answer
 * was lost may then say no though it was done.
 *
 * @throws OptionError if the client is neither
 * @example
 * ```ts no_run
 * import { Client } from 'memjs'
 * import { Cache } from 'seawall'
 * import { memcachedStore } from 'seawall/stores'
 *
 * const users = new Cache({ store: memcachedStore(Client.create()), type: 'user', version: 2 })
 * ```
 */
export function memcachedStore(
  client: MemjsClient | MemcachedClient,
  { maxValueBytes = 2 ** 20 - 512 }: MemcachedStoreOptions = {},
): Store {
  const speaker = speakerOf(client)
  const fit = (key: string, value: string | Uint8Array): Buffer => {
    const bytes = bytesOf(value)
    if (bytes.length > maxValueBytes) {
      throw tooLarge('memcachedStore', key, bytes.length, maxValueBytes)
    }
    return buffers().from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }
  return {
    async get(key) {
      return speaker.get(await nameOf(key))
    },
    async set(key, value, expiryMs) {
      const [bytes, expiry] = [fit(key, value), seconds(expiryMs)]
      await speaker.set(await nameOf(key), bytes, expiry)
    },
    async add(key, value, expiryMs) {
      const [bytes, expiry] = [fit(key, value), seconds(expiryMs)]
      return speaker.add(await nameOf(key), bytes, expiry)
    },
    async delete(key) {
      return speaker.del(await nameOf(key))
    },
    async compareAndSet(key, token, value, expiryMs) {
      const [bytes, expiry] = [fit(key, value), seconds(expiryMs)]
      return speaker.cas(await nameOf(key), token, bytes, expiry)
    },
  }
}

function speakerOf(client: MemjsClient | MemcachedClient): Speaker {
  const { perform, gets } = (client ?? {}) as Partial<MemjsClient & MemcachedClient>
  if (typeof perform === 'function') return memjs(client as MemjsClient)
  if (typeof gets === 'function') return memcached(client as MemcachedClient)
  throw new OptionError(
    'memcachedStore: the client must be one of `memjs` or of `memcached`',
    'client',
  )
}

async function nameOf(key: string): Promise<string> {
  if (PLAIN_KEY.test(key)) return key
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(key))
  return `sha256-${buffers().from(hash).toString('hex')}`
}

function seconds(expiryMs: number | undefined): number {
  const ms = checkExpiry('memcachedStore', expiryMs)
  if (ms === undefined) return 0
  const span = Math.ceil(ms / 1000)
  if (span <= MONTH) return span
  const end = Math.ceil(Date.now() / 1000) + span
  // What is past the year 2100 need not end; the field has 32 bits.
  return end < 2 ** 32 - 1 ? end : 0
}

// The binary protocol's numbers: commands, and the statuses that are answers rather than failures.
const GET = 0
const SET = 1
const ADD = 2
const DELETE = 4
const OK = 0
const NOT_FOUND = 1
const EXISTS = 2
const NOT_STORED = 5

/**
 * Its methods know no token, so requests are put together here: 24 bytes of head, flags and expiry
 * where there is a value, key, value.
 */
function memjs(client: MemjsClient): Speaker {
  const ask = (
    command: number,
    key: string,
    answers: number[],
    value?: { bytes: Buffer; seconds: number; token?: Buffer },
  ): Promise<MemjsResponse> => {
    client.incrSeq()
    const { seq } = client
    const extras = value === undefined ? 0 : 8
    const name = buffers().from(key)
    const body = extras + name.length + (value?.bytes.length ?? 0)
    const head = buffers().alloc(24 + extras)
    head.writeUInt8(0x80, 0)
    head.writeUInt8(command, 1)
    head.writeUInt16BE(name.length, 2)
    head.writeUInt8(extras, 4)
    head.writeUInt32BE(body, 8)
    head.writeUInt32BE(seq >>> 0, 12)
    value?.token?.copy(head, 16)
    if (value) head.writeUInt32BE(value.seconds, 28)
    const request = buffers().concat(value ? [head, name, value.bytes] : [head, name])
    return new Promise((resolve, reject) => {
      client.perform(key, request, seq, (error, response) => {
        const status = response?.header.status ?? -1
        if (error || response === null) reject(error ?? failed(status))
        else if (answers.includes(status)) resolve(response)
        else reject(failed(status))
      })
    })
  }
  const stored = ({ header }: MemjsResponse): boolean => header.status === OK
  return {
    async get(key) {
      const { header, val } = await ask(GET, key, [OK, NOT_FOUND])
      if (header.status === NOT_FOUND) return undefined
      return { value: buffers().from(val), token: buffers().from(header.cas) }
    },
    set: (key, bytes, seconds) => ask(SET, key, [OK], { bytes, seconds }),
    add: async (key, bytes, seconds) =>
      stored(await ask(ADD, key, [OK, EXISTS, NOT_STORED], { bytes, seconds })),
    cas: async (key, token, bytes, seconds) => {
      const value = { bytes, seconds, token: token as Buffer }
      return stored(await ask(SET, key, [OK, EXISTS, NOT_FOUND], value))
    },
    del: async key => stored(await ask(DELETE, key, [OK, NOT_FOUND])),
  }
}

function failed(status: number): SeawallError {
  return new SeawallError('SEAWALL_STORE_FAILED', `memcachedStore: the server answered ${status}`)
}

function memcached(client: MemcachedClient): Speaker {
  const ask = (send: (callback: Answered) => void): Promise<unknown> =>
    new Promise((resolve, reject) => send((error, data) => (error ? reject(error) : resolve(data))))
  const yes = async (send: (callback: Answered) => void): Promise<boolean> => {
    try {
      return (await ask(send)) === true
    } catch (error) {
      // Some answers that are no failures come as errors.
      if (
        /^(Item is not stored|NOT_STORED|NOT_FOUND|EXISTS)$/.test(String((error as Error)?.message))
      )
        return false
      throw error
    }
  }
  return {
    async get(key) {
      const data = (await ask(callback => client.gets(key, callback))) as
        | Record<string, unknown>
        | undefined
        | false
      const value = data ? data[key] : undefined
      if (!data || value === undefined) return undefined
      return { value: bytesOf(value as string | Buffer), token: data.cas }
    },
    set: (key, value, expiry) => ask(callback => client.set(key, value, expiry, callback)),
    add: (key, value, expiry) => yes(callback => client.add(key, value, expiry, callback)),
    cas: (key, token, value, expiry) =>
      yes(callback => client.cas(key, value, token as string, expiry, callback)),
    del: key => yes(callback => client.del(key, callback)),
  }
}

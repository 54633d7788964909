import type { Clock } from '../clock.js'
import { OptionError } from '../errors.js'
import { check, type Kind } from '../options.js'
import type { Store } from '../store.js'

/** An answer as it is kept. */
export interface IdempotentAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[]>>
  readonly body: Uint8Array
}

/** What is known of a request that may be a repetition. */
export interface IdempotentRequest {
  readonly method: string
  /** With its query. */
  readonly path: string
  /** The value of the header, if there is one. */
  readonly key: string | undefined
  /** Whose keys these are: two clients may draw the same one. */
  readonly scope?: string | undefined
  /** As it came, or in any form that is the same for the same body. */
  readonly body?: string | Uint8Array | undefined
}

/** How repeated requests are answered. Times are in milliseconds. */
export interface IdempotencyOptions {
  /**
   * Where keys are kept. Default the memory of this process (32 MiB at most; what was not used for
   * longest goes first): enough for one process, while several need a store they share, such as
   * `redisStore` of `seawall/stores`.
   */
  store?: Store | undefined
  /** How long an answer is kept. Default 24 hours. */
  ttlMs?: number | undefined
  /**
   * How long a key is held for a request that does not end, such as one whose process died. Longer
   * than the slowest handler takes. Default 60,000.
   */
  lockMs?: number | undefined
  /**
   * How long a request waits for another one with its key before it is answered 409. 0: not at
   * all. Default 10,000: a client that repeats too early gets the answer it is after.
   */
  waitMs?: number | undefined
  /**
   * The longest answer that is kept, in bytes. Default 1,048,576. Of a longer one only the fact is
   * kept: the request is not carried out again, and repetitions are answered 409.
   */
  maxBodyBytes?: number | undefined
  /** The header with the key. Default `Idempotency-Key`. */
  header?: string | undefined
  /** The header that marks a repeated answer, with the value `true`. Default `Idempotent-Replayed`. */
  replayedHeader?: string | undefined
  /** The methods it is about. Default POST and PATCH. */
  methods?: readonly string[] | undefined
  /** Whether a request of these methods without a key is refused with 400. Default `false`. */
  required?: boolean | undefined
  /**
   * What happens to requests with a key while the store fails: `'process'` (default) carries them
   * out unprotected, `'refuse'` answers 503.
   */
  whenStoreFails?: 'process' | 'refuse' | undefined
  /** The store may take this long for one thing, then it counts as failed. Default 2000. */
  storeTimeoutMs?: number | undefined
  /** Told of each failure of the store. Default a process warning. */
  onError?: ((error: unknown) => void) | undefined
  /** Where time and timers come from. Default the runtime's. */
  clock?: Clock | undefined
}

const FIELDS: Record<keyof IdempotencyOptions, Kind> = {
  store: 'object',
  ttlMs: 'number',
  lockMs: 'number',
  waitMs: 'number',
  maxBodyBytes: 'number',
  header: 'string',
  replayedHeader: 'string',
  methods: 'object',
  required: 'boolean',
  whenStoreFails: ['process', 'refuse'],
  storeTimeoutMs: 'number',
  onError: 'function',
  clock: 'object',
}

/** Refuses unknown options and wrong types; ranges are the engine's business. */
export function checkIdempotency(options: IdempotencyOptions): void {
  check('idempotency', options, FIELDS)
  const { store, methods } = options
  // A store that lacks one would count as one that fails: at each request, and never before.
  for (const name of ['get', 'add', 'delete', 'compareAndSet'] as const) {
    expect(store === undefined || typeof store[name] === 'function', 'store', `has no \`${name}\``)
  }
  const listed = methods === undefined || Array.from(methods).every(it => typeof it === 'string')
  expect(listed, 'methods', 'must be names of methods')
}

function expect(holds: boolean, option: string, wrong: string): void {
  if (!holds) throw new OptionError(`idempotency: \`${option}\` ${wrong}`, option)
}

/** The options as `IdempotencyOptions` of `core/src/http/idempotency.rs`, field by field. */
export function idempotencyNumbers(options: IdempotencyOptions): Float64Array {
  const { ttlMs, lockMs, waitMs, maxBodyBytes, storeTimeoutMs } = options
  const numbers = [ttlMs, lockMs, waitMs, maxBodyBytes, storeTimeoutMs]
  return Float64Array.from(numbers, value => value ?? Number.NaN)
}

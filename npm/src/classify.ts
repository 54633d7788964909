import { judge } from './classify/facts.js'
import { children, isObject, read, Visit } from './classify/walk.js'
import { classifier } from './engine/classify/index.js'
import type { Classifier } from './engine/classify/types.js'

const PROCESSED = ['no', 'maybe', 'yes'] as const
const SCOPES = ['request', 'statement', 'transaction', 'connection'] as const
const STEP = 64

/** The meaning of one failure. */
export interface Verdict {
  /** The same request may succeed later without anybody changing it. */
  readonly transient: boolean
  /**
   * Whether the other side may have acted on the request: surely not (it never arrived, or it was
   * refused or rolled back), nobody can tell, or surely (it was answered).
   */
  readonly processed: 'no' | 'maybe' | 'yes'
  /**
   * How much has to be repeated: the request, the statement, the transaction from its beginning,
   * or all of it on a new connection.
   */
  readonly scope: 'request' | 'statement' | 'transaction' | 'connection'
  /** The other side asked for fewer requests. */
  readonly throttled: boolean
  /** How long the other side asked to wait, in milliseconds; absent where it did not. */
  readonly retryAfterMs?: number
  /**
   * Whether the request may be sent again as it is ({@link mayRepeat}); present if `method` or
   * `idempotent` was given to {@link classify}.
   */
  readonly repeatable?: boolean
}

/** What is known of a request beyond its failure. */
export interface RepeatOptions {
  /**
   * Whether this request may be carried out twice, whatever its method says: `true` with an
   * idempotency key, `false` for a PUT that is not what it should be. Absent: the method decides.
   */
  idempotent?: boolean | undefined
  /**
   * This service's PATCH sets values rather than changing them, so that twice is as good as once.
   * Default `false`: PATCH promises nothing of the kind.
   */
  patchIsIdempotent?: boolean | undefined
}

/** What {@link classify} is told besides the error. */
export interface ClassifyOptions extends RepeatOptions {
  /** The present in milliseconds since 1970, for waits given as a date. Default `Date.now()`. */
  now?: number | undefined
  /** The HTTP method of the request; fills {@link Verdict.repeatable}. */
  method?: string | undefined
}

/**
 * What an error means, or `undefined` if nothing in it is known.
 *
 * Knows the codes of the operating system and of Node, Deno, Bun, browsers and Workers, of undici,
 * PostgreSQL, MySQL, MariaDB, SQLite, SQL Server, Redis, MongoDB, gRPC, AWS, Google Cloud and
 * Azure, and HTTP statuses with their `Retry-After` and rate limit headers: on errors, on a
 * `Response`, and on anything with `status` and `headers`. An error that is not known is followed
 * into its `cause`; the outermost one that is known decides. The failures of an `AggregateError`
 * are joined: transient only if all that are known are. Never throws, whatever the object does.
 *
 * ```ts
 * const verdict = classify(error, { method: 'POST' })
 * if (verdict?.repeatable) await retryIn(verdict.retryAfterMs ?? 100)
 * ```
 */
export function classify(error: unknown, options: ClassifyOptions = {}): Verdict | undefined {
  if (!isObject(error)) return undefined
  const { now = Date.now(), method, idempotent } = options
  const verdict = unpack(verdictOf({ core: classifier(), now, visit: new Visit() }, error, 0))
  if (!verdict || (method === undefined && idempotent === undefined)) return verdict
  return { ...verdict, repeatable: mayRepeat(method, verdict, options) }
}

/** {@link classify} as one number, as the engine packs it; -1 if nothing is known. @internal */
export function packedVerdict(error: unknown): number {
  if (!isObject(error)) return -1
  return verdictOf({ core: classifier(), now: Date.now(), visit: new Visit() }, error, 0)
}

/**
 * Whether a database error is one of the passing kind that the Kysely helpers retry: a fixed list
 * of codes of the network, PostgreSQL, MySQL, SQLite and SQL Server, looked up in `code` and in
 * `number`, also of the `cause` and within an `AggregateError`. {@link classify} knows far more.
 */
export function isTransientError(error: unknown): boolean {
  if (!isObject(error)) return false
  const walk = { core: classifier(), now: Number.NaN, visit: new Visit() }
  return listing(walk, error, 0) === 'listed'
}

/**
 * Whether a request may be sent again after a failure.
 *
 * What will not pass, or is not known, is not repeated. What was surely not processed may be
 * repeated whatever the method; anything else only if doing it twice is as good as once, by
 * `idempotent` or by the method. POST, PATCH and unknown methods promise nothing.
 */
export function mayRepeat(
  method: string | undefined,
  verdict: Verdict | undefined,
  options: RepeatOptions = {},
): boolean {
  if (!verdict) return false
  const { idempotent, patchIsIdempotent } = options
  const word = idempotent === undefined ? 0 : idempotent ? 1 : 2
  return classifier().mayRepeat(method ?? '', pack(verdict), word | (patchIsIdempotent ? 4 : 0))
}

/** One walk: the engine, the present, and what has been seen. */
interface Walk {
  readonly core: Classifier
  readonly now: number
  readonly visit: Visit
}

/** The packed verdict on an error: of itself, else of what it is made of, else of its cause. */
function verdictOf(walk: Walk, error: object, depth: number): number {
  const { core, now, visit } = walk
  if (!visit.enter(error, depth)) return -1
  const { errors, cause } = children(error)
  const own = judge(core, error, now, errors.length > 0 || cause !== undefined)
  if (own >= 0) return own
  const joined = errors.reduce(
    (packed, child) => core.classifyJoin(packed, verdictOf(walk, child, depth + 1)),
    -1,
  )
  return joined >= 0 || !cause ? joined : verdictOf(walk, cause, depth + 1)
}

/** What an error is to {@link isTransientError}: on its list, known to last, or neither. */
type Listing = 'listed' | 'lasting' | 'neither'

function listing(walk: Walk, error: object, depth: number): Listing {
  const { core, now, visit } = walk
  if (!visit.enter(error, depth)) return 'neither'
  if (hasListedCode(core, error)) return 'listed'
  if (unpack(judge(core, error, now, true))?.transient === false) return 'lasting'
  const { errors, cause } = children(error)
  const parts = errors.map(child => listing(walk, child, depth + 1))
  if (parts.includes('lasting')) return 'lasting'
  if (parts.includes('listed')) return 'listed'
  return cause ? listing(walk, cause, depth + 1) : 'neither'
}

function hasListedCode(core: Classifier, error: object): boolean {
  for (const key of ['code', 'number']) {
    const value = read(error, key)
    if (typeof value !== 'string' && typeof value !== 'number') continue
    const code = String(value)
    if (code.length < 40 && core.isTransientCode(code)) return true
  }
  const result = read(error, 'errcode')
  return typeof result === 'number' && core.isTransientSqlite(result)
}

function unpack(packed: number): Verdict | undefined {
  if (packed < 0) return undefined
  const bits = packed % STEP
  const wait = (packed - bits) / STEP
  return {
    transient: (bits & 1) !== 0,
    processed: PROCESSED[(bits >> 2) & 3] ?? 'yes',
    scope: SCOPES[(bits >> 4) & 3] ?? 'connection',
    throttled: (bits & 2) !== 0,
    ...(wait > 0 && { retryAfterMs: wait - 1 }),
  }
}

function pack({ transient, throttled, processed, scope }: Verdict): number {
  return (
    (transient ? 1 : 0) |
    (throttled ? 2 : 0) |
    (Math.max(PROCESSED.indexOf(processed), 0) << 2) |
    (Math.max(SCOPES.indexOf(scope), 0) << 4)
  )
}

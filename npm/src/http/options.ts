import type { RetryBudget, RetryBudgetOptions } from '../budget.js'
import type { Clock } from '../clock.js'
import { check, type Kind } from '../options.js'
import type { PolicyOptions } from '../policy-options.js'
import type { BreakerRegistryOptions } from '../registry.js'
import type { RetryOptions } from '../retry-options.js'

/** One attempt that failed, or that was answered with a status from 400 on. */
export interface HttpFailure {
  /** 1 for the first. */
  readonly attempt: number
  /** The method of the request. */
  readonly method: string
  /** Where this attempt went. */
  readonly url: string
  /** The status of the answer, 0 where there was none. */
  readonly status: number
  /** What the attempt failed with, where it was not answered. */
  readonly error: unknown
}

/** How requests are repeated. Times are in milliseconds. */
export interface HttpRetryOptions
  extends Pick<
    RetryOptions,
    | 'maxAttempts'
    | 'maxElapsedMs'
    | 'delayMs'
    | 'maxDelayMs'
    | 'backoff'
    | 'jitterFactor'
    | 'respectRetryAfter'
    | 'maxRetryAfterMs'
    | 'onRefusal'
  > {
  /**
   * The last word on whether a request is sent again; `allowed` is what the rules say. Not asked
   * where the body cannot be sent again or the caller has aborted. What it throws is reported, and
   * the rules hold.
   */
  shouldRetry?: ((failure: HttpFailure, allowed: boolean) => boolean) | undefined
  /** Called before each wait for another attempt. */
  onRetry?: ((failure: HttpFailure) => void) | undefined
}

/** What {@link resilientFetch} and {@link seawallInterceptor} have in common. */
export interface HttpOptions {
  /**
   * How requests are repeated: by default 3 attempts, 100 and 200 ms apart, a quarter more or less,
   * `Retry-After` and rate limit headers kept up to 30 s. `false`: never.
   */
  retry?: HttpRetryOptions | false | undefined
  /**
   * How much may be repeated beside the requests that are not, over all origins: options, or a
   * budget that others share. Default no limit but that of each request.
   */
  budget?: RetryBudget | RetryBudgetOptions | undefined
  /**
   * The circuit breaker of each origin, or a function of the origin that answers its options.
   * `false`: none. Statuses from 500 on that may pass, time-outs and errors of the network count
   * as failures; 408, 421, 425, 429 and the caller's abort count for nothing.
   */
  breaker?: BreakerRegistryOptions['breaker'] | false | undefined
  /** This service's PATCH sets values, so that twice is as good as once. Default `false`. */
  patchIsIdempotent?: boolean | undefined
  /**
   * Whose 503 says that nothing was done, so that any method may follow it: `true` for services of
   * your own, or a function of the origin. Default `false`.
   */
  ownService?: boolean | ((origin: string) => boolean) | undefined
  /**
   * Gives requests whose method may not be repeated (POST, PATCH) a key of their own, the same for
   * each attempt: `true` for a random UUID, or a function that makes one. A key that the caller has
   * set stays, and counts with or without this option. Only for servers that know such keys.
   */
  idempotencyKey?: boolean | ((request: { method: string; url: string }) => string) | undefined
  /** The header of that key. Default `Idempotency-Key`. */
  idempotencyHeader?: string | undefined
  /**
   * A header that tells the server how many milliseconds are left, in digits; `grpc-timeout`
   * (`DEADLINE_HEADER`) in gRPC's notation. `deadlineFrom` reads both. Default none.
   */
  deadlineHeader?: string | undefined
  /** How many origins are remembered; one not used lately goes as others come. Default 1000. */
  maxOrigins?: number | undefined
  /** An origin nobody asked for this long is forgotten as others come, in ms. Default 600,000. */
  idleMs?: number | undefined
  /** The same seed gives the same waits. Default a random one. */
  seed?: number | undefined
  /** Where time and timers come from. Default the runtime's. */
  clock?: Clock | undefined
}

/** Parts of a {@link policy} that each attempt goes through, one policy an origin. */
export type AttemptPolicy = Omit<PolicyOptions, 'retry' | 'breaker' | 'clock'>

/** What {@link resilientFetch} is told. Times are in milliseconds. */
export interface ResilientFetchOptions extends HttpOptions {
  /** What sends the requests. Default the runtime's `fetch`, looked up at each call. */
  fetch?: ((input: string | URL | Request, init?: RequestInit) => Promise<Response>) | undefined
  /**
   * The same service at several addresses (`http://10.0.0.1:8080`, also with a path). Requests go
   * to them in turn, whatever origin they name, past those whose breaker is open; after a failure
   * the next one is asked at once.
   */
  instances?: readonly string[] | undefined
  /** How long an attempt may take until the headers of its answer are there. 0: no limit. Default 30,000. */
  timeoutMs?: number | undefined
  /** How long all attempts and waits may take together, until the headers are there. Default 0: no limit. */
  deadlineMs?: number | undefined
  /**
   * Sends the body of a `Request` object again by cloning it, which keeps the body in memory.
   * Default `false`: such a body is a stream, and sent once.
   */
  cloneRequests?: boolean | undefined
  /** What else each attempt goes through, such as a bulkhead; or a function of the origin. */
  policy?: AttemptPolicy | ((origin: string) => AttemptPolicy) | undefined
}

/** What a single call may bring. */
export interface HttpCallOptions {
  /** Whether this request may be carried out twice, whatever the rules say. */
  idempotent?: boolean | undefined
  /** When the headers of the answer must be there, in ms of the clock (`performance.now()`). */
  deadline?: number | undefined
}

const SHARED: Record<keyof HttpOptions, Kind> = {
  retry: 'any',
  budget: 'object',
  breaker: 'any',
  patchIsIdempotent: 'boolean',
  ownService: 'any',
  idempotencyKey: 'any',
  idempotencyHeader: 'string',
  deadlineHeader: 'string',
  maxOrigins: 'number',
  idleMs: 'number',
  seed: 'number',
  clock: 'object',
}

const FETCH: Record<string, Kind> = {
  ...SHARED,
  fetch: 'function',
  instances: 'object',
  timeoutMs: 'number',
  deadlineMs: 'number',
  cloneRequests: 'boolean',
  policy: 'any',
}

const RETRY: Record<keyof HttpRetryOptions, Kind> = {
  maxAttempts: 'number',
  maxElapsedMs: 'number',
  delayMs: 'number',
  maxDelayMs: 'number',
  backoff: 'any',
  jitterFactor: 'number',
  respectRetryAfter: 'boolean',
  maxRetryAfterMs: 'number',
  onRefusal: ['stop', 'wait'],
  shouldRetry: 'function',
  onRetry: 'function',
}

/** Refuses unknown options and wrong types. */
export function checkHttp(
  where: 'resilientFetch' | 'seawallInterceptor',
  options: HttpOptions,
): void {
  check(where, options, where === 'resilientFetch' ? FETCH : SHARED)
  if (options.retry !== false) check(`${where} retry`, options.retry, RETRY)
}

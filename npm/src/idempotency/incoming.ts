import { report } from '../events.js'
import type { Idempotency } from './keys.js'
import type { IdempotentRequest } from './options.js'

/** The parts of a request that both frameworks have. */
export interface IncomingLike {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body?: unknown
}

/** How to read a request. */
export interface FromRequest<R> {
  /** Whose keys these are. Default the `Authorization` header, so that nobody gets another's answer. */
  scope?: ((request: R) => string | undefined) | undefined
  /** What tells one body from another. Default the parsed body: bytes and text as they are, else as JSON. */
  body?: ((request: R) => string | Uint8Array | undefined) | undefined
}

/** A request in our words, `undefined` if keys are none of its business. */
export function requestOf<R extends IncomingLike>(
  keys: Idempotency,
  request: R,
  path: string,
  { scope, body }: FromRequest<R>,
): IdempotentRequest | undefined {
  const method = request.method ?? 'GET'
  const key = first(request.headers[keys.header])
  if (!keys.concerns(method, key)) return undefined
  return {
    method,
    path,
    key,
    scope: scope ? scope(request) : first(request.headers.authorization),
    body: body ? body(request) : parsed(request),
  }
}

/** A chunk of an answer as bytes. */
export function bytesOf(chunk: string | Uint8Array, encoding?: unknown): Uint8Array {
  if (typeof chunk !== 'string') return chunk
  const name = typeof encoding === 'string' ? encoding : 'utf8'
  const { Buffer } = globalThis
  return Buffer ? Buffer.from(chunk, name as BufferEncoding) : new TextEncoder().encode(chunk)
}

let warned = false

function parsed({ body, headers }: IncomingLike): string | Uint8Array | undefined {
  if (body === undefined) {
    const length = Number(first(headers['content-length']) ?? 0)
    if ((length > 0 || headers['transfer-encoding'] !== undefined) && !warned) {
      warned = true
      report(
        new Error(
          'the body of a request was not parsed, so requests that differ in it alone count as the same',
        ),
        'idempotency',
      )
    }
    return undefined
  }
  if (typeof body === 'string' || body instanceof Uint8Array) return body
  return JSON.stringify(body)
}

function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}

import { report } from '../events.js'
import { bytesOf, type FromRequest, type IncomingLike, requestOf } from './incoming.js'
import { Idempotency, type IdempotencyStep } from './keys.js'
import type { IdempotencyOptions, IdempotentAnswer } from './options.js'

/** The parts of Express' (and Node's) request. */
export interface ExpressRequest extends IncomingLike {
  readonly originalUrl?: string
}

/** The parts of Express' (and Node's) response. */
export interface ExpressResponse {
  statusCode: number
  readonly headersSent: boolean
  readonly writableEnded?: boolean
  // biome-ignore lint/suspicious/noExplicitAny: three signatures that are passed on as they are.
  write(...args: any[]): boolean
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  end(...args: any[]): any
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  writeHead(...args: any[]): any
  getHeaders(): Record<string, number | string | string[] | undefined>
  setHeader(name: string, value: string | readonly string[]): unknown
}

/** {@link IdempotencyOptions}, and how to read a request. */
export interface ExpressIdempotencyOptions
  extends IdempotencyOptions,
    FromRequest<ExpressRequest> {}

/**
 * Idempotency keys for Express 4 and 5, and for anything with Node's request and response. Put it
 * behind the body parser, whose `req.body` is part of what makes two requests the same.
 *
 * The answer goes out once the store has it, so that a repetition cannot overtake it.
 *
 * @example
 * ```ts no_run
 * import express from 'express'
 * import { expressIdempotency } from 'seawall/idempotency'
 *
 * const app = express()
 * app.use(express.json(), expressIdempotency({ ttlMs: 3_600_000 }))
 * app.post('/orders', (req, res) => res.status(201).json({ id: 7 }))
 * ```
 *
 * @throws OptionError for an option that is unknown, of a wrong type or out of range
 */
export function expressIdempotency(
  options: ExpressIdempotencyOptions = {},
): (req: ExpressRequest, res: ExpressResponse, next: (error?: unknown) => void) => void {
  const { scope, body, ...rest } = options
  const keys = new Idempotency(rest)
  return (req, res, next) => {
    const request = requestOf(keys, req, req.originalUrl ?? req.url ?? '', { scope, body })
    if (request === undefined) {
      next()
      return
    }
    keys.begin(request).then(step => {
      if (step.kind === 'none') next()
      else if (step.kind !== 'process') {
        // Somebody may have answered meanwhile, such as a time-out.
        if (!res.headersSent && !res.writableEnded) send(res, step.answer)
      } else {
        watch(keys, res, step)
        next()
      }
    }, next)
  }
}

function send(res: ExpressResponse, { status, headers, body }: IdempotentAnswer): void {
  res.statusCode = status
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
  res.end(body)
}

/** Collects what is written, and holds the end back until it is kept. */
function watch(
  keys: Idempotency,
  res: ExpressResponse,
  step: IdempotencyStep & { kind: 'process' },
): void {
  const { write, end, writeHead } = res
  const chunks: Uint8Array[] = []
  let written: Record<string, unknown> = {}
  let ended = false
  let bytes = 0
  const collect = (chunk: unknown, encoding: unknown): void => {
    if (chunk === undefined || chunk === null || typeof chunk === 'function') return
    const part = bytesOf(chunk as string | Uint8Array, encoding)
    bytes += part.byteLength
    // Longer than what is kept: there is no use in holding on to it.
    if (keys.holds(bytes)) chunks.push(part)
    else chunks.length = 0
  }
  res.writeHead = (...args) => {
    const headers = args.find(it => typeof it === 'object' && it !== null)
    if (headers) written = Array.isArray(headers) ? fromList(headers) : headers
    return writeHead.apply(res, args)
  }
  res.write = (...args) => {
    if (ended) return false
    collect(args[0], args[1])
    return write.apply(res, args)
  }
  res.end = (...args) => {
    if (ended) return res
    ended = true
    const isWhole = bytes === 0
    collect(args[0], args[1])
    const body = keys.holds(bytes) ? concat(chunks) : undefined
    const headers = res.getHeaders()
    if (!res.headersSent) {
      // From here on nobody changes the answer, and its length is known as it would have been.
      const open = headers['content-length'] ?? headers['transfer-encoding']
      if (
        isWhole &&
        open === undefined &&
        res.statusCode >= 200 &&
        ![204, 304].includes(res.statusCode)
      ) {
        res.setHeader('content-length', String(bytes))
      }
      res.writeHead(res.statusCode)
    }
    step
      .settle({
        status: res.statusCode,
        headers: texts({ ...headers, ...written }),
        ...(body && { body }),
      })
      .then(() => end.apply(res, args))
      .catch(error => report(error, 'expressIdempotency: the end of an answer'))
    return res
  }
}

function texts(headers: Record<string, unknown>): Record<string, string | string[]> {
  const list = Object.entries(headers).filter(([, value]) => value !== undefined)
  return Object.fromEntries(
    list.map(([name, value]) => [name, Array.isArray(value) ? value.map(String) : String(value)]),
  )
}

function fromList(list: unknown[]): Record<string, unknown> {
  const pairs = Array.isArray(list[0])
    ? (list as [string, unknown][])
    : Array.from({ length: list.length >> 1 }, (_, i) => [list[2 * i], list[2 * i + 1]] as const)
  return Object.fromEntries(pairs)
}

function concat(chunks: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(chunks.reduce((sum, { byteLength }) => sum + byteLength, 0))
  let at = 0
  for (const chunk of chunks) {
    all.set(chunk, at)
    at += chunk.byteLength
  }
  return all
}

import { bytesOf, type FromRequest, type IncomingLike, requestOf } from './incoming.js'
import { Idempotency, type IdempotencyStep } from './keys.js'
import type { IdempotencyOptions } from './options.js'

/** The parts of Fastify's reply. */
interface Reply {
  readonly statusCode: number
  code(status: number): Reply
  headers(values: Record<string, string | string[]>): Reply
  getHeaders(): Record<string, number | string | string[] | undefined>
  send(payload: unknown): Reply
}

/** {@link IdempotencyOptions}, and how to read a request. */
export interface FastifyIdempotencyOptions extends IdempotencyOptions, FromRequest<IncomingLike> {}

/** What Fastify's `register` takes. */
export type FastifyIdempotency = (
  // biome-ignore lint/suspicious/noExplicitAny: Fastify is no dependency, and its own type has more parameters than can be named here.
  fastify: any,
  options: FastifyIdempotencyOptions,
  done: (error?: Error) => void,
) => void

/**
 * Idempotency keys for Fastify 4 and 5, for all routes of the instance it is registered with.
 *
 * The answer goes out once the store has it, so that a repetition cannot overtake it. An answer
 * that is a stream is not kept: repetitions are answered 409.
 *
 * @example
 * ```ts no_run
 * import Fastify from 'fastify'
 * import { fastifyIdempotency } from 'seawall/idempotency'
 *
 * const app = Fastify()
 * await app.register(fastifyIdempotency, { ttlMs: 3_600_000 })
 * app.post('/orders', async (request, reply) => reply.code(201).send({ id: 7 }))
 * ```
 */
export const fastifyIdempotency: FastifyIdempotency = (fastify, options, done) => {
  let keys: Idempotency
  const { scope, body, ...rest } = options
  try {
    keys = new Idempotency(own(rest))
  } catch (error) {
    done(error as Error)
    return
  }
  const steps = new WeakMap<object, IdempotencyStep & { kind: 'process' }>()

  fastify.addHook('preHandler', async (request: IncomingLike, reply: Reply) => {
    const asked = requestOf(keys, request, request.url ?? '', { scope, body })
    if (asked === undefined) return undefined
    const step = await keys.begin(asked)
    if (step.kind === 'none') return undefined
    if (step.kind === 'process') {
      steps.set(request, step)
      return undefined
    }
    const { status, headers, body: bytes } = step.answer
    return reply.code(status).headers(headers).send(buffer(bytes))
  })

  fastify.addHook('onSend', async (request: IncomingLike, reply: Reply, payload: unknown) => {
    const step = steps.get(request)
    if (step) {
      steps.delete(request)
      await step.settle({
        status: reply.statusCode,
        headers: texts(reply.getHeaders()),
        ...collected(payload),
      })
    }
    return payload
  })
  fastify.addHook('onClose', async () => keys[Symbol.dispose]())
  done()
}

Object.assign(fastifyIdempotency, {
  // For the whole instance and not for the plugin alone (what `fastify-plugin` does).
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'seawall-idempotency',
})

/** The options without what Fastify's `register` adds. */
function own(options: FastifyIdempotencyOptions & Record<string, unknown>): IdempotencyOptions {
  const { prefix: _, logLevel: __, logSerializers: ___, ...rest } = options
  return rest
}

/** The body of an answer, unless it is a stream. */
function collected(payload: unknown): { body?: Uint8Array } {
  if (payload === undefined || payload === null) return { body: new Uint8Array(0) }
  if (typeof payload === 'string' || payload instanceof Uint8Array)
    return { body: bytesOf(payload) }
  return {}
}

function buffer(bytes: Uint8Array): unknown {
  const { Buffer } = globalThis
  return Buffer ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) : bytes
}

function texts(
  headers: Record<string, number | string | string[] | undefined>,
): Record<string, string | string[]> {
  const list = Object.entries(headers).filter(([, value]) => value !== undefined)
  return Object.fromEntries(
    list.map(([name, value]) => [name, Array.isArray(value) ? value : String(value)]),
  )
}

export type { Store as IdempotencyStore } from '../store.js'
export {
  type ExpressIdempotencyOptions,
  type ExpressRequest,
  type ExpressResponse,
  expressIdempotency,
} from './express.js'
export {
  type FastifyIdempotency,
  type FastifyIdempotencyOptions,
  fastifyIdempotency,
} from './fastify.js'
export type { FromRequest, IncomingLike } from './incoming.js'
export { Idempotency, type IdempotencyStep, idempotency } from './keys.js'
export type { IdempotencyOptions, IdempotentAnswer, IdempotentRequest } from './options.js'

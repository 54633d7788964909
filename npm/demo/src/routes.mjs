import fastify from 'fastify'
import { CircuitBreakerError } from 'seawall'
import { isTransientError } from 'seawall/kysely'
import {
  listCustomers,
  listOrders,
  listProducts,
  OutOfStock,
  placeOrder,
  readOrder,
  readProduct,
} from './store.mjs'

const id = { type: 'integer', minimum: 1 }
const byId = { params: { type: 'object', properties: { id } } }
const newOrder = {
  body: {
    type: 'object',
    required: ['customerId', 'items'],
    properties: {
      customerId: id,
      items: {
        type: 'array',
        minItems: 1,
        maxItems: 8,
        items: {
          type: 'object',
          required: ['productId', 'quantity'],
          properties: { productId: id, quantity: { type: 'integer', minimum: 1, maximum: 100 } },
        },
      },
    },
  },
}
const page = {
  querystring: {
    type: 'object',
    properties: { limit: { type: 'integer', minimum: 1, maximum: 100, default: 20 } },
  },
}

/**
 * The HTTP side of the order service. `query(fn, { idempotent })` reaches the database,
 * `status()` and `health()` tell about the service itself.
 */
export function createRoutes({ query, status, health }) {
  const app = fastify()

  app.get('/', async () => ({
    service: 'orders',
    see: [
      '/products',
      '/products/1',
      '/customers',
      '/orders?limit=5',
      '/orders/1',
      '/health',
      '/status',
    ],
    order: 'POST /orders {"customerId":1,"items":[{"productId":2,"quantity":1}]}, Idempotency-Key',
  }))

  app.get('/products', () => query(listProducts))
  app.get(
    '/products/:id',
    { schema: byId },
    async ({ params }, reply) => (await query(db => readProduct(db, params.id))) ?? missing(reply),
  )
  app.get('/customers', () => query(listCustomers))
  app.get('/orders', { schema: page }, ({ query: { limit } }) => query(db => listOrders(db, limit)))
  app.get(
    '/orders/:id',
    { schema: byId },
    async ({ params }, reply) => (await query(db => readOrder(db, params.id))) ?? missing(reply),
  )

  app.post('/orders', { schema: newOrder }, async ({ headers, body }, reply) => {
    // Only the client knows whether two requests are one order. Without its key a lost answer
    // must not lead to a second attempt.
    const sent = headers['idempotency-key']
    const key = sent ?? crypto.randomUUID()
    const placed = await query(db => refusal(placeOrder(db, key, body)), {
      idempotent: sent !== undefined,
    })
    if (placed.refused) return reply.code(409).send({ error: placed.refused })
    return reply.code(placed.repeated ? 200 : 201).send(placed)
  })

  app.get('/health', async (_request, reply) => {
    const result = await health()
    return reply.code(result.status === 'unhealthy' ? 503 : 200).send(result)
  })
  app.get('/status', async () => status())

  app.setErrorHandler((error, _request, reply) => {
    if (error.statusCode < 500) return reply.send(error)
    const passing = error instanceof CircuitBreakerError || isTransientError(error)
    reply.code(passing ? 503 : 500)
    if (passing) reply.header('retry-after', Math.ceil((error.retryAfterMs ?? 1000) / 1000))
    return reply.send({ error: error.message, code: error.code })
  })

  return app
}

/** A refused order is an answer of the database, not a failure of it: the breaker must not count it. */
async function refusal(order) {
  try {
    return await order
  } catch (error) {
    if (error instanceof OutOfStock) return { refused: error.message }
    throw error
  }
}

function missing(reply) {
  return reply.code(404).send({ error: 'not found' })
}

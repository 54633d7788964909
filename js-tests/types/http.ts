import { createServer } from 'node:http'
import Fastify from 'fastify'
import { resilientFetch, seawallInterceptor } from 'seawall/http'
import {
  expressIdempotency,
  fastifyIdempotency,
  type IdempotencyStore,
  idempotency,
} from 'seawall/idempotency'
import { Agent } from 'undici'

// It is a `fetch` wherever one is wanted.
export const plain: typeof fetch = resilientFetch()
export const nested = resilientFetch({ fetch: plain })
export const made = nested('http://a', { method: 'PUT', body: () => new Blob(['x']).stream() })
export const said = nested('http://a', { seawall: { idempotent: true, deadline: 5 } })
// @ts-expect-error a body is no number
export const wrong = nested('http://a', { body: 5 })
// @ts-expect-error the interceptor has no instances
export const other = seawallInterceptor({ instances: [] })

export const dispatcher = new Agent().compose(seawallInterceptor({ retry: false }))
export const fastify = Fastify().register(fastifyIdempotency, { ttlMs: 5, required: true })
// Node's own request and response are all that the middleware for Express needs.
export const server = createServer((req, res) => {
  expressIdempotency({ scope: ({ headers }) => String(headers.authorization) })(req, res, () => {
    res.end()
  })
})
declare const store: IdempotencyStore
export const keys = idempotency({ store })

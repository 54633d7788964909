// A Worker in front of an origin that cannot be relied on.
import { CircuitBreaker, policy, SeawallError } from 'seawall'
import { durableObject, kv, SharedState } from './shared-state.js'

export { BreakerState } from './breaker-state.js'

// In the global scope: made once for each isolate, so that they see more than one request.
const breaker = new CircuitBreaker({
  failureRate: 0.5,
  window: { ms: 30_000 },
  minimumCalls: 5,
  resetTimeMs: 5_000,
})
const origin = policy({
  // Whoever asks for the same while it is fetched gets the same answer.
  coalesce: { joinWithinMs: 5_000 },
  deadlineMs: 4_000,
  retry: { maxAttempts: 3, delayMs: 50 },
  budget: { ratio: 0.2 },
  breaker,
  timeout: 1_500,
})
const shared = new SharedState(breaker)

export default {
  async fetch(request, env, ctx) {
    // Others are sent on as they are, or not at all: their answers are nobody else's.
    if (request.method !== 'GET') {
      return new Response(null, { status: 405, headers: { allow: 'GET' } })
    }
    const { pathname, search } = new URL(request.url)
    const store = env.BREAKERS
      ? durableObject(env.BREAKERS, 'origin')
      : kv(env.BREAKERS_KV, 'origin')
    await shared.look(store, ctx)
    const key = `${env.ORIGIN}${pathname}${search}`
    const call = origin.tryExecute(({ signal }) => load(key, signal), {
      key,
      idempotent: true,
      // Of this request alone. What is shared was begun by another one, which may be gone.
      deadline: performance.now() + 5_000,
    })
    // Others may wait for this answer: it is fetched to the end although this client goes away.
    ctx.waitUntil(call)
    const outcome = await call
    shared.tell(store, ctx)
    return outcome.ok ? answer(outcome.value) : refusal(outcome.error)
  },
}

/** Plain data: the body of a response belongs to the request that fetched it, and to no other. */
async function load(url, signal) {
  const response = await fetch(url, { signal })
  const { status, headers } = response
  const body = await response.arrayBuffer()
  // With status and headers `classify` knows what may be repeated, and when.
  if (status >= 500 || status === 429) {
    throw Object.assign(new Error(`the origin answered ${status}`), { status, headers })
  }
  return { status, type: headers.get('content-type') ?? 'application/octet-stream', body }
}

function answer({ status, type, body }) {
  return new Response(body, { status, headers: { 'content-type': type } })
}

function refusal(error) {
  const headers = new Headers()
  if (error.retryAfterMs > 0) {
    headers.set('retry-after', String(Math.ceil(error.retryAfterMs / 1000)))
  }
  const code = error instanceof SeawallError ? error.code : 'ORIGIN_FAILED'
  return Response.json({ code, message: error.message }, { status: 503, headers })
}

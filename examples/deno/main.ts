// A service for Deno in front of an origin that cannot be relied on:
//   deno run --allow-net main.ts https://origin.example.com 8000
import { SeawallError } from 'seawall'
import { HealthChecks, healthHandler } from 'seawall/health'
import { resilientFetch } from 'seawall/http'

const [origin = 'http://127.0.0.1:9000', port = '8000'] = Deno.args

// Repeats what may be repeated, keeps Retry-After, and has a breaker for each origin.
const fetch = resilientFetch({
  timeoutMs: 1_000,
  deadlineMs: 4_000,
  retry: { maxAttempts: 3, delayMs: 50 },
})

const checks = new HealthChecks()
checks.add('origin', () => !fetch.breaker(new URL(origin).origin).isOpen(), {
  intervalMs: 1_000,
})
const health = healthHandler(checks)

Deno.serve({ hostname: '127.0.0.1', port: Number(port) }, async request => {
  const probe = await health(request)
  if (probe) return probe
  const { pathname, search } = new URL(request.url)
  const headers = new Headers(request.headers)
  headers.delete('host')
  try {
    return await fetch(`${origin}${pathname}${search}`, {
      method: request.method,
      headers,
      body: request.body,
    })
  } catch (error) {
    if (!(error instanceof SeawallError)) throw error
    const seconds = Math.ceil((error.retryAfterMs ?? 1_000) / 1_000)
    return new Response(error.code, { status: 503, headers: { 'retry-after': `${seconds}` } })
  }
})

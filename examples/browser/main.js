// A page whose API is not always there: tries again what may be tried again, and says how it stands
// instead of making a tired server more tired. Any bundler will do: `npx vite`.
import { CircuitBreakerError, Fallback } from 'seawall'
import { resilientFetch } from 'seawall/http'

const api = resilientFetch({
  timeoutMs: 2_000,
  retry: { maxAttempts: 3, delayMs: 100 },
  breaker: { threshold: 3, resetTimeMs: 2_000 },
})
const breaker = api.breaker(location.origin)
const show = (id, text) => (document.getElementById(id).textContent = text)
breaker.on('stateChange', ({ to }) => show('breaker', to))

/** What was good last is better than an error. */
let last = 'no answer so far'
const answers = new Fallback(cause =>
  cause instanceof CircuitBreakerError
    ? `${last} (again in ${Math.ceil(cause.retryAfterMs / 1000)} s)`
    : `${last} (${cause.message})`,
)

async function ask() {
  const text = await answers.execute(async () => {
    const response = await api('/api')
    if (!response.ok) throw new Error(`status ${response.status}`)
    last = await response.text()
    return last
  })
  show('answer', text)
  return text
}

document.getElementById('ask').addEventListener('click', ask)

import http from 'node:http'
import { seeded } from './random.mjs'
import { customerCount, productCount } from './schema.mjs'

/** An answer later than this counts as slow. */
export const slowMs = 500
const patienceMs = 8000

/**
 * Sends requests at a steady rate, whatever happens to the earlier ones, and keeps the results.
 * The same seed makes the same requests.
 */
export class Load {
  served = 0
  failed = 0
  slow = 0
  inFlight = 0
  latencies = []
  failures = new Map()
  /** Keys of the orders of which the service said that they were placed. */
  placedKeys = new Set()
  #orders = 0
  #agent = new http.Agent({ keepAlive: true })
  #timer
  #drained = () => {}

  /** `record`: whether to keep what grows with time, the latencies and keys. */
  constructor({ port, rate, seed, record }) {
    this.port = port
    this.record = record
    this.rate = rate
    this.random = seeded(seed)
    this.seed = seed
  }

  start() {
    const started = performance.now()
    let sent = 0
    this.#timer = setInterval(() => {
      const due = Math.floor(((performance.now() - started) / 1000) * this.rate)
      // After a sleep of this process not everything it missed is made up for, only a second's worth.
      for (sent = Math.max(sent, due - this.rate); sent < due; sent++) this.#send()
    }, 5)
  }

  /** Sends no more; resolves when every request has ended. */
  async stop() {
    clearInterval(this.#timer)
    if (this.inFlight > 0)
      await new Promise(resolve => {
        this.#drained = resolve
      })
    this.#agent.destroy()
  }

  /** Gives up what is in flight. */
  abort() {
    clearInterval(this.#timer)
    this.#agent.destroy()
  }

  /** The latency under which a share of the served requests stayed, in milliseconds. */
  percentile(share) {
    const sorted = Float64Array.from(this.latencies).sort()
    return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
  }

  #send() {
    const { method, path, body, key } = this.#next()
    const started = performance.now()
    this.inFlight++
    const request = http.request({
      host: '127.0.0.1',
      port: this.port,
      agent: this.#agent,
      method,
      path,
      signal: AbortSignal.timeout(patienceMs),
      headers: key && { 'idempotency-key': key, 'content-type': 'application/json' },
    })
    let status
    let error
    request.on('response', response => {
      status = response.statusCode
      response
        .on('error', failure => {
          error = failure
        })
        .resume()
    })
    request.on('error', failure => {
      error = failure
    })
    request.on('close', () => {
      if (error || status === undefined) this.#end(error?.code ?? 'no answer')
      else if (status >= 400) this.#end(`HTTP ${status}`)
      else this.#end(undefined, performance.now() - started, key)
    })
    request.end(body)
  }

  #end(failure, latency, key) {
    this.inFlight--
    if (failure === undefined) {
      this.served++
      if (latency > slowMs) this.slow++
      if (this.record) this.latencies.push(latency)
      if (this.record && key) this.placedKeys.add(key)
    } else {
      this.failed++
      this.failures.set(failure, (this.failures.get(failure) ?? 0) + 1)
    }
    if (this.inFlight === 0) this.#drained()
  }

  /** One in three places an order, the others read. */
  #next() {
    const kind = this.random()
    const pick = count => 1 + Math.floor(this.random() * count)
    if (kind < 0.3) return { method: 'GET', path: '/products' }
    if (kind < 0.5) return { method: 'GET', path: `/products/${pick(productCount)}` }
    if (kind < 0.67) return { method: 'GET', path: '/orders?limit=5' }
    const first = pick(productCount)
    const items = [{ productId: first, quantity: pick(3) }]
    const second = pick(productCount)
    if (second > first) items.push({ productId: second, quantity: pick(3) })
    return {
      method: 'POST',
      path: '/orders',
      body: JSON.stringify({ customerId: pick(customerCount), items }),
      key: `demo-${this.seed}-${++this.#orders}`,
    }
  }
}

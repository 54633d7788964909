import { RateLimiter } from 'seawall'
import { Clock, settled } from './tools.mjs'

export class World {
  clock = new Clock()
  #calls = new Map()
  #passed = []
  #late = []

  constructor({ options }) {
    this.limiter = new RateLimiter({ ...options, clock: this.clock })
  }

  async step(step) {
    await this.clock.pass(step.at)
    const answer = (await this.#act(step)) ?? {}
    await settled()
    return Object.assign(answer, { passed: this.#passed.splice(0), late: this.#late.splice(0) })
  }

  #act(step) {
    const { limiter, clock } = this
    switch (step.do) {
      case 'tryAcquire': {
        const { ok, rule, retryAfterMs } = limiter.tryAcquire(step.permits)
        return { decision: ok ? 'granted' : 'refused', rule, retryAfterMs }
      }
      case 'acquire':
        return this.#acquire(step)
      case 'leave':
        return this.#calls.get(step.call).abort()
      case 'hold':
        return limiter.hold(clock.now() + step.forMs)
      case 'release':
        return limiter.release()
      case 'update':
        return limiter.update(step.options)
      case 'look': {
        const { available, queued, waiting, heldMs, nextMs } = limiter.explain()
        return { available, queued, waiting, heldMs, nextMs }
      }
      default:
        throw new Error(`unknown step ${step.do}`)
    }
  }

  async #acquire({ call, permits, maxWaitMs }) {
    const aborter = new AbortController()
    let answer
    this.limiter.acquire(permits, { maxWaitMs, signal: aborter.signal }).then(
      () => {
        if (answer) this.#passed.push(call)
        else answer = { decision: 'granted' }
      },
      error => {
        if (error === aborter.signal.reason) return
        if (answer) this.#late.push(call)
        else answer = { decision: 'refused', rule: error.rule, retryAfterMs: error.retryAfterMs }
      },
    )
    await settled()
    this.#calls.set(call, aborter)
    answer ??= { decision: 'waiting' }
    return answer
  }
}

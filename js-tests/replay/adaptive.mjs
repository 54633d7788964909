import { AdaptiveLimiter } from 'seawall'
import { Clock } from './tools.mjs'

export class World {
  #clock = new Clock()
  #permits = []

  constructor({ options, seed }) {
    this.limiter = new AdaptiveLimiter({ ...options, seed: seed ?? 0, clock: this.#clock })
  }

  async step(step) {
    this.#clock.set(step.at)
    const begun = step.do === 'begin' ? await this.#begin(step.calls) : undefined
    if (step.do === 'end') {
      for (const permit of this.#permits.splice(0, step.calls)) permit[step.outcome]()
    }
    const { limit, reason, latencyMs, baselineMs } = this.limiter.explain()
    return { begun, limit, reason, latencyMs, baselineMs }
  }

  async #begin(calls) {
    let begun = 0
    for (let i = 0; i < calls; i++) {
      try {
        this.#permits.push(await this.limiter.acquire())
        begun++
      } catch (error) {
        if (error.code !== 'SEAWALL_OVERLOADED') throw error
      }
    }
    return begun
  }
}

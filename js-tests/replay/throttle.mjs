import { Throttle } from 'seawall'
import { Clock } from './tools.mjs'

export class World {
  #clock = new Clock()
  #calls = new Map()

  constructor({ options, seed }) {
    this.throttle = new Throttle({ ...options, seed, clock: this.#clock })
  }

  step(step) {
    this.#clock.set(step.at)
    if (step.do === 'look') return this.throttle.explain()
    if (step.do !== 'admit') return this.#calls.get(step.call)[step.do]()
    try {
      this.#calls.set(step.call, this.throttle.acquire())
      return { admitted: true }
    } catch (error) {
      if (error.code !== 'SEAWALL_THROTTLED') throw error
      return { admitted: false }
    }
  }
}

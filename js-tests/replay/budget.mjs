import { RetryBudget } from 'seawall'
import { Clock } from './tools.mjs'

export class World {
  #clock = new Clock()

  constructor({ options }) {
    this.budget = new RetryBudget({ ...options, clock: this.#clock })
  }

  step(step) {
    this.#clock.set(step.at)
    if (step.do === 'look') return this.budget.explain()
    return { allowed: this.budget[step.do]() }
  }
}

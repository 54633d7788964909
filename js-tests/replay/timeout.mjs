import { Timeout } from 'seawall'
import { Clock } from './tools.mjs'

/** With a deadline, a fixed time-out measures its calls too. */
const FAR = 1e9

export class World {
  #clock = new Clock()
  #own

  constructor({ options }) {
    const told = options.timeoutMs === 'told'
    const own = told && { timeoutMs: () => this.#own ?? options.fallbackMs }
    this.timeout = new Timeout({ ...options, ...own, clock: this.#clock })
  }

  async step(step) {
    this.#clock.set(step.at)
    if (step.do === 'record') {
      for (const ms of step.ms) await this.#measure(step.at, ms)
    }
    // What was gathered is known to the engine from here on.
    const { timeoutMs, leastMs, samples, medianMs } = this.timeout.explain()
    if (step.do !== 'limit') return { timeoutMs, leastMs, samples, medianMs }
    this.#own = step.ownMs
    const deadline = step.leftMs === undefined ? undefined : step.at + step.leftMs
    // One that fails is not measured.
    const failing = context => {
      throw Object.assign(new Error('ended'), { limitMs: context.remaining() })
    }
    const { error } = await this.timeout.tryExecute(failing, { deadline })
    return { limitMs: error.limitMs, rule: error.rule }
  }

  /** A call that ends at `at` and took `ms`. */
  async #measure(at, ms) {
    this.#clock.set(at - ms)
    const { promise, resolve } = Promise.withResolvers()
    const call = this.timeout.execute(() => promise, { deadline: FAR })
    this.#clock.set(at)
    resolve()
    await call
  }
}

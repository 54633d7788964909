import { Hedge } from 'seawall'
import { Clock, settled } from './tools.mjs'

export class World {
  #clock = new Clock()
  #own
  #delays = []

  constructor({ options }) {
    const own = options.delayMs === 'told' && { delayMs: () => this.#own }
    this.hedge = new Hedge({ ...options, ...own, clock: this.#clock })
    this.hedge.on('hedge', ({ delayMs }) => this.#delays.push(delayMs))
  }

  async step(step) {
    this.#clock.set(step.at)
    if (step.do === 'call') return { hedgesAfterMs: await this.#call(step) }
    if (step.do === 'record') {
      for (const ms of step.ms) await this.#measure(step.at, ms)
    }
    const { delayMs, samples } = this.hedge.explain()
    return { delayMs, samples }
  }

  /** A call that nobody answers, until its caller gives up. */
  async #call({ at, ownMs, leftMs }) {
    this.hedge.explain()
    this.#own = ownMs
    const aborter = new AbortController()
    const deadline = leftMs === undefined ? undefined : at + leftMs
    const { signal } = aborter
    const call = this.hedge.tryExecute(() => new Promise(() => {}), { deadline, signal })
    await this.#clock.pass(at + 1400)
    await settled()
    aborter.abort()
    await call
    return this.#delays.splice(0)
  }

  /** A call that ends at `at` and took `ms`. */
  async #measure(at, ms) {
    this.#clock.set(at - ms)
    const { promise, resolve } = Promise.withResolvers()
    const call = this.hedge.execute(() => promise)
    this.#clock.set(at)
    resolve()
    await call
  }
}

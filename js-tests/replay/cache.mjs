import { Cache } from 'seawall'
import { Clock, settled } from './tools.mjs'

export class World {
  #clock = new Clock()
  #stale

  constructor({ options, seed, steps }) {
    const told = steps.some(step => step.ttlMs !== undefined) && { ttlMs: value => value.ttlMs }
    this.cache = new Cache({ ...options, ...told, seed, clock: this.#clock })
    this.cache.on('stale', event => {
      this.#stale = event
    })
  }

  async step(step) {
    this.#clock.set(step.at)
    if (step.do === 'set') {
      await this.cache.set(step.key, { ttlMs: step.ttlMs })
      return
    }
    this.#stale = undefined
    let fetched = false
    const { ok } = await this.cache.tryExecute(step.key, () => {
      fetched = true
      throw new Error('the other side is down')
    })
    await settled()
    if (!ok) return { is: 'expired' }
    if (!fetched) return { is: 'fresh' }
    return { is: this.#stale.cause === undefined ? 'stale' : 'onError' }
  }
}

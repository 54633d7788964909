import { Bulkhead } from 'seawall'
import { Clock, settled } from './tools.mjs'

export class World {
  #clock = new Clock()
  #calls = new Map()
  #admitted = []
  #expired = []

  constructor({ options, seed }) {
    this.bulkhead = new Bulkhead({ ...options, seed, clock: this.#clock })
  }

  async step(step) {
    await this.#clock.pass(step.at)
    const decision = await this.#act(step)
    await settled()
    const { running, queued, outlook, totals } = this.bulkhead.explain()
    return {
      decision,
      admitted: this.#admitted.splice(0),
      expired: this.#expired.splice(0),
      running,
      queued,
      outlook,
      totals: [
        totals.queued,
        totals.admitted,
        totals.full,
        totals.priority,
        totals.queueTimeout,
        totals.aborted,
      ],
    }
  }

  #act({ at, do: what, call, expect, ...step }) {
    switch (what) {
      case 'enter':
        return this.#enter(call, step)
      case 'leave':
        return this.#calls.get(call).permit.release()
      case 'cancel':
        return this.#calls.get(call).aborter.abort()
      case 'resize':
        return this.bulkhead.update(step)
      case 'look':
        return
      default:
        throw new Error(`unknown step ${what}`)
    }
  }

  async #enter(call, options) {
    const entry = { permit: undefined, aborter: new AbortController() }
    const { signal } = entry.aborter
    this.#calls.set(call, entry)
    let decision
    this.bulkhead.acquire({ ...options, signal }).then(
      permit => {
        entry.permit = permit
        if (decision) this.#admitted.push(call)
        else decision = 'admitted'
      },
      error => {
        if (error === signal.reason) return
        if (decision) this.#expired.push(call)
        else decision = error.rule
      },
    )
    await settled()
    decision ??= 'queued'
    return decision
  }
}

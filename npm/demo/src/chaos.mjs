import { setTimeout as sleep } from 'node:timers/promises'
import { seeded } from './random.mjs'

/** Faults at the boundary to the database, off until asked for. */
export function createChaos(seed) {
  const random = seeded(seed)
  let failureRate = 0
  let latency = null

  return {
    set(faults) {
      if ('failureRate' in faults) failureRate = faults.failureRate
      if ('latency' in faults) latency = faults.latency
    },

    /** Calls `fn`, perhaps later, perhaps losing the request on the way or the answer on the way back. */
    async around(fn) {
      if (latency) await sleep(latency[0] + random() * (latency[1] - latency[0]))
      const fate = random()
      if (fate < failureRate / 2) throw lost()
      const result = await fn()
      if (fate < failureRate) throw lost()
      return result
    },

    /** Blocks the event loop. */
    pause(ms) {
      const end = performance.now() + ms
      while (performance.now() < end);
    },
  }
}

function lost() {
  return Object.assign(new Error('chaos query'), { code: 'ECONNRESET' })
}

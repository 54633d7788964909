import { chaos } from 'seawall'

/** Faults at the boundary to the database, off until asked for. The same seed strikes the same calls. */
export function createChaos(seed) {
  const untouched = fn => fn
  let delay = untouched
  let loseRequest = untouched
  let loseAnswer = untouched

  return {
    /** `failureRate`: the share of calls that fail. `latency`: the least and most ms of delay, or null. */
    set({ failureRate, latency }) {
      if (failureRate !== undefined) {
        const options = { enabled: failureRate > 0, rate: failureRate / 2, fault: lost }
        loseRequest = chaos({ ...options, seed })
        loseAnswer = chaos({ ...options, seed: seed + 1 })
      }
      if (latency !== undefined) {
        const [latencyMs, maxLatencyMs] = latency ?? []
        delay = chaos({ enabled: latency !== null, rate: 1, latencyMs, maxLatencyMs, seed })
      }
    },

    /** Calls `fn`, perhaps late, perhaps losing the request on its way or the answer on the way back. */
    around: async fn => {
      const result = await delay(loseRequest(fn))()
      return await loseAnswer(async () => result)()
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

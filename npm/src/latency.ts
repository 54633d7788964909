/** Latencies on their way to the engine, several at a time: to cross for each would cost more than the call. */

/** As many as the core's `GATHER`. */
const MOST = 16

/** A latency this old, in ms, says nothing of what holds now: the engine is asked again. @internal */
export const STALE_MS = 1_000

/** Gathers latencies until the engine wants them. @internal */
export class Latencies {
  #list: Float64Array | undefined
  #count = 0
  /** After how many the engine wants them. */
  askAfter = 1

  /** One more; whether it is time to tell the engine. */
  add(ms: number): boolean {
    this.#list ??= new Float64Array(MOST)
    this.#list[this.#count++] = ms
    return this.#count >= this.askAfter || this.#count >= MOST
  }

  /** Those gathered, which are forgotten. */
  take(): Float64Array {
    const list = this.#list?.slice(0, this.#count) ?? NONE
    this.#count = 0
    return list
  }
}

const NONE = new Float64Array(0)

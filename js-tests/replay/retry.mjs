// A retry shows its waits, and not its reasons nor one failure by itself: this one asks the engine,
// as `npm/src/retry.ts` does.
import { engine } from '../node_modules/seawall/dist/engine/index.js'

/** `Reason` of the core, without its sign. */
const REASONS = [
  undefined,
  'notTransient',
  'attempts',
  'elapsed',
  'ambiguous',
  'retryAfterTooLong',
  'refused',
  'deadline',
]
/** `Verdict::to_bits` of the core. */
const PROCESSED = { no: 0, maybe: 4, yes: 8 }

/** Numbers for the engine, NaN for none. */
const numbers = list => Float64Array.from(list, value => Number(value ?? Number.NaN))

export class World {
  #engine = engine()

  constructor({ options, seed = 0 }) {
    const fields = [
      options.maxAttempts,
      options.maxElapsedMs,
      options.delayMs,
      options.maxDelayMs,
      options.backoff,
      options.jitterFactor,
      options.respectRetryAfter,
      options.maxRetryAfterMs,
      options.idempotent,
      options.onRefusal === 'wait',
    ]
    this.handle = this.#engine.retryNew(numbers(fields), -1, seed)
    if (this.handle < 0) throw new Error(`refused: ${this.#engine.problemField()}`)
  }

  step({ transient, processed = 'no', ...step }) {
    const failure = [
      step.attempt,
      step.elapsedMs ?? 0,
      step.previousMs ?? 0,
      transient === undefined ? undefined : Number(transient) + PROCESSED[processed],
      step.retryAfterMs,
      step.wanted,
      step.refused,
      step.delayMs,
      step.remainingMs,
    ]
    const decision = this.#engine.retryDecide(this.handle, numbers(failure))
    return decision < 0 ? { stop: REASONS[-decision] } : { afterMs: decision }
  }
}

import { processEngine } from '../../engine/process/index.js'
import type { ProcessEngine } from '../../engine/process/types.js'
import { optionProblem } from '../../errors.js'

/** The times of a drain, in ms. */
interface Times {
  windowMs: number
  farewellMs: number
  eventStreamRetryMs: number | undefined
}

/** When each connection is told to leave: `core/src/lifecycle/drain.rs`. */
export class Turns implements Disposable {
  readonly #engine: ProcessEngine
  readonly #begun: number
  readonly #handle: number

  /** @throws OptionError for a time below zero */
  constructor({ windowMs, farewellMs, eventStreamRetryMs }: Times, now: number, seed: number) {
    const core = processEngine()
    this.#engine = core
    this.#begun = now
    this.#handle = core.drainNew(windowMs, farewellMs, eventStreamRetryMs, seed)
    if (this.#handle < 0) {
      const times = { windowMs, farewellMs, eventStreamRetryMs }
      throw optionProblem('ServerTracker', times, core)
    }
  }

  /** The time at which the next connection is told. */
  next(): number {
    return this.#begun + this.#engine.drainTurn(this.#handle)
  }

  [Symbol.dispose](): void {
    this.#engine.drainFree(this.#handle)
  }
}

import { engine } from '../../engine/index.js'
import type { Engine } from '../../engine/types.js'
import { optionProblem } from '../../errors.js'

/** When each connection is told to leave: `core/src/lifecycle/drain.rs`. */
export class Turns implements Disposable {
  readonly #engine: Engine
  readonly #begun: number
  readonly #handle: number

  constructor(windowMs: number, now: number, seed: number) {
    const core = engine()
    this.#engine = core
    this.#begun = now
    this.#handle = core.drainNew(windowMs, seed)
    if (this.#handle < 0) throw optionProblem('ServerTracker', { windowMs }, core)
  }

  /** The time at which the next connection is told. */
  next(): number {
    return this.#begun + this.#engine.drainTurn(this.#handle)
  }

  [Symbol.dispose](): void {
    this.#engine.drainFree(this.#handle)
  }
}

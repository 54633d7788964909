import { systemClock } from '../clock.js'
import { Handles } from '../engine/handles.js'
import { processEngine } from '../engine/process/index.js'
import { optionProblem } from '../errors.js'
import { BEGIN, EXPIRE, FAIL, type HealthReason, PASS, reasonOf } from './words.js'

const handles = new Handles(handle => processEngine().healthFree(handle))

/**
 * One check whose timers somebody else has: whether it may run now, and what is known of it. The
 * times are those of the runtime. @internal
 */
export class LoneCheck {
  readonly #handle: number

  /** @throws OptionError for a time that is out of range. */
  constructor(where: string, timeoutMs: number, intervalMs: number) {
    const core = processEngine()
    const now = systemClock.now()
    this.#handle = core.healthNew(now)
    handles.keep(this, this.#handle)
    const numbers = Float64Array.of(Number.NaN, timeoutMs, intervalMs)
    if (core.healthAdd(this.#handle, numbers, now) < 0) {
      throw optionProblem(where, { timeoutMs, intervalMs }, core)
    }
  }

  /** Begins a run; nothing while one is under way, unless it has hung for very long. */
  begin(): number | undefined {
    const run = this.#tell(BEGIN, 0)
    return run < 0 ? undefined : run
  }

  /** The time of the run is up. */
  expire(run: number): void {
    // Whoever has the timer has waited for long enough.
    if (this.#tell(EXPIRE, run) < 0) this.#tell(EXPIRE, run)
  }

  /** The run has ended. */
  settle(run: number, passed: boolean): void {
    this.#tell(passed ? PASS : FAIL, run)
  }

  /** Why it counts as it does. */
  reason(): HealthReason {
    return reasonOf(processEngine().healthWatch(this.#handle, 0, systemClock.now())[1])
  }

  #tell(event: number, subject: number): number {
    return processEngine().healthTell(this.#handle, event, subject, systemClock.now())
  }
}

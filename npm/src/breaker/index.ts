/** The circuit breaker, as its users see it. What becomes of a call stands in `calls.ts`. */
import { engine } from '../engine/index.js'
import { OptionError, optionProblem } from '../errors.js'
import { FAILURE, type Gate, NEUTRAL, SUCCESS } from '../gate.js'
import { check } from '../options.js'
import { BreakerCalls, inside } from './calls.js'
import type { BreakerPermit, CircuitBreakerState } from './events.js'
import { failuresOf, visible } from './news.js'
import {
  type BreakerMode,
  breakerNumbers,
  type CircuitBreakerOptions,
  checkBreaker,
  MODES,
} from './options.js'
import {
  type BreakerExplanation,
  type BreakerSnapshot,
  explanation,
  STATES,
  snapshotFrom,
  snapshotNumbers,
} from './report.js'

/** The engine's handle of a breaker, for the registry that keeps it. @internal */
export function breakerHandle(breaker: CircuitBreaker): number {
  return inside.handle(breaker)
}

/** The breaker as a part of a pipeline. @internal */
export function breakerGate(breaker: CircuitBreaker): Gate {
  return inside.gate(breaker)
}

/**
 * Fails calls fast while the other side is down, and finds out when it is back.
 *
 * @example
 * ```ts
 * import { CircuitBreaker } from 'seawall'
 *
 * const breaker = new CircuitBreaker({ threshold: 5, resetTimeMs: 10_000 })
 * const answer = await breaker.execute(async () => 'an answer')
 * console.log(answer, breaker.getState().state)
 * ```
 */
export class CircuitBreaker extends BreakerCalls {
  /** Its name, if it was given one. */
  get name(): string | undefined {
    return inside.options(this).name
  }

  /** `fn` behind this breaker, with the same arguments and `this`. */
  wrap<This, Args extends unknown[], T>(
    fn: (this: This, ...args: Args) => PromiseLike<T> | T,
  ): (this: This, ...args: Args) => Promise<T> {
    const breaker = this
    return function (...args) {
      return breaker.execute(() => fn.apply(this, args))
    }
  }

  /**
   * Leave to run one call by hand.
   *
   * @throws CircuitBreakerError if the breaker refuses.
   */
  acquire(): BreakerPermit {
    const started = inside.now(this)
    const permit = inside.admit(this, started)
    let open = true
    const settle = (outcome: number, error?: unknown): void => {
      if (!open) return
      open = false
      inside.record(this, permit, outcome, error, started)
    }
    return {
      success: () => settle(SUCCESS),
      failure: error => settle(FAILURE, error),
      neutral: () => settle(NEUTRAL),
      [Symbol.dispose]: () => settle(NEUTRAL),
    }
  }

  /** The state in three words, what its rule counted, and whether a probe is under way. */
  getState(): CircuitBreakerState {
    const now = this.explain()
    return {
      state: visible(now.state),
      failures: failuresOf(this, now.failures),
      lastFailureTime: now.lastFailureTime,
      isTestingHalfOpen: now.isTesting,
    }
  }

  /** Whether calls are refused. Stays true after the open time until a call asks. */
  isOpen(): boolean {
    return visible(STATES[inside.state(this)] ?? 'closed') === 'open'
  }

  /** Whether all calls go through. */
  isClosed(): boolean {
    return inside.state(this) === 0
  }

  /** Why the breaker is as it is, and when that may change. */
  explain(): BreakerExplanation {
    const now = inside.now(this)
    return explanation(engine().breakerExplain(inside.live(this), now), inside.options(this))
  }

  /** Closes the breaker and forgets what it counted; isolation stays. */
  async reset(): Promise<void> {
    engine().breakerReset(inside.live(this), inside.now(this))
    inside.sync(this)
  }

  /** Opens the breaker as if its rule had; it recovers in the ordinary way. */
  async forceOpen(): Promise<void> {
    engine().breakerForceOpen(inside.live(this), Date.now(), inside.now(this))
    inside.sync(this)
  }

  /** Refuses every call until what is returned is disposed of, by each of those who isolate. */
  isolate(): Disposable {
    engine().breakerIsolate(inside.live(this), inside.now(this))
    inside.sync(this)
    let held = true
    return {
      [Symbol.dispose]: () => {
        if (!held || inside.handle(this) < 0) return
        held = false
        engine().breakerRelease(inside.handle(this), inside.now(this))
        inside.sync(this)
      },
    }
  }

  /**
   * Goes on with these options in place of those it had, the others as before, in the state it is
   * in: an opening lasts as long as it was to last, and what the rule counted is kept where the
   * new rule is of the same kind. A breaker with a name changes in all threads; the callbacks and
   * `slowCallMs` of the others stay theirs.
   *
   * @throws OptionError for an option that is wrong or that cannot be changed (`name`, `clock`,
   * `seed`); the breaker is unchanged then.
   */
  update(options: CircuitBreakerOptions): void {
    checkBreaker(options)
    const present = inside.options(this)
    for (const fixed of ['name', 'clock', 'seed'] as const) {
      if (options[fixed] !== undefined && options[fixed] !== present[fixed]) {
        throw new OptionError(`CircuitBreaker: \`${fixed}\` cannot be changed`, fixed)
      }
    }
    const e = engine()
    const updated = { ...present, ...options }
    if (e.breakerUpdate(inside.live(this), breakerNumbers(updated), inside.now(this)) < 0) {
      throw optionProblem('CircuitBreaker', updated, e)
    }
    inside.change(this, updated)
    inside.sync(this)
  }

  /** What the breaker does with its decisions from now on. Leaving `'disabled'` closes it. */
  setMode(mode: BreakerMode): void {
    const code = MODES.indexOf(mode)
    if (code < 0) check('CircuitBreaker', { mode: mode ?? null }, { mode: MODES })
    engine().breakerSetMode(inside.live(this), code, inside.now(this))
    inside.sync(this)
  }

  /** The breaker's state as plain data, in ages instead of times. */
  snapshot(): BreakerSnapshot {
    return snapshotFrom(engine().breakerSnapshot(inside.live(this), inside.now(this)))
  }

  /**
   * Takes the state of a snapshot as if no time had passed since.
   *
   * @throws OptionError for a snapshot this version cannot read; the breaker is unchanged then.
   */
  restore(snapshot: BreakerSnapshot): void {
    const e = engine()
    if (e.breakerRestore(inside.live(this), snapshotNumbers(snapshot), inside.now(this)) < 0) {
      throw optionProblem('CircuitBreaker', { snapshot }, e)
    }
    inside.sync(this)
  }
}

// Its own, as in the package that it stands in for.
Object.defineProperty(CircuitBreaker.prototype, 'execute', {
  value: BreakerCalls.prototype.execute,
  configurable: true,
  writable: true,
})

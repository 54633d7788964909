/** What is done when the function of a call has answered: the first closure of its `then`. */
import type { Clock } from '../clock.js'
import { burstNow } from '../clock-burst.js'
import { CELL_WORDS, FROM, GATE, UNTIL } from '../engine/cells.js'
import { FAILURE, SUCCESS } from '../gate.js'
import { count } from './cell.js'
import type { CircuitBreakerOptions } from './options.js'
import { isBad, isHeard, isSlow } from './outcome.js'

/** For `then`. */
export interface Settler {
  readonly ok: (value: unknown) => unknown
  readonly err: (error: unknown) => never
}

/** What closures tell their breaker. */
export interface Ends<Breaker> {
  /** A success, to be counted under `gate` if that still is the gate. */
  count(breaker: Breaker, gate: number, permit: number, now: number): void
  /** It is time to tell the engine of the successes counted. */
  check(breaker: Breaker): void
  /** A success that cannot be counted here. */
  late(breaker: Breaker, permit: number): void
  record(
    breaker: Breaker,
    permit: number,
    outcome: number,
    error: unknown,
    value: unknown,
    started: number | undefined,
    signal?: AbortSignal,
  ): void
  now(breaker: Breaker): number
}

/** For all calls that `gate` lets through, which need nothing of their beginning. */
export function okOfGate<Breaker>(
  breaker: Breaker,
  ends: Ends<Breaker>,
  cell: Int32Array,
  gate: number,
  permit: number,
  clocked: boolean,
  clock: Pick<Clock, 'now'> | undefined,
): Settler['ok'] {
  if (clocked) return timed(breaker, ends, cell, gate, permit, clock)
  return value => {
    if (cell[GATE] === gate) {
      if (count(cell)) ends.check(breaker)
    } else ends.late(breaker, permit)
    return value
  }
}

function timed<Breaker>(
  breaker: Breaker,
  ends: Ends<Breaker>,
  cell: Int32Array,
  gate: number,
  permit: number,
  clock: Pick<Clock, 'now'> | undefined,
): Settler['ok'] {
  const times = new Float64Array(cell.buffer, cell.byteOffset, CELL_WORDS / 2)
  return value => {
    const now = clock === undefined ? burstNow() : clock.now()
    if (cell[GATE] === gate && now < (times[UNTIL] as number) && now >= (times[FROM] as number)) {
      if (count(cell)) ends.check(breaker)
    } else ends.late(breaker, permit)
    return value
  }
}

/** The same for one call; `gate` is the gate that let it through without asking, or 0. */
export function okOfCall<Breaker>(
  breaker: Breaker,
  ends: Ends<Breaker>,
  options: CircuitBreakerOptions,
  permit: number,
  gate: number,
  started: number,
  signal: AbortSignal | undefined,
): Settler['ok'] {
  return value => {
    const isLookedAt = options.isFailureResult !== undefined
    const bad = isLookedAt && isBad(options, value)
    const now = ends.now(breaker)
    const unheard = !isLookedAt || !(bad || isHeard(options))
    if (gate !== 0 && unheard && !signal?.aborted && !isSlow(options, started, now)) {
      ends.count(breaker, gate, permit, now)
    } else {
      const outcome = bad ? FAILURE : SUCCESS
      ends.record(breaker, permit, outcome, undefined, value, started, signal)
    }
    return value
  }
}

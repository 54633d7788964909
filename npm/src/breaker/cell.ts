/** Reading and counting in a breaker's cell (`core/src/breaker/cell.rs`), without a call to the engine. */
import {
  ADMIT,
  ASK_AT,
  CELL_WORDS,
  type Cells,
  FROM,
  GATE,
  REFUSE,
  REFUSED,
  SUCCESSES,
  UNTIL,
} from '../engine/cells.js'

const PROBES = 2 ** 20
const STATE_SHIFT = 2
const GENERATION_SHIFT = 5

/** A cell whose gate is none: whoever reads it asks. */
export const ASKING: Int32Array = new Int32Array(CELL_WORDS)

/** Whether a gate lets calls through without asking. */
export function admits(gate: number): boolean {
  return (gate & 3) === ADMIT
}

/** The number of the state a gate belongs to. */
export function stateOf(gate: number): number {
  return (gate >>> STATE_SHIFT) & 7
}

/** The permit of a call that a gate let through. */
export function permitOf(gate: number): number {
  return (gate >>> GENERATION_SHIFT) * PROBES
}

/** Whether a permit is that of a probe. */
export function isProbe(permit: number): boolean {
  return permit % PROBES !== 0
}

/** Whether a gate refuses calls without asking. */
export function refuses(gate: number): boolean {
  return (gate & 3) === REFUSE
}

/** The milliseconds for which a gate that refuses still does so, or -1 where its time is over. */
export function refusedFor({ f64 }: Cells, base: number, now: number): number {
  const until = f64[base / 2 + UNTIL] as number
  return now >= until || now < (f64[base / 2 + FROM] as number) ? -1 : until - now
}

/** Counts a refusal that the engine was not asked for. */
export function countRefusal({ u32 }: Cells, base: number): void {
  u32[base + REFUSED] = (u32[base + REFUSED] as number) + 1
}

/** Whether a success has to look at the clock: the gate holds for a while only. */
export function isClocked({ f64 }: Cells, base: number): boolean {
  return f64[base / 2 + UNTIL] !== Number.POSITIVE_INFINITY
}

/** Whether `gate` is still the gate, and its time is not over. */
export function holds({ u32, f64 }: Cells, base: number, gate: number, now: number): boolean {
  const half = base / 2
  return (
    u32[base + GATE] === gate &&
    now >= (f64[half + FROM] as number) &&
    now < (f64[half + UNTIL] as number)
  )
}

/** The time until the answer may be another, as a cell says. */
export function retryAfter({ f64 }: Cells, base: number, now: number): number | undefined {
  const left = (f64[base / 2 + UNTIL] as number) - now
  return left > 0 && left < Number.POSITIVE_INFINITY ? left : undefined
}

/** Counts a success; whether it is time to tell the engine. */
export function countSuccess({ u32 }: Cells, base: number): boolean {
  const successes = (u32[base + SUCCESSES] as number) + 1
  u32[base + SUCCESSES] = successes
  return ((successes - (u32[base + ASK_AT] as number)) | 0) >= 0
}

/** The same in a view on the one cell. */
export function count(cell: Int32Array): boolean {
  const successes = ((cell[SUCCESSES] as number) + 1) | 0
  cell[SUCCESSES] = successes
  return ((successes - (cell[ASK_AT] as number)) | 0) >= 0
}

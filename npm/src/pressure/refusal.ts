import type { PriorityName } from '../gate.js'
import { CAUSES, type PressureCause } from './explain.js'

/** What a request says of itself. */
export interface PressureAsk {
  /** How important it is: a class, or a level from 0 to 499. Default `'medium'`. */
  priority?: PriorityName | number | undefined
  /**
   * Whose request it is. Within a class, users who were let in most lately are refused first, so
   * that all are served alike.
   */
  cohort?: string | undefined
}

/** Why a request must not be served now. */
export interface PressureRefusal {
  readonly cause: PressureCause
  /** After how many ms it is worth coming back, in whole seconds; `undefined`: not known. */
  readonly retryAfterMs: number | undefined
}

/** Answers of the engine: the cause in so many bits, the seconds above. */
const SECONDS = 32
const REFUSALS = 1_024

/** By what the engine answers, so that who gets one again can know it again. */
const refusals = new Map<number, PressureRefusal>()

/** What the engine would have answered for a cause and a time in s. @internal */
export function refusalCode(cause: number, seconds: number): number {
  return 1 + cause + SECONDS * seconds
}

/** The refusal of an answer of the engine: the same object for the same answer. @internal */
export function refusalOf(code: number): PressureRefusal {
  const known = refusals.get(code)
  if (known) return known
  const answer = code - 1
  const seconds = Math.floor(answer / SECONDS)
  const refusal = Object.freeze({
    cause: CAUSES[answer % SECONDS] ?? 'maintenance',
    retryAfterMs: seconds > 0 ? seconds * 1_000 : undefined,
  })
  if (refusals.size >= REFUSALS) refusals.clear()
  refusals.set(code, refusal)
  return refusal
}

import { engine } from '../engine/index.js'
import { type BreakerMode, type CircuitBreakerOptions, MODES } from './options.js'

/** The states of the engine, by number. */
export const STATES = ['closed', 'open', 'half-open', 'recovering', 'isolated'] as const

const OPENED_BY = [
  undefined,
  'consecutive failures',
  'failures within a time',
  'failure rate',
  'slow-call rate',
  'failed recovery',
  'a result',
  'force',
] as const

/** Why a breaker is as it is. Times are in milliseconds, and ago unless said otherwise. */
export interface BreakerExplanation {
  name: string | undefined
  /** What it does with calls. */
  state: (typeof STATES)[number]
  mode: BreakerMode
  /** Raised by one with each change of state. */
  generation: number
  /** How long it has been in this state. */
  sinceMs: number
  /** When the state may change by itself; undefined where only a call, or a person, changes it. */
  changesInMs: number | undefined
  /** What its rule counts now: calls, failures and slow calls. */
  calls: number
  failures: number
  slow: number
  /** Why it last opened, with the counts of that moment. */
  opened:
    | {
        by: NonNullable<(typeof OPENED_BY)[number]>
        calls: number
        failures: number
        slow: number
        forMs: number
      }
    | undefined
  /** Openings since it was last closed for good. */
  openings: number
  /** Whether a probe is under way. */
  isTesting: boolean
  /** The step of a gradual re-close, and the share of calls it lets through. */
  step: { index: number; share: number } | undefined
  lastFailureMs: number | undefined
  /** Epoch milliseconds of the last failure that counted. */
  lastFailureTime: number | undefined
  /** Calls since construction. */
  totals: {
    successes: number
    failures: number
    neutral: number
    slow: number
    /** Ended after the state had changed, and so decided nothing. */
    late: number
    /** Refused; in a dry run, would have been. */
    rejected: number
  }
  /** What failed lately, the latest first. */
  causes: { cause: string; count: number; agoMs: number }[]
}

const CAUSES_FROM = 25

/** The numbers of `Explanation::to_numbers` in words. */
export function explanation(
  numbers: ArrayLike<number>,
  options: CircuitBreakerOptions,
): BreakerExplanation {
  const at = (index: number): number => numbers[index] ?? 0
  const orNone = (index: number): number | undefined => (at(index) < 0 ? undefined : at(index))
  const by = OPENED_BY[at(8)]
  const lastFailureMs = orNone(17)
  const causes: BreakerExplanation['causes'] = []
  for (let i = CAUSES_FROM; i < numbers.length; i += 3) {
    causes.push({ cause: engine().causeLabel(at(i)), count: at(i + 1), agoMs: at(i + 2) })
  }
  return {
    name: options.name,
    state: STATES[at(0)] ?? 'closed',
    mode: MODES[at(1)] ?? 'enforce',
    generation: at(2),
    sinceMs: at(3),
    changesInMs: orNone(4),
    calls: at(5),
    failures: at(6),
    slow: at(7),
    opened: by && { by, calls: at(9), failures: at(10), slow: at(11), forMs: at(12) },
    openings: at(13),
    isTesting: at(14) === 1,
    step: at(15) < 0 ? undefined : { index: at(15), share: at(16) },
    lastFailureMs,
    lastFailureTime: lastFailureMs === undefined ? undefined : at(18),
    totals: {
      successes: at(19),
      failures: at(20),
      neutral: at(21),
      slow: at(22),
      late: at(23),
      rejected: at(24),
    },
    causes,
  }
}

/** A breaker's state as plain data; see `Snapshot` of the crate for what each field means. */
export interface BreakerSnapshot {
  version: number
  state: number
  sinceMs: number
  leftMs: number
  openForMs: number
  openings: number
  step: number
  lastFailureMs: number
  lastFailureWallMs: number
  rule: number
  memory: number[]
}

const SNAPSHOT = [
  'version',
  'state',
  'sinceMs',
  'leftMs',
  'openForMs',
  'openings',
  'step',
  'lastFailureMs',
  'lastFailureWallMs',
  'rule',
] as const

/** The numbers of `Snapshot` in `core/src/breaker/snapshot.rs` as an object. */
export function snapshotFrom(numbers: ArrayLike<number>): BreakerSnapshot {
  const [values, memory] = [Array.from(numbers), SNAPSHOT.length]
  const fields = Object.fromEntries(SNAPSHOT.map((field, i) => [field, values[i] ?? 0]))
  return { ...fields, memory: values.slice(memory + 1) } as unknown as BreakerSnapshot
}

/** And back. What is no number counts as 0. */
export function snapshotNumbers(snapshot: BreakerSnapshot): Float64Array {
  const memory = Array.isArray(snapshot?.memory) ? snapshot.memory : []
  const fields = SNAPSHOT.map(field => snapshot?.[field])
  return Float64Array.from([...fields, memory.length, ...memory], value =>
    Number.isFinite(value) ? Number(value) : 0,
  )
}

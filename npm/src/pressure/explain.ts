import { processEngine } from '../engine/process/index.js'
import { type PressureSignal, SIGNAL_NAMES } from './signals.js'

/**
 * How far a process under pressure has come; each level includes those before it. `'elevated'`
 * refuses a share of the least important requests, `'high'` (a quarter and more) keeps idle
 * connections for a shorter time, `'severe'` (a half and more) closes a share of them, `'full'`
 * refuses everything but what is critical.
 */
export type PressureLevel = 'normal' | 'elevated' | 'high' | 'severe' | 'full'

/** Why a request was refused: the greatest signal, or that the service is in maintenance. */
export type PressureCause = PressureSignal | 'maintenance'

/** The classes of requests, from the first to be refused to the last. */
export type PressureClass = 'veryLow' | 'low' | 'medium' | 'high' | 'veryHigh'

/** @internal */
export const LEVELS: readonly PressureLevel[] = ['normal', 'elevated', 'high', 'severe', 'full']
/** @internal */
export const CAUSES: readonly PressureCause[] = [...SIGNAL_NAMES, 'maintenance']
const CLASSES: readonly PressureClass[] = ['veryLow', 'low', 'medium', 'high', 'veryHigh']

/** One signal beside its limits. */
export interface PressureGauge {
  readonly signal: PressureSignal
  /** What counts of it, for heap and memory the part in use; `undefined`: not known. */
  readonly value: number | undefined
  readonly soft: number
  readonly hard: number
  /** Its pressure, 0 to 1. */
  readonly pressure: number
}

/** Requests that were refused, or in a dry run would have been. */
export interface PressureCount {
  readonly cause: PressureCause
  readonly class: PressureClass
  readonly count: number
}

/** Why a monitor decides as it does. */
export interface PressureExplanation {
  readonly name: string | undefined
  /** Who measures. */
  readonly source: 'native' | 'pulse' | 'manual'
  readonly level: PressureLevel
  /** 0 to 1. */
  readonly pressure: number
  /** The greatest signal since this level was reached. */
  readonly signal: PressureSignal | undefined
  /** Its value and limits. */
  readonly gauge: PressureGauge | undefined
  /** Requests of levels below are refused; 0: none, 300: all that is not critical, 500: all. */
  readonly threshold: number
  /** For how many ms the pressure is expected to last. */
  readonly drainMs: number
  /** For how many ms, until the last measurement, it has been on this level. */
  readonly sinceMs: number
  /**
   * When the level is left: after so many more measurements in a row in which the signal is below
   * that value, if no other signal holds it.
   */
  readonly leaves: { readonly below: number; readonly samples: number } | undefined
  /** Measurements so far. */
  readonly samples: number
  /** Signals that are known or count. */
  readonly gauges: readonly PressureGauge[]
  /** Requests let in while there was pressure. */
  readonly passed: number
  /** Requests refused, or in a dry run judged so. */
  readonly shed: number
  readonly shedBy: readonly PressureCount[]
  readonly maintenance: boolean
  readonly dryRun: boolean
  /** How often the event loop stood still for longer than `blockMs.soft`, and how long the last time. */
  readonly stalls: { readonly count: number; readonly lastMs: number }
}

/** Where the signals begin, and how many numbers each has. */
const HEAD = 15
const GAUGE = 4

/** What the engine says of a monitor. @internal */
export function explained(
  handle: number,
  name: string | undefined,
  source: PressureExplanation['source'],
): PressureExplanation {
  const numbers = processEngine().pressureExplain(handle)
  const at = (index: number): number => numbers[index] ?? 0
  const all = SIGNAL_NAMES.map((signal, place): PressureGauge => {
    const from = HEAD + place * GAUGE
    const value = at(from)
    return {
      signal,
      value: Number.isNaN(value) ? undefined : value,
      soft: at(from + 1),
      hard: at(from + 2),
      pressure: at(from + 3),
    }
  })
  const counts = HEAD + SIGNAL_NAMES.length * GAUGE
  const shedBy = CAUSES.flatMap((cause, row) =>
    CLASSES.map((name, column) => ({
      cause,
      class: name,
      count: at(counts + row * CLASSES.length + column),
    })),
  ).filter(({ count }) => count > 0)
  const gauge = all[at(2)]
  return {
    name,
    source,
    level: LEVELS[at(0)] ?? 'normal',
    pressure: at(1),
    signal: gauge?.signal,
    gauge,
    threshold: at(3),
    drainMs: at(4),
    sinceMs: at(5) - at(6),
    leaves: gauge && { below: at(7), samples: at(8) },
    samples: at(9),
    gauges: all.filter(({ value, soft }) => value !== undefined || Number.isFinite(soft)),
    passed: at(10),
    shed: shedBy.reduce((sum, { count }) => sum + count, 0),
    shedBy,
    maintenance: at(11) > 0,
    dryRun: at(12) > 0,
    stalls: { count: at(13), lastMs: at(14) },
  }
}

import type { Clock } from '../clock.js'
import { check, type Kind } from '../options.js'
import type { PressureSignals } from './signals.js'

/**
 * From when on a signal counts, and when it is too much. With one of the two, the other keeps its
 * default where it fits. `false`: the signal does not count.
 */
export type PressureLimits =
  | {
      /** Up to here there is no pressure. */
      soft?: number | undefined
      /** From here on there is as much as there can be. Not less than `soft`. */
      hard?: number | undefined
    }
  | false

/** From when on each signal counts. */
export interface PressureThresholds {
  /** For how long the event loop has not turned until now, in ms. Default 100 to 250. */
  blockMs?: PressureLimits | undefined
  /** The median delay of the event loop over the last second, in ms. Default off. */
  delayP50Ms?: PressureLimits | undefined
  /** The 99th percentile of its delays, in ms. Default 100 to 300. */
  delayMs?: PressureLimits | undefined
  /** The longest of its delays, in ms. Default off. */
  delayMaxMs?: PressureLimits | undefined
  /** Which part of the last second the event loop worked. Default 0.90 to 0.98. */
  utilization?: PressureLimits | undefined
  /** The same over about 10 s. Default off. */
  utilizationSmooth?: PressureLimits | undefined
  /** The part of the heap's limit that is in use. Default 0.85 to 0.95. */
  heap?: PressureLimits | undefined
  /** Resident bytes. Default off. */
  rssBytes?: PressureLimits | undefined
  /** The part of the container's memory that is in use; without a limit there is no pressure. Default 0.92 to 0.95. */
  memory?: PressureLimits | undefined
  /** In which part of its scheduler periods the container was throttled. Default 0.25 to 0.50. */
  cpuThrottled?: PressureLimits | undefined
  /** Which part of the time some task waited for a processor. Default 0.40 to 0.70. */
  cpuStall?: PressureLimits | undefined
  /** Which part of the time all tasks waited for memory. Default 0.05 to 0.15. */
  memoryStall?: PressureLimits | undefined
  /** Which part of the time all tasks waited for disks. Default off. */
  ioStall?: PressureLimits | undefined
  /** Requests under way; see {@link PressureMonitor.started}. Default off. */
  inFlight?: PressureLimits | undefined
  /** For how long requests wait before they are begun, in ms, for 100 ms on end. Default off. */
  queueMs?: PressureLimits | undefined
}

/** What a {@link PressureMonitor} goes by. */
export interface PressureOptions extends PressureThresholds {
  /**
   * The longest drain in ms a refusal speaks of; it is multiplied by a number drawn from 1 to 2.
   * Default 30,000. Below 1,000 refusals do not say when to come back.
   */
  maxRetryAfterMs?: number | undefined
  /** Let everybody in, and only count who would not have been. Default `false`. */
  dryRun?: boolean | undefined
  /**
   * Who measures. `'auto'` (default): a native thread where there can be one, else a timer.
   * `'pulse'`: the timer. `'manual'`: nobody, see {@link PressureMonitor.observe}. A function is
   * asked by the timer. In Cloudflare Workers, where timers end with their request, nobody measures.
   */
  source?: 'auto' | 'pulse' | 'manual' | (() => PressureSignals) | undefined
  /**
   * From one measurement of the timer to the next, in ms, at least 10. Default 100, and 250 while
   * nothing goes on, which is also the most: what is longer counts as 250. Monitors share one timer, which takes the least. The native thread has times of
   * its own.
   */
  sampleIntervalMs?: number | undefined
  /**
   * From which length in ms on the event loop stood still, for {@link PressureMonitor.stalls} and the
   * event `stall`. Default 100. Of several monitors the native thread takes the least.
   */
  stallMs?: number | undefined
  /**
   * Look at what JavaScript is doing in each stall, once, by interrupting it. Needs the native thread.
   * Default `false`.
   */
  stallStack?: boolean | undefined
  /**
   * A file into which the native thread records the last minute, to be read by `readRecording` when
   * the process is gone, however it ended. `{pid}` stands for the id of the process; each isolate
   * needs a file of its own. A file that is there already, as after a crash, is kept as
   * `<path>.previous`. Without, it is recorded in memory.
   */
  recordTo?: string | undefined
  /** Stands in its errors and explanations. */
  name?: string | undefined
  /** The same seed refuses the same requests. Default a random one. */
  seed?: number | undefined
  /** Where time and timers come from, for tests; then nothing is measured unless `source` is a function. */
  clock?: Clock | undefined
}

/** By the places of the signals; the sizes of heap and memory have no limits of their own. */
const PLACES: readonly (keyof PressureThresholds | undefined)[] = [
  'blockMs',
  'delayP50Ms',
  'delayMs',
  'delayMaxMs',
  'utilization',
  'utilizationSmooth',
  'heap',
  undefined,
  'rssBytes',
  'memory',
  undefined,
  'cpuThrottled',
  'cpuStall',
  'memoryStall',
  'ioStall',
  'inFlight',
  'queueMs',
]

const THRESHOLDS = PLACES.filter(name => name !== undefined)

const FIELDS: Record<string, Kind> = {
  ...Object.fromEntries(THRESHOLDS.map(name => [name, 'any' as const])),
  maxRetryAfterMs: 'number',
  dryRun: 'boolean',
  source: 'any',
  sampleIntervalMs: 'number',
  stallMs: 'number',
  stallStack: 'boolean',
  recordTo: 'string',
  name: 'string',
  seed: 'number',
  clock: 'object',
}
const LIMITS: Record<string, Kind> = { soft: 'number', hard: 'number' }
const SOURCES: readonly unknown[] = ['auto', 'pulse', 'manual']

/** Refuses unknown options and wrong types; ranges are the engine's business. */
export function checkPressure(options: PressureOptions): void {
  check('PressureMonitor', options, FIELDS)
  for (const name of THRESHOLDS) {
    if (options[name] !== false) check(`PressureMonitor ${name}`, options[name], LIMITS)
  }
  const { source } = options
  if (source !== undefined && typeof source !== 'function' && !SOURCES.includes(source)) {
    const words = { source: SOURCES as readonly string[] }
    check('PressureMonitor', { source }, words)
  }
}

/** The names of all options, for those who take these and more. */
export const PRESSURE_OPTIONS: readonly string[] = Object.keys(FIELDS)

/** The options as `PressureConfig::from_numbers` of the core reads them. */
export function numbersOf(options: PressureOptions): Float64Array {
  const numbers: number[] = []
  for (const name of PLACES) {
    const limits = name && options[name]
    if (limits === false) numbers.push(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY)
    else numbers.push(limits?.soft ?? Number.NaN, limits?.hard ?? Number.NaN)
  }
  numbers.push(options.maxRetryAfterMs ?? Number.NaN)
  numbers.push(options.dryRun === undefined ? Number.NaN : Number(options.dryRun))
  numbers.push(options.stallMs ?? Number.NaN, options.sampleIntervalMs ?? Number.NaN)
  return Float64Array.from(numbers)
}

/**
 * The flight recorder: the last minute of a process, in memory or in a file that outlives it. What
 * the bytes are stands in `core/src/pressure/recorder.rs`.
 */
import { processEngine } from '../engine/process/index.js'
import { SeawallError } from '../errors.js'
import { LEVELS, type PressureLevel } from './explain.js'
import { type PressureSignals, SIGNAL_NAMES, signalsOf } from './signals.js'

/** One moment of a process. */
export interface PressureRecord {
  /** When, by the wall clock in ms since 1970. */
  readonly at: number
  /** The state, the state in the middle of a stall, or the end of one, whose length is `signals.block`. */
  readonly kind: 'sample' | 'stall' | 'stall-end'
  readonly level: PressureLevel
  readonly pressure: number
  readonly signals: PressureSignals
  /** The last route entered. */
  readonly route: string | undefined
}

/** What a flight recorder kept, the oldest record first. */
export interface PressureRecording {
  /** The id of the process. */
  readonly process: number
  readonly records: readonly PressureRecord[]
  /** How many records were being written when the process ended, or are damaged. */
  readonly torn: number
}

const KINDS = ['sample', 'stall', 'stall-end'] as const
/** Time, kind, level and pressure stand before the signals. */
const BEFORE = 4

/**
 * Reads what a monitor with the option `recordTo` left behind, also when its process was killed.
 *
 * @throws SeawallError with the code `SEAWALL_RECORDING` where the file cannot be read or is none, and
 * where there is no native engine to read it.
 *
 * @example
 * ```ts
 * import { PressureMonitor, readRecording } from 'seawall/pressure'
 *
 * using monitor = new PressureMonitor({ recordTo: '/tmp/seawall-flight.bin' })
 * // ... later, in another process:
 * const { records } = readRecording('/tmp/seawall-flight.bin')
 * const last = records.at(-1)
 * if (last?.kind === 'stall') console.log('it hung in', last.route, 'for', last.signals.block, 'ms')
 * ```
 */
export function readRecording(path: string): PressureRecording {
  let bytes: Uint8Array
  try {
    bytes = process.getBuiltinModule('node:fs').readFileSync(path)
  } catch (cause) {
    throw new SeawallError('SEAWALL_RECORDING', `The recording ${path} cannot be read`, { cause })
  }
  const recording = recordingOf(bytes)
  if (recording) return recording
  throw new SeawallError('SEAWALL_RECORDING', `${path} is no recording that can be read here`)
}

/** What bytes of a recorder tell, where there is an engine to read them. */
export function recordingOf(bytes: Uint8Array): PressureRecording | undefined {
  const read = processEngine().recordingRead?.(bytes)
  if (!read) return undefined
  const { numbers, routes, wallMs, torn } = read
  const records = routes.map((route, index): PressureRecord => {
    const at = index * (BEFORE + SIGNAL_NAMES.length)
    const word = (place: number) => numbers[at + place] ?? Number.NaN
    return {
      at: wallMs + word(0),
      kind: KINDS[word(1)] ?? 'sample',
      level: LEVELS[word(2)] ?? 'normal',
      pressure: word(3),
      signals: signalsOf(numbers, at + BEFORE),
      route: route || undefined,
    }
  })
  return { process: read.process, records, torn }
}

/** What is recorded of this isolate until now. */
export function presentRecording(): PressureRecording | undefined {
  const bytes = processEngine().pressureRecording?.()
  return bytes ? recordingOf(bytes) : undefined
}

/** Records into a file from now on; `{pid}` in its path is the id of the process. */
export function recordTo(path: string): void {
  const place = path.replaceAll('{pid}', String(process.pid))
  try {
    processEngine().pressureRecord?.(place)
  } catch (cause) {
    const message = `PressureMonitor: cannot record to ${place}: ${(cause as Error).message}`
    throw new SeawallError('SEAWALL_RECORDING', message, { cause })
  }
}

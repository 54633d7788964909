/** What can be known of a process, by the places in the core (`core/src/pressure/signals.rs`). */
export const SIGNAL_NAMES = [
  'block',
  'delayP50',
  'delayP99',
  'delayMax',
  'utilization',
  'utilizationSmooth',
  'heapUsed',
  'heapLimit',
  'rss',
  'memoryUsed',
  'memoryLimit',
  'cpuThrottled',
  'cpuStall',
  'memoryStall',
  'ioStall',
  'inFlight',
  'queue',
] as const

/** The name of one signal; {@link PressureSignals} says what each is. */
export type PressureSignal = (typeof SIGNAL_NAMES)[number]

/** What is known of a process at one moment; what is not known is `undefined`. */
export interface PressureSignals {
  /** For how many ms the event loop has not turned. */
  block?: number | undefined
  /** Median of the loop's delays over the last second, in ms. */
  delayP50?: number | undefined
  /** 99th percentile of the loop's delays over the last second, in ms. */
  delayP99?: number | undefined
  /** The longest of the loop's delays over the last second, in ms. */
  delayMax?: number | undefined
  /** Which part of the last second the loop worked, 0 to 1. */
  utilization?: number | undefined
  /** The same, smoothed over 10 s. */
  utilizationSmooth?: number | undefined
  /** Bytes of the heap in use. */
  heapUsed?: number | undefined
  /** Bytes to which the heap may grow. */
  heapLimit?: number | undefined
  /** Bytes of the process that are resident. */
  rss?: number | undefined
  /** Bytes that count against the container's limit. */
  memoryUsed?: number | undefined
  /** The container's limit in bytes. */
  memoryLimit?: number | undefined
  /** Which part of the last scheduler periods the container was throttled in, 0 to 1. */
  cpuThrottled?: number | undefined
  /** Which part of the time some task waited for a processor, 0 to 1. */
  cpuStall?: number | undefined
  /** Which part of the time all tasks waited for memory, 0 to 1. */
  memoryStall?: number | undefined
  /** Which part of the time all tasks waited for disks, 0 to 1. */
  ioStall?: number | undefined
  /** Requests under way. */
  inFlight?: number | undefined
  /** For how many ms requests waited before they were begun. */
  queue?: number | undefined
}

/** Fills `numbers` with signals by their places, NaN for what is not known. @internal */
export function signalNumbers(signals: PressureSignals, numbers: Float64Array): Float64Array {
  SIGNAL_NAMES.forEach((name, place) => {
    numbers[place] = signals[name] ?? Number.NaN
  })
  return numbers
}

/** Signals from their numbers. @internal */
export function signalsOf(numbers: ArrayLike<number>, from: number): PressureSignals {
  const signals: PressureSignals = {}
  SIGNAL_NAMES.forEach((name, place) => {
    const value = numbers[from + place] ?? Number.NaN
    if (!Number.isNaN(value)) signals[name] = value
  })
  return signals
}

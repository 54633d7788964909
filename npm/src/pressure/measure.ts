/** Who measures for a monitor: the native thread, or a timer of JavaScript. */
import { systemClock } from '../clock.js'
import { processEngine } from '../engine/process/index.js'
import { timersEndWithRequest } from '../timer.js'
import type { PressureExplanation } from './explain.js'
import { watchNatively } from './native.js'
import type { PressureOptions } from './options.js'
import { type Observer, PULSE_MS, Pulse, runtimePulse } from './pulse.js'
import type { PressureStall } from './stalls.js'

/** Somebody who measures. @internal */
export interface Measuring {
  readonly source: PressureExplanation['source']
  stop?(): void
}

/**
 * Begins to measure for `monitor`; `told` is called after each beat of the timer and answers whether
 * there is pressure. @internal
 */
export function measure<T extends object>(
  handle: number,
  monitor: T,
  options: PressureOptions,
  stalled: (monitor: T, stall: PressureStall) => void,
  told: () => boolean,
): Measuring {
  const { source = 'auto', clock, sampleIntervalMs } = options
  if (source === 'manual' || (clock && typeof source !== 'function')) return { source: 'manual' }
  if (timersEndWithRequest(clock ?? systemClock)) return { source: 'manual' }
  if (source === 'auto') {
    const stop = watchNatively(handle, monitor, options, stalled)
    if (stop) return { source: 'native', stop }
  }
  const pulse =
    typeof source === 'function' ? new Pulse(clock ?? systemClock, source) : runtimePulse()
  const observer: Observer = {
    sampleMs: sampleIntervalMs ?? PULSE_MS,
    beat: (now, numbers) => {
      processEngine().pressureObserve(handle, now, numbers)
      return told()
    },
  }
  pulse.add(observer)
  return { source: 'pulse', stop: () => pulse.delete(observer) }
}

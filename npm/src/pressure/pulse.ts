/**
 * A timer that measures where no native thread can: one for all monitors of an isolate. It does not
 * keep the process alive, and beats slower while nothing goes on.
 */
import { type Clock, systemClock } from '../clock.js'
import { call } from '../events.js'
import { RuntimeProbe } from './runtime.js'
import { type PressureSignals, SIGNAL_NAMES, signalNumbers } from './signals.js'

/** From beat to beat, in ms. */
export const PULSE_MS = 100
/**
 * While nothing goes on, and the most there ever is between two beats: shorter than any stall worth
 * the name, so that a beat is due in each, and short enough to tell what was done meanwhile.
 */
const IDLE_MS = 250
/** For how long nothing has to go on. */
const QUIET_MS = 2_000
/** Above this part of the time a loop is doing something. */
const BUSY = 0.05
/** Timers count whole milliseconds. */
const TICK_MS = 1

/** Who is told what was measured. */
export interface Observer {
  readonly sampleMs: number
  /** Answers whether it wants to be told soon again. */
  beat(now: number, numbers: Float64Array): boolean
}

/** Measures, by a clock of its own for tests. */
export class Pulse {
  readonly #clock: Clock
  readonly #observers = new Set<Observer>()
  readonly #source: (() => PressureSignals) | undefined
  readonly #probe: RuntimeProbe | undefined
  readonly #numbers = new Float64Array(SIGNAL_NAMES.length)
  #timer: unknown
  #due = 0
  #quietSince = 0

  constructor(clock: Clock, source?: () => PressureSignals) {
    this.#clock = clock
    this.#source = source
    if (!source) this.#probe = new RuntimeProbe()
  }

  add(observer: Observer): void {
    this.#observers.add(observer)
    if (this.#observers.size > 1) return
    const now = this.#clock.now()
    this.#probe?.start(now)
    this.#quietSince = now
    this.#arm(now)
  }

  delete(observer: Observer): void {
    if (!this.#observers.delete(observer) || this.#observers.size > 0) return
    this.#clock.clearTimer(this.#timer)
    this.#probe?.stop()
  }

  #arm(now: number): void {
    let ms = IDLE_MS
    for (const { sampleMs } of this.#observers) ms = Math.min(ms, sampleMs)
    if (now - this.#quietSince >= QUIET_MS) ms = IDLE_MS
    this.#due = now + ms
    this.#timer = this.#clock.setTimer(() => this.#beat(), ms)
    ;(this.#timer as { unref?: () => void } | undefined)?.unref?.()
  }

  #beat(): void {
    const now = this.#clock.now()
    const late = Math.max(0, now - this.#due - TICK_MS)
    let signals: PressureSignals = {}
    if (this.#probe) signals = this.#probe.read(now, late)
    else call(() => (signals = this.#source?.() ?? {}), 'PressureMonitor: `source`')
    signalNumbers(signals, this.#numbers)
    let busy = !((signals.utilization ?? 0) < BUSY)
    for (const observer of this.#observers) {
      if (observer.beat(now, this.#numbers)) busy = true
    }
    if (busy) this.#quietSince = now
    if (this.#observers.size > 0) this.#arm(now)
  }
}

let shared: Pulse | undefined

/** The pulse of this isolate. */
export function runtimePulse(): Pulse {
  shared ??= new Pulse(systemClock)
  return shared
}

import { performance as hooks, monitorEventLoopDelay } from 'node:perf_hooks'

/** In ms, how finely the event loop's delay is measured; also the shortest interval of the samples. */
const RESOLUTION = 10

/** What was measured of the process, last time. Everything is 0 before. */
export interface Usage {
  /** Mean delay of the event loop since the sample before, in ms. */
  eventLoopDelay: number
  /** Bytes of the process that are in memory. */
  rssBytes: number
  /** Bytes of the heap in use. */
  heapUsed: number
  /** Which part of the time the event loop worked, 0 to 1. */
  eventLoopUtilized: number
}

/** Samples the process every `interval` ms until it is stopped. It keeps no process alive. */
export class Sampler {
  readonly usage: Usage = { eventLoopDelay: 0, rssBytes: 0, heapUsed: 0, eventLoopUtilized: 0 }
  readonly #interval: number
  readonly #sinceLast: boolean
  readonly #sampled: (usage: Usage) => void
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION })
  #utilization = hooks.eventLoopUtilization?.()
  #active = activeMs()
  #due: number
  readonly #timer: NodeJS.Timeout

  /** `sinceLast`: the utilisation since the sample before, instead of that since the start. */
  constructor(interval: number, sinceLast: boolean, sampled: (usage: Usage) => void) {
    this.#interval = Math.max(RESOLUTION, interval || 1000)
    this.#sinceLast = sinceLast
    this.#sampled = sampled
    this.#histogram.enable()
    this.#due = performance.now() + this.#interval
    this.#timer = setTimeout(() => this.#sample(), this.#interval)
    this.#timer.unref()
  }

  #sample(): void {
    const { heapUsed, rss } = process.memoryUsage()
    this.usage.heapUsed = heapUsed
    this.usage.rssBytes = rss
    this.usage.eventLoopDelay = this.#delay()
    this.usage.eventLoopUtilized = this.#utilized()
    this.#sampled(this.usage)
    this.#due = performance.now() + this.#interval
    this.#timer.refresh()
  }

  #delay(): number {
    const { mean, count } = this.#histogram
    this.#histogram.reset()
    const worked = this.#worked()
    // Between two short samples nothing may have been measured. What is known then is for how long
    // the loop kept this very timer waiting.
    if (count === 0) return Math.min(Math.max(0, performance.now() - this.#due), worked)
    const delay = Math.max(0, mean / 1e6 - RESOLUTION)
    return Number.isNaN(delay) ? Number.POSITIVE_INFINITY : Math.min(delay, worked)
  }

  /**
   * For how long the loop worked since the sample before, in ms: what waited for it longer waited for
   * a machine that did not run the process. No end where it is not known.
   */
  #worked(): number {
    const active = activeMs()
    const worked = active - this.#active
    this.#active = active
    return Number.isNaN(worked) ? Number.POSITIVE_INFINITY : Math.max(0, worked)
  }

  #utilized(): number {
    const before = this.#utilization
    if (!before) return 0
    if (!this.#sinceLast) return hooks.eventLoopUtilization(before).utilization
    this.#utilization = hooks.eventLoopUtilization()
    return hooks.eventLoopUtilization(this.#utilization, before).utilization
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#histogram.disable?.()
  }
}

/** For how long the loop has worked in all, in ms; NaN where it is not known. */
function activeMs(): number {
  const idle = hooks.nodeTiming?.idleTime
  return idle === undefined ? Number.NaN : performance.now() - idle
}

/**
 * What JavaScript itself can measure of its process. Nothing here decides: these are numbers for
 * the engine, and what a runtime does not tell is not known.
 */
import { HeapProbe } from './heap.js'
import { builtin, host } from './host.js'
import type { PressureSignals } from './signals.js'
import { WorkProbe } from './work.js'

/** How often Node's own timer measures the loop's delay, in ms. */
const RESOLUTION_MS = 20
/**
 * For how long a delay counts. Less than a second, so that what it did to the level is over a second
 * after the stall.
 */
const WINDOW_MS = 850
/** The least time a utilisation is worth its name: in a few ms any loop is busy or idle by chance. */
const UTILIZATION_MS = 900
const SMOOTH_MS = 10_000
/** Sizes of memory cost more than all the rest, and change slowly. */
const MEMORY_MS = 250

interface Histogram {
  readonly count: number
  readonly max: number
  percentile(percentile: number): number
  enable(): boolean
  disable(): boolean
  reset(): void
}
interface Hooks {
  monitorEventLoopDelay?(options: { resolution: number }): Histogram
}
interface Late {
  readonly at: number
  readonly ms: number
}
interface Turn {
  readonly at: number
  readonly idle: number
  readonly active: number
}

/** Measures for as long as it is started. */
export class RuntimeProbe {
  /**
   * Two, of which one is emptied in turn, the older one standing first: emptied, it forgets when it
   * last measured, and so would miss a stall that lasts until then.
   */
  #histograms: Histogram[] = []
  #resetAt = 0
  readonly #work = new WorkProbe()
  #works: Late[] = []
  readonly #heap = new HeapProbe()
  #late: Late[] = []
  #turns: Turn[] = []
  #smooth = Number.NaN
  #memory: PressureSignals = {}
  #memoryAt = Number.NEGATIVE_INFINITY
  #memoryLimit: number | undefined

  /** Begins; `now` is what the clock shows, in ms. */
  start(now: number): void {
    const hooks = builtin<Hooks>('node:perf_hooks')
    this.#resetAt = now
    try {
      const watch = hooks?.monitorEventLoopDelay
      if (watch) {
        this.#histograms = [0, 1].map(() => watch({ resolution: RESOLUTION_MS }))
        for (const histogram of this.#histograms) histogram.enable()
      }
    } catch {
      this.#histograms = []
    }
    this.#work.start()
    this.#heap.start()
    this.#memoryLimit = containerLimit()
    this.#turn(now)
  }

  stop(): void {
    for (const histogram of this.#histograms) histogram.disable()
    this.#histograms = []
    this.#work.stop()
    this.#works = []
    this.#heap.stop()
    this.#late = []
    this.#turns = []
    this.#smooth = Number.NaN
    this.#memoryAt = Number.NEGATIVE_INFINITY
  }

  /** What is known now; `lateMs` is by how much the timer that asks came late. */
  read(now: number, lateMs: number): PressureSignals {
    // A loop that slept was not blocked, however late it was woken by a machine with too much to do.
    const worked = this.#turn(now)
    const block = Math.min(lateMs, worked)
    const most = this.#longest(now, worked)
    return {
      block,
      ...this.#delays(now, block, most),
      ...this.#utilization(now),
      ...this.#sizes(now),
    }
  }

  /** For how long the loop has worked since the last time, in ms. */
  #turn(now: number): number {
    const { ms, loop } = this.#work.look()
    if (loop) this.#turns.push({ at: now, idle: loop.idle, active: loop.active })
    return ms
  }

  /** The longest that the loop can have worked on end, in ms: from one look to the next but one. */
  #longest(now: number, worked: number): number {
    const works = this.#works
    works.push({ at: now, ms: worked })
    // As old as what the older histogram remembers.
    while (works[0] && works[0].at < now - 2 * WINDOW_MS) works.shift()
    let longest = 0
    let before = 0
    for (const { ms } of works) {
      longest = Math.max(longest, before + ms)
      before = ms
    }
    return longest
  }

  #delays(now: number, block: number, most: number): PressureSignals {
    const [older] = this.#histograms
    if (!older) {
      const late = this.#late
      late.push({ at: now, ms: block })
      while (late[0] && late[0].at < now - WINDOW_MS) late.shift()
      const sorted = late.map(({ ms }) => ms).sort((a, b) => a - b)
      const longest = sorted.at(-1)
      return { delayP50: sorted[sorted.length >> 1], delayP99: longest, delayMax: longest }
    }
    const at = (ns: number): number => Math.max(0, Math.min(ns / 1e6 - RESOLUTION_MS, most))
    const known = this.#histograms.filter(({ count }) => count > 0)
    const delays: PressureSignals =
      known.length === 0
        ? {}
        : {
            delayP50: at(known[0]?.percentile(50) ?? 0),
            delayP99: at(Math.max(...known.map(it => it.percentile(99)))),
            delayMax: at(Math.max(...known.map(it => it.max))),
          }
    if (now - this.#resetAt >= WINDOW_MS / 2) {
      this.#resetAt = now
      older.reset()
      this.#histograms.reverse()
    }
    return delays
  }

  #utilization(now: number): PressureSignals {
    const turns = this.#turns
    while (turns[1] && turns[1].at <= now - UTILIZATION_MS) turns.shift()
    const [first] = turns
    const last = turns.at(-1)
    if (!first || !last || last.at - first.at < UTILIZATION_MS) return {}
    const active = last.active - first.active
    const all = active + last.idle - first.idle
    if (!(all > 0)) return {}
    const part = active / all
    const before = turns.at(-2) ?? first
    const weight = 1 - Math.exp((before.at - last.at) / SMOOTH_MS)
    this.#smooth = Number.isNaN(this.#smooth) ? part : this.#smooth + weight * (part - this.#smooth)
    return { utilization: part, utilizationSmooth: this.#smooth }
  }

  #sizes(now: number): PressureSignals {
    if (now - this.#memoryAt < MEMORY_MS) return this.#memory
    this.#memoryAt = now
    try {
      const usage = host().memoryUsage?.()
      this.#memory = usage
        ? {
            ...this.#heap.read(usage.heapUsed),
            rss: usage.rss,
            memoryUsed: usage.rss,
            memoryLimit: this.#memoryLimit,
          }
        : {}
    } catch {
      this.#memory = {}
    }
    return this.#memory
  }
}

/** The container's limit, unless it is more than the machine has, which is how "none" is told. */
function containerLimit(): number | undefined {
  try {
    const limit = host().constrainedMemory?.()
    const machine = builtin<{ totalmem(): number }>('node:os')?.totalmem() ?? 0
    return limit && limit < machine ? limit : undefined
  } catch {
    return undefined
  }
}

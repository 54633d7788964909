/** What the front counts, and what workers say of themselves. */
import { processEngine } from '../engine/process/index.js'
import type { HttpCounts } from './http.js'

/**
 * What the front has counted so far. What was accepted was taken by a worker, refused or closed, or
 * still waits, is offered or asked about.
 */
export interface FrontCounts {
  /** Connections accepted. */
  accepted: number
  /** Of them, taken by a worker. */
  handed: number
  /** Offers a worker did not take in time. */
  takenBack: number
  /** Connections that got 503, or nothing, for want of a worker. */
  refused: number
  /** Connections closed unserved: the client was gone, or the balancer function failed. */
  closed: number
  /** Connections that wait for a worker. */
  waiting: number
  /** Connections that are offered to one. */
  offered: number
  /** Connections a balancer function is asked about, or whose head is waited for. */
  asked: number
  /** Connections that were refused and are on their way out. */
  leaving: number
  /** Workers that are connected to the front. */
  workers: number
  /** In the mode `http`, where a connection is `handed` with the first of its requests. */
  http?: HttpCounts
  /** Connections with a worker; known in the modes `proxy` and `http`, where `handed` counts them as well. */
  open?: number
}

/** A worker as it is at this instant. */
export interface ServerWorkerStats {
  index: number
  pid: number | undefined
  ready: boolean
  /** How many processes there have been in its place. */
  starts: number
  /** These are known in the modes `handoff`, `proxy` and `http`, while it is ready. */
  connections?: number
  /** Requests under way. */
  inFlight?: number
  /** For how long its event loop has not turned. */
  blockMs?: number
  /** From 0, none, to 1. */
  pressure?: number
  cpuPercent?: number
  /** The part of its heap that is in use. */
  heap?: number
  /** How long its answers take: the slowest at once, less again over time. Measured for `peakEwma`. */
  latencyMs?: number
}

/** What {@link getServerStats} answers. */
export interface ServerStats {
  /** Nothing in the mode `cluster`. */
  counts: FrontCounts | undefined
  workers: ServerWorkerStats[]
}

/** @internal */
export function frontCounts(): FrontCounts {
  return countsOf(processEngine().frontCounts?.() ?? new Float64Array())
}

/** Counts by their names. @internal */
export function countsOf(numbers: Float64Array): FrontCounts {
  const [accepted = 0, handed = 0, takenBack = 0, refused = 0, closed = 0, ...gauges] = numbers
  const [waiting = 0, offered = 0, asked = 0, leaving = 0, workers = 0] = gauges
  return {
    accepted,
    handed,
    takenBack,
    refused,
    closed,
    waiting,
    offered,
    asked,
    leaving,
    workers,
  }
}

/** @internal */
export interface Live {
  connections: number
  inFlight: number
  blockMs: number
  pressure: number
  cpuPercent: number
  heap: number
  latencyMs: number
}

/** How many numbers there are for each worker. */
const NUMBERS = 9

/** What workers say of themselves, by their places at the front. @internal */
export function liveLoads(): Map<number, Live> {
  return loadsOf(processEngine().frontLoads?.() ?? new Float64Array())
}

/** The same from numbers. @internal */
export function loadsOf(numbers: Float64Array): Map<number, Live> {
  const found = new Map<number, Live>()
  for (let at = 0; at < numbers.length; at += NUMBERS) {
    const [slot = 0, ready, connections = 0, inFlight = 0, blockMs = 0, ...rest] = numbers.subarray(
      at,
      at + NUMBERS,
    )
    const [pressure = 0, cpuPercent = 0, heap = 0, latencyMs = 0] = rest
    const live = { connections, inFlight, blockMs, pressure, cpuPercent, heap, latencyMs }
    if (ready) found.set(slot, live)
  }
  return found
}

/**
 * The event loop of this isolate as a native thread sees it, for all monitors of the isolate at once.
 */
import { processEngine } from '../engine/process/index.js'
import { HeapProbe } from './heap.js'
import { type PressureStall, stallOf } from './stalls.js'

/** What a monitor wants of the watch. */
export interface Wishes {
  readonly stallMs?: number | undefined
  readonly stallStack?: boolean | undefined
}

interface User<T extends object> extends Wishes {
  /** Weak: what is watched may be collected. */
  readonly target: WeakRef<T>
  stalled(target: T, stall: PressureStall): void
}

/** From which length on a turn is a stall, in ms. */
const STALL_MS = 100
/** Routes beyond are entered without a name. */
const MOST_ROUTES = 10_000
const LONGEST_ROUTE = 128

// biome-ignore lint/suspicious/noExplicitAny: each user knows the type of its own target
const users = new Map<number, User<any>>()
const routes = new Map<string, number>()
/** The places of words: the route that was entered last, and the heap. */
const ROUTE = 0
const HEAP_USED = 2
const HEAP_LIMIT = 3
let words: Float64Array | undefined
/** The number of the last stall that was told. */
let told = 0
const heap = new HeapProbe()

/** Has a native thread observe a monitor until the function returned is called, where there can be one. */
export function watchNatively<T extends object>(
  handle: number,
  target: T,
  wishes: Wishes,
  stalled: (target: T, stall: PressureStall) => void,
): (() => void) | undefined {
  const core = processEngine()
  // Bun has the functions of libuv, and ends the process when they are called.
  const foreign = globalThis.process?.versions?.bun !== undefined || 'Deno' in globalThis
  if (foreign || core.pressureWatch?.(handle) !== true) return undefined
  const { stallMs, stallStack } = wishes
  // What was collected is let go of by the registry, which knows the handle alone.
  for (const [known, { target: other }] of users) if (!other.deref()) users.delete(known)
  const isFirst = users.size === 0
  users.set(handle, { stallMs, stallStack, target: new WeakRef(target), stalled })
  const memory = core.pressureRoutes?.()
  words = memory ? new Float64Array(memory) : undefined
  // What was before is nobody's here; a watch that begins counts anew.
  const last = core.pressureStalls?.(0).at(-1)?.number ?? 0
  if (isFirst || told > last) told = last
  if (isFirst) heap.start(noteHeap)
  noteHeap()
  settle()
  core.pressureOnStall?.(later)
  return () => {
    users.delete(handle)
    core.pressureUnwatch?.(handle)
    settle()
  }
}

/** The shortest limit, and the stack if anybody wants it. */
function settle(): void {
  let limit = Number.POSITIVE_INFINITY
  let stacks = false
  for (const [handle, { stallMs = STALL_MS, stallStack, target }] of users) {
    if (!target.deref()) {
      users.delete(handle)
      continue
    }
    limit = Math.min(limit, stallMs)
    stacks ||= stallStack === true
  }
  if (users.size > 0) {
    processEngine().pressureStallLimit?.(limit, stacks)
  } else {
    words = undefined
    heap.stop()
  }
}

function noteHeap(): void {
  if (words === undefined) return
  const { heapUsed, heapLimit } = heap.read(Number.NaN)
  words[HEAP_USED] = heapUsed ?? Number.NaN
  words[HEAP_LIMIT] = heapLimit ?? Number.NaN
}

/** Called between two turns of the loop, where no code of the user may run. */
function later(): void {
  setImmediate(tell)
}

function tell(): void {
  const stalls = processEngine().pressureStalls?.(told) ?? []
  for (const native of stalls) {
    told = native.number
    const stall = stallOf(native)
    for (const { target, stallMs = STALL_MS, stalled } of users.values()) {
      const user = target.deref()
      if (user && stall.ms >= stallMs) stalled(user, stall)
    }
  }
}

/** Notes which route is entered, for the case that it blocks: a write to memory. */
export function enterRoute(route: string): void {
  if (words !== undefined) words[ROUTE] = routeNumber(route)
}

/** The same with a number that is known. */
export function enterRouteNumber(number: number): void {
  if (words !== undefined) words[ROUTE] = number
}

/** Whether anybody looks at the routes that are entered. */
export function seesRoutes(): boolean {
  return words !== undefined
}

/** The number of a route, of whose name so much is kept as a recording has room for. */
export function routeNumber(route: string): number {
  const name = route.length > LONGEST_ROUTE ? route.slice(0, LONGEST_ROUTE) : route
  const known = routes.get(name)
  if (known !== undefined) return known
  const number = processEngine().pressureRoute?.(name) ?? 0
  if (routes.size < MOST_ROUTES) routes.set(name, number)
  return number
}

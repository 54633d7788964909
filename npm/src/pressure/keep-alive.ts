/** For how long servers keep idle connections while there is pressure, of all who are told of it. */
import type { PressureMonitor } from './monitor.js'

/**
 * Clients take some two seconds off the time they are told (`Keep-Alive: timeout`), so that they do
 * not send on a connection that is being closed; told less, undici closes it after every answer.
 */
const LEAST_KEPT_MS = 3_000

/** A server, as far as its idle connections are concerned. */
interface Server {
  keepAliveTimeout?: number
}

/** A server whose time is shortened. */
interface Shortened {
  readonly server: WeakRef<Server>
  readonly usual: number
  /** By whose word. */
  readonly monitors: Set<PressureMonitor>
}

const byServer = new WeakMap<Server, Shortened>()
const byMonitor = new WeakMap<PressureMonitor, Set<Shortened>>()
/** How many there are, or were and are gone. */
let count = 0

/** Shortens for how long servers keep idle connections, and gives them their time back. @internal */
export class IdleConnections {
  readonly #monitor: PressureMonitor
  #share = 1
  #last: Server | undefined

  constructor(monitor: PressureMonitor) {
    this.#monitor = monitor
  }

  /** Looks at the server of a request, unless nothing can have changed. */
  look(request: { readonly socket?: unknown }): void {
    const monitor = this.#monitor
    const share = monitor.keepAliveShare
    if (share === 1 && this.#share === 1 && count === 0) return
    const server = (request.socket as { server?: Server } | undefined)?.server
    if (share === this.#share && share !== 1 && server === this.#last) return
    this.#share = share
    this.#last = share === 1 ? undefined : server
    if (share !== 1 && server?.keepAliveTimeout) note(server, server.keepAliveTimeout, monitor)
    const here = server && byServer.get(server)
    if (here) settle(here)
    settleAll(monitor)
  }
}

/** Gives the servers of a monitor that is disposed of their time back. @internal */
export function letGo(monitor: PressureMonitor): void {
  settleAll(monitor)
}

function note(server: Server, usual: number, monitor: PressureMonitor): void {
  let found = byServer.get(server)
  if (found === undefined) {
    found = { server: new WeakRef(server), usual, monitors: new Set() }
    byServer.set(server, found)
    count++
  }
  found.monitors.add(monitor)
  const others = byMonitor.get(monitor)
  if (others) others.add(found)
  else byMonitor.set(monitor, new Set([found]))
}

function settleAll(monitor: PressureMonitor): void {
  for (const shortened of byMonitor.get(monitor) ?? []) settle(shortened)
}

/** Sets the time by the least share of all. */
function settle(shortened: Shortened): void {
  const { usual, monitors } = shortened
  let least = 1
  for (const monitor of monitors) {
    const share = monitor.keepAliveShare
    least = Math.min(least, share)
    if (share !== 1) continue
    monitors.delete(monitor)
    byMonitor.get(monitor)?.delete(shortened)
  }
  const server = shortened.server.deref()
  if (server) {
    server.keepAliveTimeout =
      least === 1 ? usual : Math.max(Math.min(LEAST_KEPT_MS, usual), usual * least)
  }
  if (least !== 1) return
  count--
  if (server) byServer.delete(server)
}

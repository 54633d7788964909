/**
 * Has a native thread refuse new connections of a server while everything is refused: it answers in
 * microseconds what would cost JavaScript a request, and goes on while JavaScript is blocked.
 */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { Adopter } from '../adopt.js'
import { processEngine } from '../engine/process/index.js'
import { describe, OptionError } from '../errors.js'
import { report } from '../events.js'
import { check } from '../options.js'
import { builtin } from './host.js'
import { PressureMonitor, pressureHandle } from './monitor.js'
import { PROBES, REFUSAL_BODY } from './shed.js'

/** A server of `node:http`. */
export interface RefusingServer {
  readonly listening: boolean
  // biome-ignore lint/suspicious/noExplicitAny: listeners of every event
  on(event: string, listener: (...args: any[]) => void): unknown
  // biome-ignore lint/suspicious/noExplicitAny: listeners of every event
  off(event: string, listener: (...args: any[]) => void): unknown
}

/** How new connections are refused. */
export interface NativeRefusalOptions {
  /**
   * Paths, without query, of requests that are left to JavaScript, however long it takes. Default
   * `['/livez', '/readyz', '/startupz', '/healthz']`.
   */
  bypass?: readonly string[] | undefined
}

/** What a native thread has done at a server. */
export interface NativeRefusalCounts {
  /** Connections that it accepted. */
  accepted: number
  /** Requests that it answered with 503. */
  refused: number
  /** Connections that it left to JavaScript after all. */
  passed: number
  /** Connections that it closed without an answer: too slow, too many, or gone already. */
  givenUp: number
}

/** A server whose new connections a native thread refuses, until it is disposed of. */
export interface NativeRefusals extends Disposable {
  /** Whether there is a thread for it now: the server listens, on a socket of its own, and on Node. */
  readonly active: boolean
  counts(): NativeRefusalCounts
}

/** What Node keeps of the socket on which a server listens. */
interface ListeningHandle {
  readonly fd?: number
  close(...args: unknown[]): unknown
}

/** How often it is looked at whether JavaScript may accept again. */
const SETTLE_MS = 50
const NONE: NativeRefusalCounts = { accepted: 0, refused: 0, passed: 0, givenUp: 0 }

/**
 * Answers new connections of a `node:http` server with 503 in a native thread while the monitor
 * refuses everything but what is critical (level `'full'`, a blocked event loop among it) and in
 * maintenance: also while JavaScript is blocked or its heap is full, in which case JavaScript accepts
 * nothing more meanwhile (on Linux). It goes on until the level is left.
 *
 * Put it beside the middleware or the plugin, which goes on refusing on connections that JavaScript
 * has already. What it costs: requests are refused here whatever their priority, unless the path is in
 * `bypass`. Where there is no native thread (no Node, Windows, a worker of `node:cluster` that shares
 * its socket) nothing happens, and {@link NativeRefusals.active} says so.
 *
 * A connection that was refused is kept for 5 s from its last request, 1024 of them at most in the
 * process, so that a client that asks again costs no new one; the request that it sends after the
 * pressure is JavaScript's, with the connection. It is closed after the answer where the client wants
 * that, speaks HTTP/1.0, or has not sent the whole of its body.
 *
 * Several for one server, with monitors of their own, refuse whatever one of them refuses.
 *
 * @throws OptionError for an option that is unknown or of a wrong type, for what is no monitor, and for
 * a server of TLS or HTTP/2, whose first bytes only JavaScript can answer.
 *
 * @example
 * ```ts no_run
 * import { createServer } from 'node:http'
 * import { PressureMonitor, pressureMiddleware, refuseNatively } from 'seawall/pressure'
 *
 * const monitor = new PressureMonitor()
 * const shed = pressureMiddleware(monitor)
 * const server = createServer((req, res) => shed(req, res, () => res.end('served')))
 * refuseNatively(server, monitor)
 * server.listen(8080)
 * ```
 */
export function refuseNatively(
  server: RefusingServer,
  monitor: PressureMonitor,
  options: NativeRefusalOptions = {},
): NativeRefusals {
  check('refuseNatively', options, { bypass: 'any' })
  const { bypass = PROBES } = options
  if (!Array.isArray(bypass) || !bypass.every(path => typeof path === 'string')) {
    throw new OptionError('refuseNatively: `bypass` must be a list of paths', 'bypass')
  }
  const http = builtin<{ Server: typeof Server }>('node:http')
  if (http && !(server instanceof http.Server)) {
    const why = 'a server of TLS or HTTP/2 cannot be answered natively'
    throw new OptionError(`refuseNatively: \`server\` must be one of node:http; ${why}`, 'server')
  }
  if (!(monitor instanceof PressureMonitor)) {
    const what = `must be a PressureMonitor, got ${describe(monitor)}`
    throw new OptionError(`refuseNatively: \`monitor\` ${what}`, 'monitor')
  }
  return new Refusals(server as Server, monitor, [...bypass])
}

class Refusals implements NativeRefusals {
  readonly #server: Server
  readonly #monitor: PressureMonitor
  readonly #paths: string[]
  readonly #stopFollowing: () => void
  readonly #listening = (): void => this.#open()
  #number: number | undefined
  #counts = NONE
  #letGo: (() => void) | undefined
  #settling: ReturnType<typeof setInterval> | undefined

  constructor(server: Server, monitor: PressureMonitor, paths: string[]) {
    this.#server = server
    this.#monitor = monitor
    this.#paths = paths
    const settle = (): void => this.#settle()
    const follow = [monitor.on('change', settle), monitor.on('maintenance', settle)]
    this.#stopFollowing = () => {
      for (const stop of follow) stop()
    }
    server.on('listening', this.#listening)
    if (server.listening) this.#open()
  }

  get active(): boolean {
    return this.#number !== undefined
  }

  counts(): NativeRefusalCounts {
    const number = this.#number
    return number === undefined ? this.#counts : this.#read(number)
  }

  [Symbol.dispose](): void {
    this.#stopFollowing()
    this.#server.off('listening', this.#listening)
    this.#close()
  }

  #open(): void {
    this.#close()
    const core = processEngine()
    const handle = (this.#server as unknown as { _handle: ListeningHandle | null })._handle
    const foreign = globalThis.process?.versions.bun !== undefined || 'Deno' in globalThis
    if (foreign || !core.refusalsOpen || !((handle?.fd ?? -1) >= 0) || !handle) return
    try {
      this.#number = core.refusalsOpen(
        handle.fd ?? -1,
        pressureHandle(this.#monitor),
        this.#paths,
        REFUSAL_BODY,
        ticket => {
          const passed = core.refusalsTake?.(ticket)
          if (passed) takeIn(this.#server, passed.descriptor, passed.bytes)
        },
      )
    } catch (error) {
      report(error, 'refuseNatively')
      return
    }
    // Whoever closes the server must find nobody else at its socket, though requests are under way.
    const { close } = handle
    const closing: ListeningHandle['close'] = (...args) => {
      this.#close()
      return close.apply(handle, args)
    }
    handle.close = closing
    this.#letGo = () => {
      // Another may have come on top of it.
      if (handle.close === closing) handle.close = close
    }
    this.#settle()
  }

  #close(): void {
    const number = this.#number
    if (number === undefined) return
    this.#counts = this.#read(number)
    this.#number = undefined
    this.#letGo?.()
    clearInterval(this.#settling)
    this.#settling = undefined
    processEngine().refusalsClose?.(number)
  }

  #read(number: number): NativeRefusalCounts {
    const counts = processEngine().refusalsCounts?.(number) ?? []
    const [accepted = 0, refused = 0, passed = 0, givenUp = 0] = Array.from(counts)
    return { accepted, refused, passed, givenUp }
  }

  /** Looks again and again while all are refused, as of a monitor that is gone nobody tells. */
  #settle(): void {
    const number = this.#number
    const shut = number !== undefined && processEngine().refusalsSettle?.(number) === true
    if (shut && this.#settling === undefined) {
      this.#settling = setInterval(() => this.#settle(), SETTLE_MS)
      ;(this.#settling as { unref?: () => void }).unref?.()
    } else if (!shut) {
      clearInterval(this.#settling)
      this.#settling = undefined
    }
  }
}

/** Gives a connection to a server, with the bytes that were read of it. */
function takeIn(server: Server, descriptor: number, bytes: Uint8Array): void {
  if (!server.listening) {
    // It has closed meanwhile.
    builtin<{ closeSync(fd: number): void }>('node:fs')?.closeSync(descriptor)
    return
  }
  const before = (socket: Socket): void => {
    if (bytes.length > 0) socket.unshift(bytes)
  }
  // Before the server reads from it.
  server.prependOnceListener('connection', before)
  try {
    new Adopter(server, true, true).adoptAll([descriptor])
  } finally {
    server.off('connection', before)
  }
}

/** Bringing HTTP servers to rest. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import { Server as NetServer, type Socket } from 'node:net'
import { type Clock, systemClock } from '../../clock.js'
import { check } from '../../options.js'
import { seedOr } from '../../seed.js'
import type { Drainable, DrainReport } from '../drains.js'
import { takeBacklog } from './backlog.js'
import { Connection } from './connection.js'
import { FIELDS, type ServerTrackerOptions, serverOf, type TrackedServer } from './options.js'
import { idleSockets, parsersOf } from './parsers.js'
import type { Manners, Peer, Tally } from './peer.js'
import { Session } from './session.js'
import { Turns } from './turns.js'
import type { WebSocketLike, WebSocketServerLike } from './websocket.js'

/** How often is looked at what is due during a drain, in ms. While the server runs there is no timer. */
const TICK_MS = 20

let tallyWith: (tracker: ServerTracker, tally: Tally) => void

/** Has `tally` told of what is under way, on connections that come from now on. @internal */
export function countWith(tracker: ServerTracker, tally: Tally): void {
  tallyWith(tracker, tally)
}

/**
 * Follows the connections of a server, so that it can end without losing a request.
 *
 * - While it drains ({@link beginDrain}), everybody is served, on old and new connections alike,
 *   and one connection after the other is told to leave: by `Connection: close`, GOAWAY, the close
 *   code 1001 of a WebSocket, the end of an event stream.
 * - When it closes ({@link close}), nobody new is accepted, what is under way is finished, requests
 *   that come on open connections are served, and idle connections are closed. A connection is busy
 *   from the first byte of a request.
 *
 * Make it before the server listens. Of connections that are older, those under way are found out
 * as far as Node tells.
 *
 * Fastify answers 503 as soon as its own `close()` is called (`return503OnClosing`): call that
 * after `close()` of the tracker has resolved.
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http'
 * import { ServerTracker } from 'seawall/lifecycle'
 *
 * const server = createServer((request, response) => response.end('hello'))
 * const tracker = new ServerTracker(server)
 * server.listen(0)
 *
 * tracker.beginDrain(100)
 * setTimeout(() => tracker.close().then(() => console.log('nothing was lost')), 100)
 * ```
 */
export class ServerTracker implements Drainable, Disposable {
  readonly name: string
  readonly #server: NetServer
  readonly #clock: Clock
  readonly #seed: number | undefined
  readonly #manners: Manners
  readonly #connections: Map<Socket, Connection> = new Map()
  readonly #sessions: Map<ServerHttp2Session, Session> = new Map()
  /** The connection that came last, for the session that is made of it. */
  #below: Socket | undefined
  /** Raw sockets under a TLS handshake. */
  readonly #handshakes: Set<Socket> = new Set()
  readonly #secure: boolean
  readonly #http2: boolean
  /** Whether there may be connections that were never seen. */
  readonly #late: boolean
  readonly #undo: (() => void)[] = []
  #phase: 'running' | 'draining' | 'closing' | 'closed' = 'running'
  #turns: Turns | undefined
  #timer: unknown
  #idle: Set<Socket> | undefined
  #netClosed = false
  #raced = 0
  /** How many connections have come. */
  #accepted = 0
  #done: PromiseWithResolvers<void> | undefined
  #tally: Tally | undefined

  static {
    tallyWith = (tracker, tally) => {
      tracker.#tally = tally
    }
  }

  /** @throws OptionError for what is no server, and for options that are unknown or out of range */
  constructor(server: TrackedServer, options: ServerTrackerOptions = {}) {
    check('ServerTracker', options, FIELDS)
    const { name = 'server', clock = systemClock, farewellMs = 1000 } = options
    const found = serverOf(server)
    const tracker = this
    let hasParsers = false
    this.name = name
    this.#server = found
    this.#clock = clock
    this.#seed = options.seed
    this.#secure = 'setSecureContext' in found
    this.#http2 = 'updateSettings' in found
    this.#late = found.listening
    this.#manners = {
      now: () => clock.now(),
      get closing() {
        return tracker.#phase === 'closing'
      },
      farewellMs,
      message: options.webSocketMessage,
      retryMs: options.eventStreamRetryMs,
      get counting() {
        // Looked for until it is there, which it is from the first time the server listens.
        hasParsers ||= parsersOf(found) !== undefined
        return !hasParsers
      },
      get tally() {
        return tracker.#tally
      },
      parsing: socket => !tracker.#idleNow().has(socket as Socket),
      raced: () => {
        tracker.#raced++
      },
      changed: () => tracker.#settle(),
    }
    // Made for its checks: what is wrong is to show now, not at the end.
    this.#turnsOf(0)[Symbol.dispose]()
    this.#follow()
    const { webSockets = [] } = options
    for (const each of 'clients' in webSockets ? [webSockets] : webSockets) this.#adopt(each)
  }

  /** How many connections there are. */
  get connectionCount(): number {
    return this.#connections.size + this.#sessions.size + this.#handshakes.size
  }

  /** How many connections are not idle: they have sent at least a byte of a request, or were upgraded. */
  get activeConnectionCount(): number {
    this.#idle = undefined
    let active = 0
    for (const peer of this.#peers()) if (peer.busy()) active++
    return active
  }

  /** Whether the server takes new connections. */
  get isListening(): boolean {
    return this.#server.listening
  }

  /**
   * Goes on serving everybody, and tells one connection after the other to leave, all within
   * `windowMs`. The server keeps listening. Only the first call counts.
   *
   * @throws OptionError for a window below zero
   */
  beginDrain(windowMs: number): void {
    if (this.#phase !== 'running') return
    this.#turns = this.#turnsOf(windowMs)
    this.#phase = 'draining'
    if (this.#late) this.#findOlder()
    for (const peer of this.#peers()) peer.leaveAt(this.#turns.next(), false)
    this.#arm()
  }

  /**
   * Stops listening, closes what is idle, and resolves when nothing is in flight. A connection that
   * was answered less than `farewellMs` ago is not idle yet: its client may be about to use it. A timer
   * keeps the process alive until then. Every call answers the same promise. It waits without limit:
   * {@link force} ends it. Should the server listen again later, it is closed at once, unless the
   * tracker was disposed of.
   */
  close(): Promise<void> {
    if (this.#done) return this.#done.promise
    this.#done = Promise.withResolvers()
    this.beginDrain(0)
    if (takeBacklog(this.#server)) this.#stopListening()
    else this.#emptyBacklog(this.#clock.now() + this.#manners.farewellMs)
    return this.#done.promise
  }

  /** The same as {@link close}, by the name of older trackers. */
  requestShutdown(): Promise<void> {
    return this.close()
  }

  /** Cuts every connection; {@link close} resolves. */
  force(): void {
    this.#stopListening()
    for (const peer of this.#peers()) peer.force()
    for (const socket of this.#handshakes) socket.destroy()
    if (this.#late && hasMethod(this.#server, 'closeAllConnections'))
      this.#server.closeAllConnections()
    this.#finish()
  }

  /** The same as {@link force}, by the name of older trackers. */
  forceClose(): void {
    this.force()
  }

  /**
   * What is under way, the oldest first, and in `raced` how many times bytes came on a connection
   * after this side had closed it: requests that were never begun, and that the client may repeat.
   */
  report(): DrainReport & { raced: number } {
    this.#idle = undefined
    const now = this.#clock.now()
    const inFlight = [...this.#peers()].flatMap(peer => peer.inFlight(now))
    inFlight.sort((a, b) => b.ageMs - a.ageMs)
    return { connections: this.connectionCount, inFlight, raced: this.#raced }
  }

  /** Stops following the server, which goes on as it is. */
  [Symbol.dispose](): void {
    for (const undo of this.#undo.splice(0)) undo()
    if (this.#phase !== 'closed') this.#finish()
  }

  #turnsOf(windowMs: number): Turns {
    const { farewellMs, retryMs: eventStreamRetryMs } = this.#manners
    const times = { windowMs, farewellMs, eventStreamRetryMs }
    return new Turns(times, this.#clock.now(), seedOr(this.#seed))
  }

  #follow(): void {
    const { on } = this.#listener()
    on('connection', () => this.#accepted++)
    on('listening', () => this.#tooLate())
    if (this.#secure) {
      on('connection', (socket: Socket) => this.#shake(socket))
      on('secureConnection', (socket: Socket) => this.#secured(socket))
    } else if (this.#http2) on('connection', (socket: Socket) => (this.#below = socket))
    else on('connection', (socket: Socket) => void this.#of(socket))
    if (this.#http2) {
      on('session', (session: ServerHttp2Session) => void this.#sessionOf(session))
      on('stream', (stream: ServerHttp2Stream, headers: Record<string, unknown>) => {
        if (stream.session)
          this.#sessionOf(stream.session as ServerHttp2Session).begin(stream, headers)
      })
    }
    const request = (request: IncomingMessage, response: ServerResponse): void => {
      if (request.httpVersionMajor < 2) this.#of(request.socket).begin(request, response)
    }
    const upgrade = (request: IncomingMessage, socket: Socket): void => {
      if (request.httpVersionMajor < 2) this.#of(socket).upgraded(request)
    }
    // A listener of these alone changes what a server does: ours comes with the first of another.
    this.#join('request', request)
    this.#join('checkContinue', request)
    this.#join('checkExpectation', request)
    this.#join('upgrade', upgrade)
    this.#join('connect', upgrade)
  }

  // biome-ignore lint/suspicious/noExplicitAny: listeners of every event
  #listener(): { on: (event: string, listener: (...args: any[]) => void) => void } {
    const server = this.#server
    return {
      on: (event, listener) => {
        server.prependListener(event, listener)
        this.#undo.push(() => server.off(event, listener))
      },
    }
  }

  // biome-ignore lint/suspicious/noExplicitAny: listeners of every event
  #join(event: string, listener: (...args: any[]) => void): void {
    const server = this.#server
    const { on } = this.#listener()
    if (server.listenerCount(event) > 0) {
      on(event, listener)
      return
    }
    const wait = (added: string): void => {
      if (added !== event) return
      server.off('newListener', wait)
      on(event, listener)
    }
    server.on('newListener', wait)
    this.#undo.push(() => server.off('newListener', wait))
  }

  /** Learns which WebSocket of the library belongs to which connection. */
  #adopt(server: WebSocketServerLike): void {
    const learn = (client: WebSocketLike, socket: Socket | undefined): void => {
      if (socket) this.#connections.get(socket)?.became(client)
    }
    const onConnection = (client: WebSocketLike, request: IncomingMessage): void =>
      learn(client, request?.socket)
    server.on('connection', onConnection)
    this.#undo.push(() => server.off('connection', onConnection))
    for (const client of server.clients) learn(client, (client as { _socket?: Socket })._socket)
  }

  #of(socket: Socket): Connection {
    const known = this.#connections.get(socket)
    if (known) return known
    const connection = new Connection(socket, this.#manners)
    this.#connections.set(socket, connection)
    socket.on('close', () => {
      this.#connections.delete(socket)
      connection.closed()
      this.#settle()
    })
    this.#welcome(connection)
    return connection
  }

  #sessionOf(session: ServerHttp2Session): Session {
    const known = this.#sessions.get(session)
    if (known) return known
    // A session is made in the event of its connection.
    const socket = this.#below?.remotePort === session.socket.remotePort ? this.#below : undefined
    this.#below = undefined
    const peer = new Session(session, this.#manners, socket)
    this.#sessions.set(session, peer)
    session.on('close', () => {
      this.#sessions.delete(session)
      this.#settle()
    })
    this.#welcome(peer)
    return peer
  }

  #welcome(peer: Peer): void {
    if (this.#turns) peer.leaveAt(this.#turns.next(), true)
  }

  #shake(socket: Socket): void {
    this.#handshakes.add(socket)
    socket.on('close', () => {
      this.#handshakes.delete(socket)
      this.#settle()
    })
  }

  #secured(socket: Socket & { _parent?: Socket; alpnProtocol?: string | false | null }): void {
    for (const raw of this.#handshakes) {
      const same = raw === socket._parent
      if (same || (raw.remotePort === socket.remotePort && raw.remotePort !== undefined)) {
        this.#handshakes.delete(raw)
        break
      }
    }
    if (socket.alpnProtocol !== 'h2') this.#of(socket)
  }

  *#peers(): Generator<Peer> {
    yield* this.#connections.values()
    yield* this.#sessions.values()
  }

  /** Connections from before the tracker, as far as Node tells of them. */
  #findOlder(): void {
    for (const { socket } of parsersOf(this.#server)?.all() ?? []) {
      const response = (socket as { _httpMessage?: ServerResponse } | null)?._httpMessage
      if (!socket) continue
      const connection = this.#of(socket)
      if (response && !response.writableFinished) connection.begin(response.req, response)
    }
  }

  #idleNow(): Set<Socket> {
    if (!this.#idle) {
      const list = parsersOf(this.#server)
      this.#idle = list ? idleSockets(list) : new Set()
    }
    return this.#idle
  }

  #arm(): void {
    this.#timer = this.#clock.setTimer(() => {
      // After the poll phase: what had arrived by now has been read, and counts.
      setImmediate(() => {
        if (this.#isOver()) return
        this.#step()
        if (!this.#isOver()) this.#arm()
      })
    }, TICK_MS)
  }

  #isOver(): boolean {
    return this.#phase === 'closed'
  }

  #step(): void {
    this.#idle = undefined
    for (const peer of this.#peers()) peer.step()
    this.#settle()
  }

  /**
   * Where nothing but the loop takes connections, it takes one per turn: two turns without any mean
   * that there are none left. Where connections go on coming, it is over at `latest`.
   */
  #emptyBacklog(latest: number, quiet = 0): void {
    const before = this.#accepted
    setImmediate(() => {
      if (this.#phase !== 'draining') return
      const now = this.#accepted === before ? quiet + 1 : 0
      if (now >= 2 || this.#clock.now() > latest) this.#stopListening()
      else this.#emptyBacklog(latest, now)
    })
  }

  #stopListening(): void {
    if (this.#phase !== 'draining' && this.#phase !== 'running') return
    this.#phase = 'closing'
    const server = this.#server
    if (!server.listening) {
      this.#netClosed = true
      this.#settle()
      return
    }
    // Not the server's own: that destroys idle connections with what has arrived on them.
    NetServer.prototype.close.call(server, () => {
      this.#netClosed = true
      this.#settle()
    })
  }

  /** Whoever connected now would be cut off with the process. */
  #tooLate(): void {
    if (this.#phase !== 'closing' && this.#phase !== 'closed') return
    NetServer.prototype.close.call(this.#server)
  }

  #settle(): void {
    if (this.#phase !== 'closing' || !this.#done) return
    if (this.#late && !this.#netClosed && hasMethod(this.#server, 'closeIdleConnections')) {
      if (this.connectionCount === 0) this.#server.closeIdleConnections()
      return
    }
    if (this.connectionCount === 0) this.#finish()
  }

  #finish(): void {
    this.#phase = 'closed'
    this.#clock.clearTimer(this.#timer)
    this.#turns?.[Symbol.dispose]()
    this.#turns = undefined
    this.#done ??= Promise.withResolvers()
    this.#done.resolve()
  }
}

function hasMethod<M extends string>(on: object, name: M): on is Record<M, () => void> {
  return typeof (on as Record<string, unknown>)[name] === 'function'
}

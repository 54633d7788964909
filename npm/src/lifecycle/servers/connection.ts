import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { InFlight } from '../drains.js'
import { type Manners, type Peer, pathOf, type Tally } from './peer.js'
import { endStream, isEventStream } from './sse.js'
import { Goodbye, rawVoice, type Voice, voiceOf, type WebSocketLike } from './websocket.js'

/** A request and its answer. */
interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly at: number
}

/** A connection that speaks HTTP/1, or spoke it before it was upgraded. */
export class Connection implements Peer {
  /** When it is told to leave; infinitely far away while nobody has to. */
  #turn = Number.POSITIVE_INFINITY
  readonly #socket: Socket
  readonly #manners: Manners
  readonly #open: Exchange[] = []
  /** Shared by all responses of the connection, so that a request costs no closure. */
  readonly #onClose: (this: ServerResponse) => void
  #upgrade: { request: IncomingMessage; at: number; goodbye: Goodbye } | undefined
  #client: WebSocketLike | undefined
  /** Since when nothing is under way, as far as that was during a drain. */
  #idleSince = Number.NEGATIVE_INFINITY
  /** When this side was closed. */
  #endedAt: number | undefined
  readonly #counting: boolean
  readonly #tally: Tally | undefined
  /** How many bytes had come when nothing was under way. */
  #seen = 0

  constructor(socket: Socket, manners: Manners) {
    const connection = this
    this.#socket = socket
    this.#manners = manners
    this.#counting = manners.counting
    this.#tally = manners.tally
    this.#onClose = function (this: ServerResponse) {
      connection.#done(this)
    }
  }

  /** A request has come. */
  begin(request: IncomingMessage, response: ServerResponse): void {
    const open = this.#open
    // One that was announced by 'checkContinue' comes again as 'request'.
    if (open.length > 0 && open.some(other => other.response === response)) return
    const exchange = { request, response, at: this.#manners.now() }
    open.push(exchange)
    this.#tally?.begun()
    response.on('close', this.#onClose)
    if (this.#counting && !hasBody(request)) this.#seen = this.#socket.bytesRead
    if (this.#turn !== Number.POSITIVE_INFINITY) this.#tell(exchange)
  }

  /** It speaks another protocol from now on. */
  upgraded(request: IncomingMessage): void {
    if (this.#upgrade) return
    this.#upgrade = { request, at: this.#manners.now(), goodbye: new Goodbye() }
    this.#tally?.begun()
  }

  /** Its socket is closed. */
  closed(): void {
    if (this.#upgrade) this.#tally?.done()
    // Of responses that waited for others, Node tells nobody that they are closed.
    for (const { at } of this.#open.splice(0)) this.#tally?.done(at)
  }

  /** The WebSocket it became. */
  became(client: WebSocketLike): void {
    this.#client = client
  }

  /** It is to leave at `turn`, what is under way included. */
  leaveAt(turn: number, isNew: boolean): void {
    this.#turn = turn
    if (isNew) this.#idleSince = this.#manners.now()
    for (const exchange of this.#open) this.#tell(exchange)
  }

  busy(): boolean {
    if (this.#open.length > 0 || this.#upgrade !== undefined) return true
    if (this.#endedAt !== undefined) return false
    const { bytesRead } = this.#socket
    return bytesRead > 0 && this.#isParsing(bytesRead)
  }

  step(): void {
    const manners = this.#manners
    const now = manners.now()
    if (this.#endedAt !== undefined) {
      if (now - this.#endedAt >= manners.farewellMs) this.#socket.destroy()
      return
    }
    if (!manners.closing && now < this.#turn) return
    if (this.#upgrade !== undefined) this.#leaveUpgraded(this.#upgrade)
    for (const { response, at } of this.#open) {
      // A stream that came after its turn lives for a moment, lest its client come back at once.
      const due = manners.closing || now - at >= manners.farewellMs || at < this.#turn
      if (due && response.headersSent && isEventStream(contentType(response)))
        endStream(response, manners.retryMs)
    }
    // Who has just been answered is likely to ask again, and is told to leave by the answer.
    if (manners.closing && now - this.#idleSince >= manners.farewellMs && !this.busy())
      this.#end(now)
  }

  force(): void {
    this.#socket.destroy()
  }

  inFlight(now: number): InFlight[] {
    if (this.#upgrade) {
      const { request, at } = this.#upgrade
      const protocol = isWebSocket(request) ? 'WebSocket' : (request.headers.upgrade ?? 'CONNECT')
      return [{ what: `${protocol} ${pathOf(request.url)}`, ageMs: now - at }]
    }
    const open = this.#open.map(({ request, at }) => ({ what: title(request), ageMs: now - at }))
    if (open.length > 0 || !this.busy()) return open
    return [{ what: 'a request that has not come whole', ageMs: 0 }]
  }

  #done(response: ServerResponse): void {
    const open = this.#open
    let exchange = open[0]
    // Nearly always it is the only one, and nothing has to be searched or moved.
    if (exchange?.response === response) open.shift()
    else {
      exchange = open.find(other => other.response === response)
      if (exchange) open.splice(open.indexOf(exchange), 1)
    }
    if (exchange) this.#tally?.done(exchange.at)
    if (this.#counting && exchange && hasBody(exchange.request)) this.#seen = this.#socket.bytesRead
    if (this.#turn === Number.POSITIVE_INFINITY) return
    this.#idleSince = this.#manners.now()
    this.#manners.changed()
  }

  /**
   * Has the response say `Connection: close`, decided when its head is written: a response that
   * ends the connection under further requests, or under a body still on its way, would lose them.
   */
  #tell(exchange: Exchange): void {
    const { request, response } = exchange
    if (response.headersSent) return
    const writeHead = response.writeHead
    response.writeHead = (...args: unknown[]) => {
      const whole = request.complete || !hasBody(request)
      if (!response.headersSent && this.#isDue() && whole && this.#open.at(-1) === exchange) {
        response.setHeader('Connection', 'close')
        // Node would destroy the socket, with whatever the client has already sent after this.
        this.#socket.destroySoon = () => this.#end(this.#manners.now())
      }
      return Reflect.apply(writeHead, response, args)
    }
  }

  #isDue(): boolean {
    return this.#manners.closing || this.#manners.now() >= this.#turn
  }

  #isParsing(bytesRead: number): boolean {
    return this.#counting ? bytesRead > this.#seen : this.#manners.parsing(this.#socket)
  }

  #leaveUpgraded({ request, goodbye }: { request: IncomingMessage; goodbye: Goodbye }): void {
    const socket = this.#socket
    if (!isWebSocket(request)) {
      // Nobody knows how to take leave of it but by its end.
      if (this.#manners.closing && socket.writable) socket.end()
      return
    }
    const voice: Voice = this.#client ? voiceOf(this.#client) : rawVoice(socket)
    if (socket.writable) goodbye.move(voice, this.#manners)
  }

  /**
   * Closes this side and reads on until the other side has closed: closing under bytes nobody has
   * read would reset the connection, and take from the client what it has not read of its last answer.
   */
  #end(now: number): void {
    const socket = this.#socket
    if (this.#endedAt !== undefined || socket.destroyed) return
    this.#endedAt = now
    const sink = (): void => this.#manners.raced()
    // The parser must not see more: what cannot be answered must not be done.
    socket.on('data', sink)
    for (const listener of socket.listeners('data')) {
      if (listener !== sink) socket.off('data', listener as () => void)
    }
    socket.end()
    socket.resume()
  }
}

/** Whether a request has a body, going by its head (RFC 9112, 6.3). */
function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length']
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')
}

function isWebSocket(request: IncomingMessage): boolean {
  return request.headers.upgrade?.toLowerCase() === 'websocket'
}

/** The type of a response whose head is written: `writeHead` keeps no headers where there were none. */
function contentType(response: ServerResponse): unknown {
  const type = response.getHeader('content-type')
  if (type !== undefined) return type
  const { _header: head } = response as ServerResponse & { _header?: string | null }
  return /^content-type:(.*)$/im.exec(head ?? '')?.[1]
}

/** What Express and its kin leave on a request. */
interface Routed {
  baseUrl?: string
  originalUrl?: string
  route?: { path?: unknown }
}

function title(request: IncomingMessage & Routed): string {
  const { method, route, baseUrl = '', originalUrl, url } = request
  const path = pathOf(originalUrl ?? url)
  const known = typeof route?.path === 'string' ? `${baseUrl}${route.path}` : path
  return known === path ? `${method} ${path}` : `${method} ${known} (${path})`
}

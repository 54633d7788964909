import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import type { InFlight } from '../drains.js'
import { type Manners, type Peer, pathOf } from './peer.js'
import { endStream, isEventStream } from './sse.js'

/**
 * GOAWAY with the highest number a stream can have (RFC 9113, 6.8): begin no further streams, all
 * that are on their way count. Node's own `goaway()` ignores streams that come after it, whatever
 * the number says.
 */
const NOTICE: Uint8Array = Uint8Array.of(
  ...[0, 0, 8, 7, 0, 0, 0, 0, 0],
  ...[0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0],
)

/** A connection that speaks HTTP/2. */
export class Session implements Peer {
  /** When it is told to leave; infinitely far away while nobody has to. */
  #turn = Number.POSITIVE_INFINITY
  readonly #session: ServerHttp2Session
  readonly #socket: Socket | undefined
  readonly #manners: Manners
  readonly #open: Map<ServerHttp2Stream, { what: string; at: number }> = new Map()
  readonly #onClose: (this: ServerHttp2Stream) => void
  /** When the client was told to open no further streams. */
  #toldAt: number | undefined
  /** Whether it has read that. */
  #arrived = false
  #closing = false

  /** @param socket - the socket below, where no TLS lies between */
  constructor(session: ServerHttp2Session, manners: Manners, socket?: Socket) {
    const open = this.#open
    this.#socket = socket
    this.#session = session
    this.#manners = manners
    this.#onClose = function (this: ServerHttp2Stream) {
      manners.tally?.done(open.get(this)?.at)
      open.delete(this)
    }
  }

  /** A stream has come. */
  begin(stream: ServerHttp2Stream, headers: Record<string, unknown>): void {
    const path = headers[':path'] as string | undefined
    this.#manners.tally?.begun()
    this.#open.set(stream, { what: `${headers[':method']} ${path}`, at: this.#manners.now() })
    stream.on('close', this.#onClose)
  }

  leaveAt(turn: number): void {
    this.#turn = turn
  }

  busy(): boolean {
    return this.#open.size > 0
  }

  /**
   * Two steps: first that there are to be no more streams, while those on their way are served; then
   * the end, once the client must have read that. Under TLS nothing can be written beside the
   * session, so there it is the second step alone: a stream that crosses it is refused in a way that
   * tells the client that it was not begun.
   */
  step(): void {
    const { closing, farewellMs, retryMs } = this.#manners
    const now = this.#manners.now()
    const session = this.#session
    if (session.destroyed || (!closing && now < this.#turn)) return
    if (this.#toldAt === undefined) {
      this.#toldAt = now
      if (this.#socket) this.#notify(this.#socket)
      else this.#arrived = true
    }
    for (const stream of this.#open.keys()) {
      if (isEventStream(stream.sentHeaders?.['content-type'])) endStream(stream, retryMs)
    }
    if (!this.#closing && (this.#arrived || now - this.#toldAt >= farewellMs)) {
      this.#closing = true
      session.close()
    }
  }

  force(): void {
    this.#session.destroy()
  }

  inFlight(now: number): InFlight[] {
    return [...this.#open.values()].map(({ what, at }) => {
      const [method, url] = what.split(' ')
      return { what: `${method} ${pathOf(url)}`, ageMs: now - at }
    })
  }

  #notify(socket: Socket): void {
    // The session writes whole frames, and the socket one write after the other.
    socket.write(NOTICE)
    try {
      // The answer comes after every stream that the client began before it had read the notice.
      this.#session.ping(() => {
        this.#arrived = true
      })
    } catch {
      // It is not connected any more.
      this.#arrived = true
    }
  }
}

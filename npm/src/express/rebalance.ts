/** Kept connections a worker gives up, so that their clients come back to somebody calmer. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server } from 'node:net'

/** Ends the connection with as many of the answers as the front decides; while none, it does not listen. */
export class Shedding {
  readonly #server: Server
  #share = 0

  constructor(server: Server) {
    this.#server = server
  }

  /** Which part of the answers is to end its connection from now on, 0 to 1. */
  set share(share: number) {
    const [was, is] = [this.#share > 0, share > 0]
    this.#share = share
    if (is && !was) this.#server.prependListener('request', this.#onRequest)
    if (was && !is) this.#server.off('request', this.#onRequest)
  }

  #onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    // Over HTTP/2 there is one connection for all, and its end is not told by a header.
    if (request.httpVersionMajor < 2 && Math.random() < this.#share) {
      response.shouldKeepAlive = false
    }
  }
}

/** Kept connections a worker gives up, so that their clients come back to somebody calmer. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server } from 'node:net'

/** Ends the connection with as many of the answers as `share` says, which the front decides. */
export function shedConnections(server: Server, share: () => number): void {
  server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
    const part = share()
    // Over HTTP/2 there is one connection for all, and its end is not told by a header.
    if (part > 0 && request.httpVersionMajor < 2 && Math.random() < part) {
      response.shouldKeepAlive = false
    }
  })
}

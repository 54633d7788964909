/** How a server is brought to rest, and which ones are servers. */
import { Server as NetServer } from 'node:net'
import type { Clock } from '../../clock.js'
import { OptionError } from '../../errors.js'
import type { Kind } from '../../options.js'
import type { WebSocketServerLike } from './websocket.js'

/** A server of `node:http`, `node:https` or `node:http2`, or what has one, such as a Fastify instance. */
export type TrackedServer = NetServer | { readonly server: NetServer }

/** How a server is brought to rest. */
export interface ServerTrackerOptions {
  /** What it is called in reports. Default `'server'`. */
  name?: string | undefined
  /**
   * The WebSocket servers (package `ws`) on this server. Their sockets are closed through them; any
   * other WebSocket is sent the frames directly.
   */
  webSockets?: WebSocketServerLike | readonly WebSocketServerLike[] | undefined
  /** Sent to each WebSocket `farewellMs` before it is closed. Default: nothing is sent. */
  webSocketMessage?: string | undefined
  /** After how many ms the clients of event streams are to connect again. Default: not said. */
  eventStreamRetryMs?: number | undefined
  /**
   * The time between the steps of a goodbye in ms: from the message to the closing of a WebSocket,
   * between the two GOAWAY of HTTP/2 if the client does not answer sooner, from this side's end of a
   * connection to its destruction, and for how long nothing may have happened on a connection that is
   * closed as idle. Default 1000.
   */
  farewellMs?: number | undefined
  /** The same seed gives the same order of leaving. Default a random one. */
  seed?: number | undefined
  /** Where time and timers come from. Default the runtime's. */
  clock?: Clock | undefined
}

export const FIELDS: Record<string, Kind> = {
  name: 'string',
  webSockets: 'object',
  webSocketMessage: 'string',
  eventStreamRetryMs: 'number',
  farewellMs: 'number',
  seed: 'number',
  clock: 'object',
}

/** The server itself. @throws OptionError for what is none */
export function serverOf(tracked: TrackedServer): NetServer {
  const server = 'server' in tracked ? tracked.server : tracked
  if (server instanceof NetServer) return server
  throw new OptionError('ServerTracker: a server of node:http, node:https or node:http2', 'server')
}

import type { InFlight } from '../drains.js'

/** Told of what is under way, where somebody counts it. */
export interface Tally {
  /** A request has come, or a connection speaks another protocol from now on. */
  begun(): void
  /** It is over; `at` is when a request came. */
  done(at?: number): void
}

/** What a tracker knows of how its connections are to leave. */
export interface Manners {
  /** The time. */
  now(): number
  /** Whether the listeners are closed, so that everybody is to leave. */
  readonly closing: boolean
  /** The time between two steps of a goodbye. */
  readonly farewellMs: number
  /** Sent to WebSockets before they are closed. */
  readonly message: string | undefined
  /** After how many ms the clients of event streams are to come back. */
  readonly retryMs: number | undefined
  /** Whether bytes have to be counted, because no parser can be asked. */
  readonly counting: boolean
  /** Who counts. */
  readonly tally: Tally | undefined
  /** Whether the parser of a socket is in the middle of a request. */
  parsing(socket: object): boolean
  /** Bytes came after this side had closed. */
  raced(): void
  /** Something ended that may have been the last. */
  changed(): void
}

/** One connection. */
export interface Peer {
  /** It is to leave at this time, what is under way included. A new one has just been made. */
  leaveAt(turn: number, isNew: boolean): void
  /** Whether something is under way. */
  busy(): boolean
  /** Does what is due of its goodbye. Runs right after everything that had arrived was read. */
  step(): void
  /** Cuts it. */
  force(): void
  /** What is under way. */
  inFlight(now: number): InFlight[]
}

/** A path without its query, which may hold what belongs in no log. */
export function pathOf(url: string | undefined): string {
  return (url ?? '').split('?', 1)[0] || '/'
}

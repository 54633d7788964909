/** Refusing new connections in a native thread (`node-binding/src/native/refusals.rs`). */
export interface RefusalEngine {
  /**
   * Refuses for the monitor of `handle` what comes to the listening socket of `descriptor` while all
   * are refused; answers a number. Requests for one of `paths` are JavaScript's: `passed` gets a ticket
   * for each. `body` is JSON. Throws where the system has no room for it.
   */
  refusalsOpen?(
    descriptor: number,
    handle: number,
    paths: string[],
    body: string,
    passed: (ticket: number) => void,
  ): number
  /** The connection of a ticket, with the bytes that were read of it; once. */
  refusalsTake?(ticket: number): { descriptor: number; bytes: Uint8Array } | null
  /**
   * Keeps JavaScript from accepting while all are refused, and lets it again afterwards; whether all
   * are refused.
   */
  refusalsSettle?(number: number): boolean
  /** Connections accepted, requests refused, connections passed on, and given up. */
  refusalsCounts?(number: number): ArrayLike<number>
  /** Refuses nothing any more; the socket is JavaScript's alone when this returns. */
  refusalsClose?(number: number): void
}

import type { Ask } from '../ask.js'

/** Fronts that stay between client and worker, in native code alone. */
export interface RelayEngine {
  /** The port that clients connect to. */
  relayPort?(): number
  /** Lets clients connect; throws where another process came first. */
  relayOpen?(): void
  /**
   * The process `pid` takes connections at `address`, a path or `host:port`, for a place; `board` is
   * the file it tells of itself in, empty for none; `introduced`: it is told of clients.
   */
  relayWorker?(
    place: number,
    pid: number,
    address: string,
    introduced: boolean,
    board: string,
  ): void
  /** It has ended. */
  relayGone?(pid: number): void
  /** Counts, in the order of `FRONT_COUNTS`, then those that are open. */
  relayCounts?(): Float64Array
  /** What workers say of themselves, in the order of `LOADS`. */
  relayLoads?(): Float64Array
  /** Answers a question of `ask`; -1 closes the connection, -2 gives it to whoever is next. */
  relayChoose?(id: number, worker: number): void
  /** Accepts no more; what is under way goes on. */
  relayStop?(): void
  /** Whether nobody waits for a worker any more after `relayStop`. */
  relaySettled?(): boolean
  /** Whether nothing is under way any more after `relayStop`. */
  relayEnded?(): boolean
  /** Drops what is still under way. */
  relayEnd?(): void

  /** As a worker: makes the file it tells of itself in, and answers its words. */
  relayJoin?(path: string): ArrayBuffer
  /** Has the thread that watches this loop tell the front when it is stuck. */
  relayWatch?(): boolean
  /**
   * What first bytes say of a client: how many do, then its address and port and those it connected
   * to. `null`: they have not all come. Empty: the connection is not this worker's.
   */
  relayIntroduction?(bytes: Uint8Array): string[] | null
  /** The same for a connection by its descriptor, from which they are read. */
  relayIntroduced?(descriptor: number): string[] | null
  relayLeave?(): void

  /**
   * Takes an address for clients and carries their bytes; see `proxy_start`. Balancers in front are
   * those in `trusted`, addresses and ranges of them; all where that is left out.
   */
  proxyStart?(
    host: string,
    port: number,
    options: Float64Array,
    settings: Float64Array,
    trusted: string[] | undefined,
    seed: number,
    ask: Ask | undefined,
  ): number
}

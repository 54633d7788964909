import type { Ask } from '../ask.js'

/** Which worker is next (`core/src/balance`), and connections handed over by native code. */
export interface BalanceEngine {
  /** Which of `count` is next after `previous` choices; -1 of none. */
  balanceTurn(previous: number, count: number): number
  /** The lightest, by connections, percent of a processor, heap in use and heap of each; -1 of none. */
  balanceLightest(loads: Float64Array, connection: number, cpu: number, heap: number): number
  /** The limit in MiB for the heap of each of `workers`; 0: none is needed. */
  balanceHeap(limit: number, total: number, workers: number): number
  /** One choice by strategy 3 or 4, by requests under way and ms an answer takes of each; -1 of none. */
  balancePlain(strategy: number, loads: Float64Array, seed: number): number
  /** How many workers are meant by a number. */
  balanceWorkers(asked: number): number
  /** Whether a worker heard of then is none to be chosen now. */
  balanceStale(heardMs: number, nowMs: number, staleAfterMs: number): boolean
  /** For how many ms a worker may start, where it has so many to end. */
  balanceStartMs(gracefulMs: number): number
  /** After how many ms a worker is killed that has so many to end. */
  balanceKillMs(gracefulMs: number): number
  /**
   * For how many ms a worker that leaves keeps connections without a request; `keepAliveMs`: for how
   * long clients were told that they are kept, `NaN` where they were not.
   */
  balanceLingerMs(gracefulMs: number, keepAliveMs: number, isReplaced: boolean): number
  /** A handle, or -1 after a refusal; `options` are the numbers of `RespawnOptions` in core. */
  respawnNew(options: Float64Array, seed: number): number
  /** In how many ms a worker that has just died is started again; -1: no more. */
  respawnDied(handle: number, now: number): number
  respawnReset(handle: number): void
  respawnFree(handle: number): void

  /** Takes an address for clients; `options` are the numbers of `BalanceOptions` in core. */
  frontStart?(
    host: string,
    port: number,
    control: string,
    options: Float64Array,
    seed: number,
    ask: Ask | undefined,
  ): number
  /** Lets clients connect; throws where another process came first. */
  frontOpen?(): void
  frontHost?(): string
  frontPort?(): number
  /** Counts, in the order of `FRONT_COUNTS`. */
  frontCounts?(): Float64Array
  /** What workers say of themselves, in the order of `LOADS`. */
  frontLoads?(): Float64Array
  /** Answers a question of `ask`; -1 closes the connection, -2 gives it to whoever is next. */
  frontChoose?(id: number, worker: number): void
  /** Accepts no more; what waits still gets a worker. */
  frontStop?(): void
  /** Whether nothing waits any more after `frontStop`. */
  frontEnded?(): boolean
  /** Joins the front as a worker; answers the words it is judged by. */
  backJoin?(
    control: string,
    index: number,
    adopt: (descriptors: number[], open: boolean) => void,
  ): ArrayBuffer
  /** Has the thread that watches this loop tell the front when it is stuck. */
  backWatch?(): boolean
  /** Whether waiting for connections keeps the process alive. */
  backHold?(held: boolean): void
  backLeave?(): void
  /** Method, path, version, `1` for HTTP/1, head, name of the TLS server, then headers. */
  headRead?(bytes: Uint8Array): string[]
}

import type { Ask } from '../ask.js'

/** Requests balanced one by one, in native code alone; the rest of it is the relay's. */
export interface HttpFrontEngine {
  /**
   * Takes an address for clients; `options` are the numbers of `BalanceOptions`, `turns` those of
   * `TurnOptions` in core, `flags` those of `http_start`. -1 after a refusal.
   */
  httpStart?(
    host: string,
    port: number,
    options: Float64Array,
    turns: Float64Array,
    flags: number,
    seed: number,
    ask: Ask | undefined,
  ): number
  /** What was counted of requests, in the order of `HTTP_COUNTS`. */
  httpCounts?(): Float64Array
  /** For how many ms requests that are on their way are waited for after `httpStop`. */
  httpSettleMs?(): number
  /** For how many ms a worker that leaves waits for the end of its connections without a request. */
  httpLinksMs?(): number
  /** Ends connections without a request, and each of the others with its next answer. */
  httpStop?(lingerMs: number): void
}

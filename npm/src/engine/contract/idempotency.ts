/** Repeated requests on the side of the server (`core/src/http/idempotency.rs`). */
export interface IdempotencyEngine {
  /** A handle, or -1 after a refusal. */
  idempotencyNew(options: Float64Array): number
  /**
   * What to do with a request: look again after so many ms, or -1 process, -2 take over, -3 replay,
   * -4 conflict, -5 another request's key, -6 processed and not kept.
   *
   * @param found - 0 nothing, 1 running, 2 done, 3 done without its answer
   * @param same - whether it was the same request
   * @param looks - how often this request has looked before
   */
  idempotencyStep(
    handle: number,
    found: number,
    same: boolean,
    ageMs: number,
    waitedMs: number,
    looks: number,
  ): number
  /** How long an answer is kept, in ms. */
  idempotencyTtl(handle: number): number
  /** How long a key is held for a request that does not end, in ms. */
  idempotencyLock(handle: number): number
  /** How long the store may take for one thing, in ms. */
  idempotencyStoreTimeout(handle: number): number
  /** Whether an answer of so many bytes is kept. */
  idempotencyHolds(handle: number, bytes: number): boolean
  /** Whether an answer with this status is repeated for later requests. */
  idempotencyKeeps(status: number): boolean
  /** Whether a header of an answer is repeated with it. */
  idempotencyKeepsHeader(name: string): boolean
  /** Whether a text can be a key. */
  idempotencyIsKey(text: string): boolean
  /** Gives the handle back. */
  idempotencyFree(handle: number): void
}

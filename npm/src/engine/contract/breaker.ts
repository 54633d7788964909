/**
 * Circuit breakers by handle. Times are ms of the isolate's clock; `how` is the outcome (0 success,
 * 1 failure, 2 neutral) plus 4 if the call was slow. The cell of a breaker is described in
 * `core/src/breaker/cell.rs`.
 */
export interface BreakerEngine {
  /** A handle, or -1 after a refusal; `options` are the numbers of `BreakerOptions` in core. */
  breakerNew(options: Float64Array, seed: number, name: string | undefined, now: number): number
  /** Lets the breaker go; its cell stays for calls under way to look at. */
  breakerFree(handle: number): void
  /** Lets the breaker and its cell go. */
  breakerForget(handle: number): void
  breakerCount(): number
  breakerBlock(handle: number): number
  breakerOffset(handle: number): number
  breakerMemory(block: number): ArrayBuffer | WebAssembly.Memory
  /** A permit, or minus the reason: 1 open, 2 probing, 3 recovering, 4 isolated. */
  breakerAcquire(handle: number, now: number): number
  breakerRecord(
    handle: number,
    permit: number,
    how: number,
    openForMs: number,
    cause: number,
    wallMs: number,
    now: number,
  ): void
  breakerCheck(handle: number, now: number): void
  breakerReset(handle: number, now: number): void
  breakerForceOpen(handle: number, wallMs: number, now: number): void
  breakerIsolate(handle: number, now: number): void
  breakerRelease(handle: number, now: number): void
  /** Gives a breaker other options (as `breakerNew`); 0, or -1 after a refusal. */
  breakerUpdate(handle: number, options: Float64Array, now: number): number
  breakerSetMode(handle: number, mode: number, now: number): void
  breakerSlowMs(handle: number): number
  /** The numbers of `Explanation::to_numbers`. */
  breakerExplain(handle: number, now: number): ArrayLike<number>
  /** The numbers of `Snapshot`. */
  breakerSnapshot(handle: number, now: number): ArrayLike<number>
  breakerRestore(handle: number, snapshot: Float64Array, now: number): number
}

/** Who leaves a draining server when (`core/src/lifecycle/drain.rs`). */
export interface DrainEngine {
  /** The handle of a drain over `windowMs`, or -1 after a refusal. */
  drainNew(windowMs: number, farewellMs: number, retryMs: number | undefined, seed: number): number
  /** How many ms after its beginning the next connection is told to leave. */
  drainTurn(handle: number): number
  /** Gives the handle back. */
  drainFree(handle: number): void
  /** Takes what waits at a listener in the kernel: descriptors, `most` of them at most. */
  acceptBacklog?(listener: number, most: number): number[]
}

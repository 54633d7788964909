/** Failures on purpose (`core/src/chaos`). */
export interface ChaosEngine {
  /** A handle, or -1 after a refusal. */
  chaosNew(
    enabled: boolean,
    rate: number | undefined,
    latencyMs: number | undefined,
    maxLatencyMs: number | undefined,
    result: boolean,
    seed: number,
  ): number
  /** -1: nothing happens; -2: the call fails; -3: it answers the result; else a delay in ms. */
  chaosDraw(handle: number, rate: number): number
  /** Gives the handle back. */
  chaosFree(handle: number): void
  /** How long a process lives in ms, at most `longestMs`, NaN for the default; -1 after a refusal. */
  chaosLifespan(longestMs: number, seed: number): number
  /** A handle, or -1 after a refusal. */
  loopPauseNew(
    maxGapMs: number | undefined,
    minPauseMs: number | undefined,
    maxPauseMs: number | undefined,
    seed: number,
  ): number
  /** The time to the next pause and its length, in ms. */
  loopPauseDraw(handle: number): ArrayLike<number>
  /** Gives the handle back. */
  loopPauseFree(handle: number): void
}

/** How much the process can bear (`core/src/pressure`); the words of its memory stand in `board.rs`. */
export interface PressureEngine {
  /** A handle, or -1 after a refusal; `options` are those of `PressureConfig::from_numbers` in core. */
  pressureNew(options: Float64Array, seed: number): number
  /** Takes other options; -1 after a refusal. */
  pressureUpdate(handle: number, options: Float64Array): number
  /** The memory of the board; to be asked for once for each handle. */
  pressureMemory(handle: number): ArrayBuffer | WebAssembly.Memory
  /** Where the board begins in it, in bytes. */
  pressureOffset(handle: number): number
  /** Takes what was measured, by the places of the signals; NaN is not known. */
  pressureObserve(handle: number, now: number, signals: Float64Array): void
  /**
   * For how many ms a loop was at work that was busy for `wall` ms and used the processor for `cpu`,
   * NaN being not known; `preempted`: it may have been kept from a processor.
   */
  pressureWorked(wall: number, cpu: number, preempted: boolean): number
  /** 0 for admitted, else `1 + cause + 32 * seconds`, negative where it is let in all the same. */
  pressureAdmit(handle: number, rank: number, user: string | undefined): number
  pressureMaintenance(handle: number, on: boolean): void
  /** `Explanation::to_numbers`. */
  pressureExplain(handle: number): ArrayLike<number>
  pressureFree(handle: number): void
  /** Lets a native thread observe the monitor from now on; false where it cannot. */
  pressureWatch?(handle: number): boolean
  pressureUnwatch?(handle: number): void
}

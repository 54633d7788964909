/** Sizes of connection pools (`core/src/pool.rs`). NaN stands for the default. */
export interface PoolEngine {
  /** Size, usable connections, processes, 1 if it fits; empty after a refusal. */
  poolSize(
    serverMax: number,
    instances: number,
    processes: number,
    reserve: number,
    held: number,
  ): ArrayLike<number>
}

/** The probe server (`node-binding/src/native/probes.rs`), where there are threads. */
export interface ProbeEngine {
  /**
   * A handle, or -1 after a refusal of `limits` (`JudgeOptions`). `port` below 0: `host` is the path
   * of a Unix socket. `health` and `monitor` are
   * handles, below 0 none. `kinds`: what each route asks for, 3 the metrics.
   * Throws with a text that begins with the name of the system's error.
   */
  probeOpen?(
    host: string,
    port: number,
    health: number,
    monitor: number,
    routes: string[],
    kinds: Float64Array,
    limits: Float64Array,
    details: boolean,
    now: number,
  ): number
  /** `address:port`, or the path of the socket. */
  probeAddress?(handle: number): string
  /** Two numbers that JavaScript writes: when it last turned, and how often it does that, in ms. */
  probeMemory?(handle: number): ArrayBuffer
  /** The names and messages of the checks, and why the process cannot recover. */
  probeDescribe?(
    handle: number,
    checks: Float64Array,
    names: string[],
    messages: string[],
    unrecoverable: string,
  ): void
  /** Connections open, accepted, displaced; requests answered, heads refused. */
  probeCounts?(handle: number): ArrayLike<number>
  /** Closes it; its port is free when this returns. */
  probeClose?(handle: number): void
}

/** Connections that are made again (`core/src/lifecycle/reconnect.rs`). */
export interface ReconnectEngine {
  /** The handle of a connection that is stable after `stableMs`, or -1 after a refusal. */
  reconnectNew(stableMs: number | undefined): number
  /** The state an event leads to, or -1 where it means nothing. */
  reconnectOn(handle: number, event: number, nowMs: number): number
  /** How many attempts have failed one after the other. */
  reconnectFailures(handle: number): number
  /** Gives the handle back. */
  reconnectFree(handle: number): void
}

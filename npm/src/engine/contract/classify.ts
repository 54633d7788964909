/** What the engine knows about errors (`core/src/classify`). */
export interface ClassifyEngine {
  /**
   * The packed verdict on one failure: bit 0 transient, bit 1 throttled, bits 2 and 3 processed,
   * bits 4 and 5 scope, plus 64 times the wait (0 none, `n` means `n - 1` milliseconds); -1 if
   * nothing in it is known.
   *
   * `text` holds the strings, separated by NUL: code, name, SQLSTATE, system call, labels, message,
   * then pairs of a header's name and value. `flags`: 1 marked as retryable, 2 marked as
   * throttling, 4 there is a cause to ask. `source` says whose `number` it is: 0 nobody's,
   * 1 MySQL, 2 SQL Server, 3 SQLite, 4 gRPC, 5 MongoDB, 6 Redis.
   */
  classifyFacts(
    text: string,
    flags: number,
    source: number,
    number: number | undefined,
    status: number,
    nowMs: number,
  ): number
  /** Two packed verdicts about one piece of work as one; -1 leaves the other as it is. */
  classifyJoin(a: number, b: number): number
  /** Whether a code is on the fixed list of `isTransientError`. */
  isTransientCode(code: string): boolean
  /** Whether a result code of SQLite means busy or locked. */
  isTransientSqlite(result: number): boolean
  /**
   * Whether a request may be sent again after a failure with this packed verdict. `flags`: 1 the
   * request is idempotent, 2 it is not, 4 PATCH is idempotent here.
   */
  mayRepeat(method: string, packed: number, flags: number): boolean
}

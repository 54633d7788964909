/** Requests over HTTP (`core/src/http`). */
export interface HttpEngine {
  /**
   * What follows from the end of one attempt: 0 success, 1 failure, 2 neither, plus 4 if the
   * request may be sent again.
   *
   * @param status - of the answer, 0 where there is none
   * @param packed - the verdict on the answer or the error, -1 if nothing is known
   * @param flags - `Request` of `core/src/http/request.rs`
   */
  httpJudge(method: string, status: number, packed: number, flags: number): number
  /** Whether doing it twice is as good as once, by the method alone. */
  httpIsIdempotent(method: string): boolean
  /** A handle for so many instances of a service. */
  instancesNew(count: number): number
  /** The instances in the order in which to try them; `tried` are those this call has asked. */
  instancesOrder(handle: number, tried: Float64Array): ArrayLike<number>
  /** Notes that an instance has failed. */
  instancesFailed(handle: number, index: number): void
  /** Gives the handle back. */
  instancesFree(handle: number): void
}

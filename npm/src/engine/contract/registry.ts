/** Which of a registry's breakers to let go. */
export interface RegistryEngine {
  /** A handle, or -1 after a refusal. */
  registryNew(max: number, idleMs: number): number
  /** Adds a breaker by its handle and answers the handles of those to let go. */
  registryAdd(handle: number, breaker: number, now: number): ArrayLike<number>
  registryRemove(handle: number, breaker: number): void
  registryFree(handle: number): void
}

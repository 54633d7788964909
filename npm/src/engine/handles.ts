/** Gives handles back to the engine when the objects that held them are collected. */
export class Handles {
  readonly #free: (handle: number) => void
  #registry: FinalizationRegistry<number> | undefined

  constructor(free: (handle: number) => void) {
    this.#free = free
  }

  /** Frees `handle` once `owner` is gone, unless it was released before. */
  watch(owner: object, handle: number): void {
    this.#registry ??= new FinalizationRegistry(this.#free)
    this.#registry.register(owner, handle, owner)
  }

  /** Frees `handle` once `owner` is gone, whatever happens before: half the memory of {@link watch}. */
  keep(owner: object, handle: number): void {
    this.#registry ??= new FinalizationRegistry(this.#free)
    this.#registry.register(owner, handle)
  }

  /** Frees the handle of a watched owner now. */
  release(owner: object, handle: number): void {
    this.#registry?.unregister(owner)
    this.#free(handle)
  }
}

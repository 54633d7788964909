/** Gives handles back when the object that held them is collected and nobody disposed of it. */
export class Handles {
  readonly #free: (handle: number) => void
  #registry: FinalizationRegistry<number> | undefined

  constructor(free: (handle: number) => void) {
    this.#free = free
  }

  /** Watches `owner`. `token` takes the watch back; without one, freeing twice must do no harm. */
  watch(owner: object, handle: number): void {
    this.#registry ??= new FinalizationRegistry(this.#free)
    this.#registry.register(owner, handle, owner)
  }

  /** Gives the handle back now. */
  release(owner: object, handle: number): void {
    this.#registry?.unregister(owner)
    this.#free(handle)
  }
}

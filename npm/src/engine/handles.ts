/** Gives handles back to the engine when the objects that held them are collected. */
export class Handles {
  readonly #forget: (handle: number) => void
  #registry: FinalizationRegistry<number> | undefined

  constructor(forget: (handle: number) => void) {
    this.#forget = forget
  }

  /** Forgets `handle` once `owner`, and every closure that holds it, is gone. */
  watch(owner: object, handle: number): void {
    this.#registry ??= new FinalizationRegistry(this.#forget)
    this.#registry.register(owner, handle)
  }
}

/** Tells of a callback that threw: a process warning where there is one, else the console. Never throws. */
export function report(error: unknown, where: string): void {
  try {
    const text = `${where} threw: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`
    const { process } = globalThis
    if (typeof process?.emitWarning === 'function') process.emitWarning(text, 'SeawallWarning')
    else console.warn(text)
  } catch {
    // An error that cannot be printed changes nobody's result either.
  }
}

/** Listeners of one object. What they throw, or reject with, is reported and goes no further. */
export class Listeners<Events> {
  #lists: { [E in keyof Events]?: Array<(event: Events[E]) => void> } = {}
  readonly #owner: string

  constructor(owner: string) {
    this.#owner = owner
  }

  /** Adds a listener; the function returned takes it away again. */
  add<E extends keyof Events>(event: E, listener: (event: Events[E]) => void): () => void {
    this.#lists[event] = [...(this.#lists[event] ?? []), listener]
    return () => {
      this.#lists[event] = this.#lists[event]?.filter(other => other !== listener)
    }
  }

  /** Whether anybody listens, so that events nobody hears are never built. */
  has(event: keyof Events): boolean {
    return (this.#lists[event]?.length ?? 0) > 0
  }

  emit<E extends keyof Events>(event: E, detail: Events[E]): void {
    for (const listener of this.#lists[event] ?? []) {
      call(() => listener(detail), `${this.#owner}: a listener of '${String(event)}'`)
    }
  }
}

/** Runs a callback of the user's; what it throws or rejects with is reported. */
export function call(callback: () => unknown, where: string): void {
  try {
    const result = callback()
    if (result instanceof Promise) result.catch(error => report(error, where))
  } catch (error) {
    report(error, where)
  }
}

/**
 * The word of a callback of the user's that has to answer at once; `otherwise` where it throws or
 * answers a promise, which is reported.
 */
export function asked<T>(callback: () => unknown, otherwise: T, where: string): unknown | T {
  try {
    const answer = callback()
    if (!(answer instanceof Promise)) return answer
    // What it rejects with would end the process.
    answer.catch(() => {})
    report(new TypeError('it must answer at once, and answered a promise'), where)
  } catch (error) {
    report(error, where)
  }
  return otherwise
}

/** What has requests under way, and is asked to bring them to an end. */
import { call, report } from '../events.js'

/** A request, or whatever else keeps something from closing. */
export interface InFlight {
  /** Such as `GET /orders`. */
  what: string
  ageMs: number
}

/** What is still going on in a {@link Drainable}. */
export interface DrainReport {
  connections: number
  inFlight: InFlight[]
}

/**
 * Something that serves, such as a server: it is asked to go in three steps. `ServerTracker` is one.
 */
export interface Drainable {
  readonly name: string
  /**
   * The process is no longer ready. Requests are still served; connections may be asked, more and
   * more of them over `windowMs`, to go elsewhere.
   */
  beginDrain(windowMs: number): void
  /** Listens no more, and resolves when nothing is in flight. */
  close(): Promise<void>
  /** Time is up: whatever is left is cut off. */
  force(): void
  report(): DrainReport
}

/** What becomes of the drainables of one shutdown. */
export interface DrainEnd {
  /** Requests that were cut off. */
  cut: { name: string; inFlight: InFlight[] }[]
  failed: { name: string; error: unknown }[]
}

/** The drainables of a process. */
export class Drains {
  readonly #all = new Set<Drainable>()
  #begun: number | undefined
  #closing: Map<Drainable, boolean> | undefined
  #onClosed: (() => void) | undefined
  readonly failed: DrainEnd['failed'] = []

  get all(): ReadonlySet<Drainable> {
    return this.#all
  }

  /** One that comes late goes through the steps that the others have gone through. */
  add(drainable: Drainable): void {
    if (this.#all.has(drainable)) return
    this.#all.add(drainable)
    const window = this.#begun
    if (window !== undefined) call(() => drainable.beginDrain(window), this.#of(drainable))
    if (this.#closing) this.#close(drainable, this.#closing)
  }

  remove(drainable: Drainable): void {
    this.#all.delete(drainable)
    if (this.#closing?.delete(drainable)) this.#look()
  }

  begin(windowMs: number): void {
    this.#begun = windowMs
    for (const drainable of this.#all) {
      call(() => drainable.beginDrain(windowMs), this.#of(drainable))
    }
  }

  /** Closes all; calls `done` once nothing is in flight in any. */
  close(done: () => void): void {
    if (this.#closing) return
    this.#closing = new Map()
    this.#onClosed = done
    for (const drainable of this.#all) this.#close(drainable, this.#closing)
    this.#look()
  }

  /** Those that have not closed. */
  open(): Drainable[] {
    if (!this.#closing) return [...this.#all]
    return [...this.#closing].filter(([, closed]) => !closed).map(([drainable]) => drainable)
  }

  /** Cuts off what has not closed; answers the requests that were under way there. */
  force(): DrainEnd['cut'] {
    this.#onClosed = undefined
    return this.open().map(drainable => {
      const { inFlight } = this.report(drainable)
      call(() => drainable.force(), this.#of(drainable))
      return { name: drainable.name, inFlight }
    })
  }

  /** What a drainable says is going on, nothing where it throws. */
  report(drainable: Drainable): DrainReport {
    try {
      return drainable.report()
    } catch (error) {
      report(error, this.#of(drainable))
      return { connections: 0, inFlight: [] }
    }
  }

  #close(drainable: Drainable, closing: Map<Drainable, boolean>): void {
    closing.set(drainable, false)
    const settle = (): void => {
      if (closing.has(drainable)) closing.set(drainable, true)
      this.#look()
    }
    // In a function, so that one that throws is like one that rejects.
    const close = async (): Promise<void> => drainable.close()
    close().then(settle, error => {
      this.failed.push({ name: drainable.name, error })
      settle()
    })
  }

  #look(): void {
    if (!this.#onClosed || this.open().length > 0) return
    const done = this.#onClosed
    this.#onClosed = undefined
    done()
  }

  #of(drainable: Drainable): string {
    return `lifecycle: '${drainable.name}'`
  }
}

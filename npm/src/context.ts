import { type Clock, systemClock } from './clock.js'

/** What a function is told of the call it serves. */
export interface CallContext {
  /**
   * Aborted when the call is over before the function is: a time-out, an abort by the caller, a
   * hedge that was faster. Made when it is first read; a function that never looks costs nothing.
   */
  readonly signal: AbortSignal
  /** 1 for the first try, 2 for the second. */
  readonly attempt: number
  /** When the call must be over, in ms of the policy's clock; `Infinity` where there is no limit. */
  readonly deadline: number
  /** The milliseconds left until then, 0 once it has passed, `Infinity` where there is no limit. */
  remaining(): number
}

/** What a caller may bring to a call. */
export interface CallOptions {
  /** Ends the call with the reason of the signal; the outcome is held against nobody. */
  signal?: AbortSignal | undefined
  /** When the call must be over, in ms of the policy's clock. Default none. */
  deadline?: number | undefined
}

/** What a policy within another gets of the call, besides the caller's options. @internal */
export interface InnerCall extends CallOptions {
  /** The try of the policy outside; its signal is made only if somebody asks. In place of `signal`. */
  parent?: Attempt | undefined
}

/** One try of a call: what the function sees, and what the policies around it use. @internal */
export class Attempt implements CallContext {
  readonly attempt: number
  /** A policy that gives the try less time than it has brings it forward before the function begins. */
  deadline: number
  readonly #clock: Clock
  readonly #caller: AbortSignal | Attempt | undefined
  #controller: AbortController | undefined
  /** `[reason]` once it was aborted while nobody had asked for the signal. */
  #aborted: [unknown] | undefined
  #detach: (() => void) | undefined
  #closed = false
  #end: PromiseLike<unknown> | undefined

  constructor(
    attempt: number = 1,
    deadline: number = Number.POSITIVE_INFINITY,
    caller?: AbortSignal | Attempt,
    clock: Clock = systemClock,
  ) {
    this.attempt = attempt
    this.deadline = deadline
    this.#caller = caller
    this.#clock = clock
  }

  get signal(): AbortSignal {
    if (this.#controller) return this.#controller.signal
    const controller = new AbortController()
    this.#controller = controller
    const outer = this.#caller
    const caller = outer instanceof Attempt ? outer.signal : outer
    if (this.#aborted) controller.abort(this.#aborted[0])
    else if (caller?.aborted) controller.abort(caller.reason)
    else if (caller && !this.#closed) {
      const abort = (): void => this.abort(caller.reason)
      caller.addEventListener('abort', abort, { once: true })
      this.#detach = () => caller.removeEventListener('abort', abort)
      if (this.#end) this.until(this.#end)
    }
    return controller.signal
  }

  remaining(): number {
    if (this.deadline === Number.POSITIVE_INFINITY) return this.deadline
    return Math.max(0, this.deadline - this.#clock.now())
  }

  /** Whether the function was told that nobody waits for it any more, or its caller does not. */
  get isAborted(): boolean {
    const caller = this.#caller
    if (this.#aborted !== undefined || caller === undefined) return this.#aborted !== undefined
    return caller instanceof Attempt ? caller.isAborted : caller.aborted
  }

  /** With which reason it was told so. */
  get reason(): unknown {
    return this.#aborted ? this.#aborted[0] : this.#caller?.reason
  }

  /** Tells the function that nobody waits for it any more. */
  abort(reason: unknown): void {
    this.#aborted ??= [reason]
    this.close()
    this.#controller?.abort(reason)
  }

  /** Closes itself when `end` settles, if it ever held on to the caller's signal. */
  until(end: PromiseLike<unknown>): void {
    this.#end = end
    if (!this.#detach) return
    const close = (): void => this.close()
    end.then(close, close)
  }

  /** Lets go of the caller's signal, which may outlive the call by far. The own signal stays as it is. */
  close(): void {
    this.#closed = true
    this.#detach?.()
    this.#detach = undefined
  }
}

/**
 * What the function of a call sees that has one try, no deadline, and nobody who could end it. With
 * one field, because seven of them cost a tenth of what a call through a bulkhead does. @internal
 */
export class FreeCall implements CallContext {
  #signal: AbortSignal | undefined

  get attempt(): number {
    return 1
  }

  get deadline(): number {
    return Number.POSITIVE_INFINITY
  }

  get signal(): AbortSignal {
    this.#signal ??= new AbortController().signal
    return this.#signal
  }

  remaining(): number {
    return Number.POSITIVE_INFINITY
  }
}

/** One hedged call: its tries, which of them counts, and what becomes of the others. */
import type { Clock } from './clock.js'
import { Attempt, type InnerCall } from './context.js'
import { isA, SeawallError, stackless } from './errors.js'
import { call } from './events.js'
import type { HedgeBudget } from './hedge-options.js'
import type { Timed } from './timer-queue.js'

/** Begins one try, and tells once how it ended. @internal */
export type Begin<T> = (
  attempt: Attempt,
  ok: (value: T) => void,
  err: (error: unknown) => void,
) => void

/** Leave for one more try, and whose it is. @internal */
export interface Grant {
  budget: HedgeBudget | undefined
}

/** What a call needs of its policy. @internal */
export interface Port {
  /** The delay before the next try, for which the call waits; 0 to begin it at once, below 0 for none. */
  plan(call: HedgedCall<unknown>, begun: number, now: number): number
  stop(call: Timed): void
  /** Leave for one more try. */
  allow(attempt: number, spare: HedgeBudget | undefined): Grant | undefined
  begun(attempt: number, delayMs: number): void
  over(winner: number, firstMs: number): void
  after(fn: () => void): void
}

interface Try {
  attempt: Attempt
  grant: Grant | undefined
}

/** One call and its tries. @internal */
export class HedgedCall<T> implements Timed {
  due = 0
  previous: Timed | undefined = undefined
  next: Timed | undefined = undefined
  cancel: (() => void) | undefined = undefined
  waiting = false
  readonly deadline: number
  /** The try begun last. */
  last: Attempt
  readonly #port: Port
  readonly #clock: Clock
  readonly #signal: AbortSignal | undefined
  readonly #parent: Attempt | undefined
  readonly #begin: Begin<T>
  readonly #resolve: (value: T) => void
  readonly #reject: (error: unknown) => void
  readonly #spare: HedgeBudget | undefined
  readonly #running: Try[] = []
  readonly #started: number
  #begun = 0
  #delay = 0
  #over = false
  #failed = false
  #error: unknown
  #abort: (() => void) | undefined
  /** Begins the next try in the caller's async context. */
  #go: (() => void) | undefined

  constructor(
    port: Port,
    clock: Clock,
    options: InnerCall | undefined,
    begin: Begin<T>,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
    spare: HedgeBudget | undefined,
  ) {
    this.#spare = spare
    this.#port = port
    this.#clock = clock
    this.#parent = options?.parent
    this.#signal = this.#parent ? undefined : options?.signal
    this.deadline = options?.deadline ?? Number.POSITIVE_INFINITY
    this.#begin = begin
    this.#resolve = resolve
    this.#reject = reject
    this.#started = clock.now()
    this.last = this.#attempt()
  }

  begin(): void {
    const signal = this.#signal
    if (signal !== undefined) {
      const abort = (): void => this.#settle(0, signal.reason, () => this.#reject(signal.reason))
      signal.addEventListener('abort', abort, { once: true })
      this.#abort = () => signal.removeEventListener('abort', abort)
    }
    this.#try(undefined)
    this.#plan(this.#started)
  }

  /** The delay is over; what has come in meanwhile is looked at before. */
  expire(): void {
    this.#port.after(() => this.#go?.())
  }

  #attempt(): Attempt {
    this.#begun++
    return new Attempt(this.#begun, this.deadline, this.#parent ?? this.#signal, this.#clock)
  }

  #try(grant: Grant | undefined): void {
    const attempt = this.last
    const one: Try = { attempt, grant }
    this.#running.push(one)
    this.#begin(
      attempt,
      value => this.#won(one, value),
      error => this.#lost(one, error),
    )
  }

  /** Waits for the time of the next try, if there is to be one. */
  #plan(now: number): void {
    if (this.#over) return
    const delay = this.#port.plan(this as HedgedCall<unknown>, this.#begun, now)
    if (delay < 0 || delay === Number.POSITIVE_INFINITY) return
    this.#delay = delay
    if (delay === 0) this.#hedge()
    else {
      new Promise<void>(resolve => {
        this.#go = resolve
      }).then(() => this.#hedge())
    }
  }

  #hedge(): void {
    if (this.#over || this.last.isAborted) return
    const now = this.#clock.now()
    if (now >= this.deadline) return
    const grant = this.#port.allow(this.#begun + 1, this.#spare)
    if (grant === undefined) return
    this.last = this.#attempt()
    this.#port.begun(this.#begun, this.#delay)
    if (this.#over) release(grant)
    else {
      this.#try(grant)
      this.#plan(now)
    }
  }

  #won(one: Try, value: T): void {
    if (!this.#ended(one)) return
    this.#settle(one.attempt.attempt, undefined, () => this.#resolve(value))
  }

  #lost(one: Try, error: unknown): void {
    if (!this.#ended(one)) return
    // The first error says most, unless it is only a policy's of our own.
    if (!this.#failed || (isA(this.#error, SeawallError) && !isA(error, SeawallError))) {
      this.#error = error
    }
    this.#failed = true
    if (this.#running.length === 0) this.#settle(0, undefined, () => this.#reject(this.#error))
  }

  /** Takes a try off the list; whether the call is still under way. */
  #ended(one: Try): boolean {
    if (this.#over) return false
    this.#running.splice(this.#running.indexOf(one), 1)
    one.attempt.close()
    release(one.grant)
    return true
  }

  #settle(winner: number, reason: unknown, settle: () => void): void {
    if (this.#over) return
    this.#over = true
    this.#port.stop(this)
    this.#go = undefined
    this.#abort?.()
    const overtaken = this.#running.some(({ attempt }) => attempt.attempt === 1)
    const firstMs =
      winner === 1 || (winner > 1 && overtaken) ? this.#clock.now() - this.#started : -1
    this.#port.over(winner, firstMs)
    settle()
    for (const { attempt, grant } of this.#running) {
      attempt.abort(reason ?? overtakenReason())
      release(grant)
    }
  }
}

function release(grant: Grant | undefined): void {
  const budget = grant?.budget
  if (budget) call(() => budget.ended(), 'Hedge: the budget')
}

function overtakenReason(): SeawallError {
  const message = 'Another try was faster'
  return stackless(() => new SeawallError('SEAWALL_OVERTAKEN', message), `SeawallError: ${message}`)
}

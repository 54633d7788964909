/**
 * How a call runs through a compiled policy. Gates that stand next to each other are one segment:
 * they are entered in a loop and left by one promise reaction, so that a pipeline costs one
 * reaction more than its function and not one for each policy.
 */
import type { Clock } from './clock.js'
import { Attempt, type CallContext } from './context.js'
import { type SeawallError, TimeoutError } from './errors.js'
import {
  FAILURE,
  type Gate,
  type GateCall,
  NEUTRAL,
  outcomeOf,
  type PriorityName,
  rejecting,
  SUCCESS,
} from './gate.js'

/** One call on its way. @internal */
export class Flight implements GateCall {
  readonly fn: (context: CallContext) => unknown
  readonly deadline: number
  /** The try of the time-out, deadline or hedge around this part of the pipeline. */
  readonly parent: Attempt | undefined
  readonly #call: PolicyCall

  constructor(
    fn: (context: CallContext) => unknown,
    call: PolicyCall,
    deadline: number,
    parent?: Attempt,
  ) {
    this.fn = fn
    this.deadline = deadline
    this.parent = parent
    this.#call = call
  }

  /** The same call within a try that has less time, or may be ended by itself. */
  within(attempt: Attempt): Flight {
    return new Flight(this.fn, this.#call, attempt.deadline, attempt)
  }

  /**
   * The same call on behalf of all who wait for one answer, who come and go: it has none of their
   * deadlines, and is aborted when the last of them has left.
   */
  on(context: CallContext): Flight {
    const { priority, user, key, idempotent } = this.#call
    const call = {
      get signal() {
        return context.signal
      },
      priority,
      user,
      key,
      idempotent,
    }
    return new Flight(this.fn, call, Number.POSITIVE_INFINITY)
  }

  /** The signal of the try, made when it is first read, or the caller's. */
  get signal(): AbortSignal | undefined {
    return this.parent ? this.parent.signal : this.#call.signal
  }

  /** What contexts of this call hang on: a signal only where the caller gave one. */
  get outside(): AbortSignal | Attempt | undefined {
    return this.parent ?? this.#call.signal
  }

  get isAborted(): boolean {
    return this.parent ? this.parent.isAborted : this.#call.signal?.aborted === true
  }

  get priority(): PriorityName | number | undefined {
    return this.#call.priority
  }

  get user(): string | undefined {
    return this.#call.user
  }

  get key(): string | undefined {
    return this.#call.key
  }

  get idempotent(): boolean | undefined {
    return this.#call.idempotent
  }

  /** How a try ended, as far as the gates of this pipeline are concerned. */
  outcome(how: number, it: unknown): number {
    if (this.isAborted) {
      const reason = this.parent ? this.parent.reason : this.#call.signal?.reason
      // A time-out speaks against the other side; a caller or a hedge that was faster does not.
      if (!(reason instanceof TimeoutError)) return NEUTRAL
      if (how !== SUCCESS) return outcomeOf(reason)
    }
    return how === FAILURE ? outcomeOf(it) : how
  }
}

/** What a caller may bring to a call of a policy. */
export interface PolicyCall {
  /**
   * Ends waits of the call with its reason, and aborts the function's signal. A time-out, deadline,
   * hedge or key ends the call at once as well; without, a function that does not look goes on, and
   * the call with it. The outcome is held against nobody.
   */
  signal?: AbortSignal | undefined
  /** When the call must be over, in ms of the policy's clock. The policy's own limit may be sooner. */
  deadline?: number | undefined
  /** A class, or a level from 0 to 499; the higher, the longer it is served. Default `'medium'`. */
  priority?: PriorityName | number | undefined
  /** Whose call it is, for fairness between users. */
  user?: string | undefined
  /** What is asked for, for coalescing and the cache. */
  key?: string | undefined
  /** Whether this call may be carried out twice; in place of the retry's own word. */
  idempotent?: boolean | undefined
}

/** A part of a compiled policy: runs one try of a call. @internal */
export type Run = (flight: Flight, attempt: number) => PromiseLike<unknown> | unknown

/** The innermost part: calls the function. @internal */
export function calling(clock: Clock): Run {
  return (flight, attempt) => {
    const { parent } = flight
    if (parent?.attempt === attempt) return flight.fn(parent)
    const { outside } = flight
    const context = new Attempt(attempt, flight.deadline, outside, clock)
    if (outside === undefined) return flight.fn(context)
    try {
      const result = flight.fn(context)
      if (isThenable(result)) {
        // Of what is not a promise of the language, `then` may run a query, each time it is called.
        const promise = Promise.resolve(result)
        context.until(promise)
        return promise
      }
      context.close()
      return result
    } catch (error) {
      context.close()
      throw error
    }
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function'
}

/** `run`, whose throwing is a rejection. @internal */
export function started(run: Run, flight: Flight, attempt: number): Promise<unknown> {
  let result: PromiseLike<unknown> | unknown
  try {
    result = run(flight, attempt)
  } catch (error) {
    result = Promise.reject(error)
  }
  return Promise.resolve(result)
}

/** What the gates of one policy refused calls with, which is nobody's failure. @internal */
export class Refusals {
  /** Made at the first refusal: most of many policies never refuse, and each costs the collector. */
  #errors: WeakSet<object> | undefined
  readonly #told: (error: unknown) => void

  constructor(told: (error: unknown) => void) {
    this.#told = told
  }

  add(error: unknown): void {
    if (typeof error === 'object' && error !== null) {
      this.#errors ??= new WeakSet()
      this.#errors.add(error)
    }
    this.#told(error)
  }

  /** How a call ended that failed with `error`, for gates further out. */
  outcome(flight: Flight, error: unknown): number {
    // `has` is false for what is no object.
    return this.#errors?.has(error as object) ? NEUTRAL : flight.outcome(FAILURE, error)
  }
}

/** Gates one behind the other, the first the outermost, and what is behind them. @internal */
export function segment(gates: readonly Gate[], next: Run, clock: Clock, refusals: Refusals): Run {
  const [first, ...others] = gates
  if (first === undefined) return next
  if (others.length === 0) return single(first, next, clock, refusals)
  const timed = (): boolean => gates.some(gate => gate.timed)

  const leave = (tickets: number[], outcome: number, it: unknown, at: number): void => {
    for (let i = tickets.length - 1; i >= 0; i--) {
      ;(gates[i] as Gate).leave(tickets[i] as number, outcome, it, at)
    }
  }

  const inside = (flight: Flight, attempt: number, tickets: number[]): Promise<unknown> => {
    const at = timed() ? clock.now() : 0
    return started(next, flight, attempt).then(
      value => {
        leave(tickets, flight.outcome(SUCCESS, value), value, at)
        return value
      },
      error => {
        leave(tickets, refusals.outcome(flight, error), error, at)
        throw error
      },
    )
  }

  const refused = (tickets: number[], error: unknown): void => {
    leave(tickets, NEUTRAL, error, 0)
    refusals.add(error)
  }

  const enter = (flight: Flight, attempt: number, tickets: number[]): Promise<unknown> => {
    while (tickets.length < gates.length) {
      const ticket = (gates[tickets.length] as Gate).enter(flight)
      if (typeof ticket === 'number') tickets.push(ticket)
      else if (ticket instanceof Promise) return later(flight, attempt, tickets, ticket)
      else {
        refused(tickets, ticket)
        return rejecting(ticket satisfies SeawallError)
      }
    }
    return inside(flight, attempt, tickets)
  }

  const later = (
    flight: Flight,
    attempt: number,
    tickets: number[],
    place: Promise<number>,
  ): Promise<unknown> =>
    place.then(
      ticket => {
        tickets.push(ticket)
        if (!flight.isAborted) return enter(flight, attempt, tickets)
        // Aborted between the end of the wait and this moment.
        leave(tickets, NEUTRAL, undefined, 0)
        throw flight.signal?.reason
      },
      error => {
        refused(tickets, error)
        throw error
      },
    )

  return (flight, attempt) => enter(flight, attempt, [])
}

/** A segment of one gate: most have no more, and need no list of tickets. */
function single(gate: Gate, next: Run, clock: Clock, refusals: Refusals): Run {
  const inside = (flight: Flight, attempt: number, ticket: number): Promise<unknown> => {
    const at = gate.timed ? clock.now() : 0
    return started(next, flight, attempt).then(
      value => {
        gate.leave(ticket, flight.outcome(SUCCESS, value), value, at)
        return value
      },
      error => {
        gate.leave(ticket, refusals.outcome(flight, error), error, at)
        throw error
      },
    )
  }
  return (flight, attempt) => {
    const ticket = gate.enter(flight)
    if (typeof ticket === 'number') return inside(flight, attempt, ticket)
    if (ticket instanceof Promise) {
      return ticket.then(
        later => {
          if (!flight.isAborted) return inside(flight, attempt, later)
          gate.leave(later, NEUTRAL)
          throw flight.signal?.reason
        },
        error => {
          refusals.add(error)
          throw error
        },
      )
    }
    refusals.add(ticket)
    return rejecting(ticket)
  }
}

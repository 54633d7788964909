/**
 * What all policies have in common that let calls through one by one and hear how each ended:
 * bulkheads, limiters, throttles, breakers. A pipeline puts them one behind the other.
 */
import type { CallContext, CallOptions } from './context.js'
import { Attempt } from './context.js'
import { isSelfInflicted, type SeawallError } from './errors.js'

/** How a call ended, as `Outcome` in the core. @internal */
export const SUCCESS = 0
/** @internal */
export const FAILURE = 1
/** Neither: it was cancelled, and says nothing of the other side. @internal */
export const NEUTRAL = 2

/** How a call ended that failed with `error`: {@link FAILURE}, or {@link NEUTRAL} where the fault is ours. @internal */
export function outcomeOf(error: unknown): number {
  return isSelfInflicted(error) ? NEUTRAL : FAILURE
}

/** A class of calls, from the first to be turned away to the last. */
export type PriorityName = 'veryLow' | 'low' | 'medium' | 'high' | 'veryHigh'

/** What a call may say to a policy that lets calls through one by one. */
export interface GateCall extends CallOptions {
  /**
   * How important it is, for policies with priorities: a class, or a level from 0 to 499, a hundred
   * for each class. The higher the level, the longer it is served. Default `'medium'`.
   */
  priority?: PriorityName | number | undefined
  /** Whose call it is, for fairness between users where there are priorities. */
  user?: string | undefined
}

/** Lets calls through one by one. @internal */
export interface Gate {
  /**
   * A ticket (0 or more) if the call may begin, a promise of one if it has to wait, or the error
   * that says why it may not. Never throws. A promise rejects with the error, or with the reason
   * of the call's signal, whose abort frees the place in the queue at once.
   */
  enter(call: GateCall | undefined): number | SeawallError | Promise<number>
  /**
   * Ends what `enter` began, once for each ticket: with {@link SUCCESS} and the result,
   * {@link FAILURE} and the error, or {@link NEUTRAL}. Never throws.
   *
   * @param started - when the function was called, for gates that are {@link timed}
   */
  leave(ticket: number, outcome: number, detail?: unknown, started?: number): void
  /** Whether `leave` wants to know when the function was called. */
  readonly timed?: boolean
}

/** Whether an answer has to be waited for. @internal */
export function isThenable<T>(value: PromiseLike<T> | T): value is PromiseLike<T> {
  return typeof (value as PromiseLike<T> | undefined)?.then === 'function'
}

const resolved = Promise.resolve()

/** A promise that is rejected a microtask later: half the price of one rejected from the start. @internal */
export function rejecting(error: unknown): Promise<never> {
  return new Promise((_, reject) => {
    resolved.then(() => reject(error))
  })
}

/** Calls `fn` once the gate lets it. @internal */
export function through<T>(
  gate: Gate,
  fn: (context: CallContext) => PromiseLike<T> | T,
  call: GateCall | undefined,
): Promise<T> {
  const { signal } = call ?? {}
  if (signal?.aborted) return rejecting(signal.reason)
  const ticket = gate.enter(call)
  if (typeof ticket === 'number') return behind(gate, ticket, fn, call)
  if (ticket instanceof Promise) {
    return ticket.then(later => {
      if (!signal?.aborted) return behind(gate, later, fn, call)
      // Aborted between the end of the wait and this moment.
      gate.leave(later, NEUTRAL)
      throw signal.reason
    })
  }
  return rejecting(ticket)
}

function behind<T>(
  gate: Gate,
  ticket: number,
  fn: (context: CallContext) => PromiseLike<T> | T,
  call: GateCall | undefined,
): Promise<T> {
  const attempt = new Attempt(1, call?.deadline, call?.signal)
  const signal = call?.signal
  let promise: PromiseLike<T> | T
  try {
    promise = fn(attempt)
  } catch (error) {
    promise = Promise.reject(error)
  }
  return Promise.resolve(promise).then(
    value => {
      attempt.close()
      gate.leave(ticket, signal?.aborted ? NEUTRAL : SUCCESS, value)
      return value
    },
    error => {
      attempt.close()
      gate.leave(ticket, signal?.aborted ? NEUTRAL : outcomeOf(error), error)
      throw error
    },
  )
}

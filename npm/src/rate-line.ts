/**
 * What single and keyed rate limiters share: a group of limiters in the engine, and the calls that
 * wait for one of them. Who may go and when is the engine's decision; here are the promises, one
 * timer for the first in line, and one for each call whose patience ends.
 */
import { type Clock, systemClock } from './clock.js'
import { Handles } from './engine/handles.js'
import { policyEngine } from './engine/policies/index.js'
import type { PoliciesEngine } from './engine/policies/types.js'
import { optionProblem, type RejectedError, rejected, SeawallError } from './errors.js'
import type { Listeners } from './events.js'
import { type RateLimiterOptions, rateNumbers } from './rate-options.js'
import { startTimer, timersEndWithRequest } from './timer.js'

/** Why a call was refused. */
export type RateRule = 'limit' | 'hold' | 'maxWaitMs' | 'maxQueue' | 'weight' | 'evicted'

/** By the number of the core's `Refusal`, without its sign. */
const RULES: readonly RateRule[] = ['limit', 'limit', 'hold', 'maxWaitMs', 'maxQueue', 'weight']
const WHY: Record<RateRule, string> = {
  limit: 'there is no permit left',
  hold: 'it is on hold',
  maxWaitMs: 'the wait would be too long',
  maxQueue: 'too many calls wait',
  weight: 'it weighs more than there are permits at once',
  evicted: 'its key was let go while it waited',
}

/** Whether a call may go, and if not, when it is worth coming back. */
export type RateDecision =
  | { readonly ok: true }
  | {
      readonly ok: false
      /** Why not. */
      readonly rule: RateRule
      /** Exactly then it could go, if nobody else came; `undefined`: never. */
      readonly retryAfterMs: number | undefined
    }

/** What a rate limiter tells of itself. `key` is set by a {@link KeyedRateLimiter}. */
export interface RateLimiterEvents {
  /** A call was refused. */
  rejected: {
    rule: RateRule
    retryAfterMs: number | undefined
    weight: number
    key: string | undefined
  }
  /** A call waits in line, and is expected to go after `waitMs`. */
  queued: { waitMs: number; weight: number; key: string | undefined }
  /** Nothing passes for `forMs`. */
  held: { forMs: number; key: string | undefined }
}

/** Why a limiter decides as it does. Times are in milliseconds. */
export interface RateExplanation {
  name: string | undefined
  kind: 'gcra' | 'slidingWindow'
  limit: number
  perMs: number
  /** Permits there can be at once. */
  burst: number
  /** Permits in use; fractions of one are on their way back. */
  used: number
  /** Whole permits there are now, for those in line first. */
  available: number
  /** Calls in line. */
  queued: number
  /** Permits they wait for. */
  waiting: number
  /** How long nothing passes. */
  heldMs: number
  /** How long until one more permit could be had, behind those in line. */
  nextMs: number
  /** Calls let through so far. */
  granted: number
  /** Calls refused so far. */
  refused: number
}

const handles = new Handles(handle => policyEngine().rateFree(handle))
/** The number of a limiter that the engine has let go. @internal */
export const NOBODY: number = 2 ** 32 - 1
const GRANTED: RateDecision = Object.freeze({ ok: true })

/** Limiters with the same options. @internal */
export class RateGroup {
  readonly where: string
  readonly engine: PoliciesEngine
  readonly clock: Clock
  options: RateLimiterOptions
  handle: number
  listeners: Listeners<RateLimiterEvents> | undefined

  constructor(
    where: string,
    owner: object,
    options: RateLimiterOptions,
    max: number,
    idleMs: number,
  ) {
    this.where = where
    this.engine = policyEngine()
    this.options = { ...options }
    this.clock = options.clock ?? systemClock
    this.handle = this.engine.rateNew(rateNumbers(options), max, idleMs)
    if (this.handle < 0) throw optionProblem(where, options, this.engine)
    handles.watch(owner, this.handle)
  }

  get live(): number {
    if (this.handle < 0) throw this.disposed()
    return this.handle
  }

  disposed(): SeawallError {
    return new SeawallError('SEAWALL_DISPOSED', `${this.where}: used after it was disposed`)
  }

  update(options: RateLimiterOptions): void {
    const now = this.clock.now()
    if (this.engine.rateUpdate(this.live, rateNumbers(options), now) < 0) {
      throw optionProblem(this.where, options, this.engine)
    }
    this.options = { ...options }
  }

  free(owner: object): void {
    handles.release(owner, this.handle)
    this.handle = -1
  }
}

/** A call in line. */
interface Waiter {
  readonly weight: number
  readonly settle: (failed: boolean, error?: unknown) => void
  previous: Waiter | undefined
  next: Waiter | undefined
}

/** One limiter of a group and those who wait for it, in the order they came. @internal */
export class Line {
  readonly #group: RateGroup
  id: number
  readonly #key: string | undefined
  #first: Waiter | undefined
  #last: Waiter | undefined
  #cancel: (() => void) | undefined

  constructor(group: RateGroup, id: number, key?: string) {
    this.#group = group
    this.id = id
    this.#key = key
  }

  /** At once or not at all. */
  decide(weight: number): RateDecision {
    const { engine, clock, live } = this.#group
    if (this.#first) this.#move()
    const now = clock.now()
    const code = engine.rateAcquire(live, this.id, weight, 0, now)
    if (code === 0) return GRANTED
    const wait = engine.rateWait(live, this.id, weight, now)
    const retryAfterMs = wait < 0 ? undefined : wait
    const rule = RULES[-code] ?? 'limit'
    this.#group.listeners?.emit('rejected', { rule, retryAfterMs, weight, key: this.#key })
    return { ok: false, rule, retryAfterMs }
  }

  /** 0 if the call may go, a promise of it if it waits, else why it may not. */
  enter(
    weight: number,
    maxWaitMs: number,
    call: { signal?: AbortSignal | undefined; deadline?: number | undefined } | undefined,
  ): number | SeawallError | Promise<number> {
    const group = this.#group
    if (group.handle < 0) return group.disposed()
    if (this.#first) this.#move()
    const now = group.clock.now()
    const wait = Math.min(maxWaitMs, (call?.deadline ?? Number.POSITIVE_INFINITY) - now)
    const code = group.engine.rateAcquire(group.handle, this.id, weight, wait, now)
    if (code === 0) return 0
    if (code < 0) return this.#refusal(RULES[-code] ?? 'limit', weight)
    return this.#queue(weight, wait, code, call?.signal)
  }

  hold(until: number): void {
    const { engine, clock, live, listeners } = this.#group
    engine.rateHold(live, this.id, until)
    if (until > 0) listeners?.emit('held', { forMs: until - clock.now(), key: this.#key })
    this.#move()
  }

  explain(): RateExplanation {
    const { engine, clock, live, options } = this.#group
    const numbers = engine.rateExplain(live, this.id, clock.now())
    const at = (index: number): number => numbers[index] ?? 0
    return {
      name: options.name,
      kind: options.kind ?? 'gcra',
      limit: options.limit,
      perMs: options.perMs ?? 1000,
      burst: at(0),
      used: at(1),
      available: at(2),
      queued: at(3),
      waiting: at(4),
      heldMs: at(5),
      nextMs: at(6),
      granted: at(7),
      refused: at(8),
    }
  }

  /** Lets go whose time has come: after a change of options. */
  wake(): void {
    this.#move()
  }

  /** Ends all waits with what `why` answers. */
  end(why: (weight: number) => SeawallError): void {
    for (let waiter = this.#first; waiter; waiter = this.#first) {
      this.#unlink(waiter)
      waiter.settle(true, why(waiter.weight))
    }
    this.#cancel?.()
  }

  /** Ends all waits of a limiter that the engine has let go. */
  evict(): void {
    // The number may be another's by the time a call of this one ends.
    this.id = NOBODY
    this.end(weight => this.#refusal('evicted', weight))
  }

  #queue(
    weight: number,
    maxWaitMs: number,
    expected: number,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    const group = this.#group
    if (signal?.aborted) {
      group.engine.rateLeave(group.handle, this.id, weight)
      return Promise.reject(signal.reason)
    }
    const promise = new Promise<number>((resolve, reject) => {
      let cancel: (() => void) | undefined
      const settle = (failed: boolean, error?: unknown): void => {
        cancel?.()
        signal?.removeEventListener('abort', abort)
        failed ? reject(error) : resolve(0)
      }
      const waiter: Waiter = { weight, settle, previous: this.#last, next: undefined }
      const abort = (): void => this.#leave(waiter, signal?.reason)
      const late = (): void => {
        // It may be its turn just now.
        this.#move()
        if (this.#has(waiter)) this.#leave(waiter, this.#refusal('maxWaitMs', weight))
      }
      if (this.#last) this.#last.next = waiter
      this.#last = waiter
      signal?.addEventListener('abort', abort, { once: true })
      if (maxWaitMs < Number.POSITIVE_INFINITY) {
        cancel = startTimer(group.clock, Math.ceil(maxWaitMs - 1e-6), late)
      }
      if (timersEndWithRequest(group.clock)) {
        // The timer of the first in line is no help to those behind it, whose calls live longer.
        const patience = cancel
        const turn = startTimer(group.clock, Math.ceil(expected), () => this.#move())
        cancel = () => {
          patience?.()
          turn()
        }
      }
      if (this.#first === undefined) {
        this.#first = waiter
        this.#arm(expected)
      }
    })
    // Now that it is in line: a listener may dispose of the limiter, or abort the call.
    group.listeners?.emit('queued', { waitMs: expected, weight, key: this.#key })
    return promise
  }

  #has(waiter: Waiter): boolean {
    return waiter.previous !== undefined || this.#first === waiter
  }

  #unlink(waiter: Waiter): void {
    const { previous, next } = waiter
    if (previous) previous.next = next
    else this.#first = next
    if (next) next.previous = previous
    else this.#last = previous
    waiter.previous = undefined
    waiter.next = undefined
  }

  /** One gives up: all behind move up. */
  #leave(waiter: Waiter, error: unknown): void {
    const group = this.#group
    const first = this.#first === waiter
    this.#unlink(waiter)
    if (group.handle >= 0) group.engine.rateLeave(group.handle, this.id, waiter.weight)
    waiter.settle(true, error)
    if (first) this.#move()
  }

  /** Lets the first ones go whose time has come, and wakes up again for the next. */
  #move(): void {
    const { engine, clock, handle } = this.#group
    this.#cancel?.()
    this.#cancel = undefined
    for (let first = this.#first; first && handle >= 0; first = this.#first) {
      const code = engine.rateAdvance(handle, this.id, first.weight, clock.now())
      if (code > 0) {
        this.#arm(code)
        return
      }
      this.#unlink(first)
      if (code === 0) first.settle(false)
      else first.settle(true, this.#refusal(RULES[-code] ?? 'limit', first.weight))
    }
  }

  #arm(wait: number): void {
    // Runtimes cut fractions off, which would be too early; a nanosecond of rounding is none.
    const ms = Math.max(1, Math.ceil(wait - 1e-6))
    this.#cancel = startTimer(this.#group.clock, ms, () => this.#move())
  }

  #refusal(rule: RateRule, weight: number): RejectedError {
    const { engine, clock, handle, options, listeners, where } = this.#group
    const now = clock.now()
    const wait = handle < 0 ? -1 : engine.rateWait(handle, this.id, weight, now)
    const retryAfterMs = wait < 0 ? undefined : wait
    const key = this.#key
    if (listeners?.has('rejected')) {
      listeners.emit('rejected', { rule, retryAfterMs, weight, key })
    }
    return rejected('SEAWALL_RATE_LIMITED', `${where} refused the call: ${WHY[rule]}`, {
      rule,
      counts: { limit: options.limit, perMs: options.perMs ?? 1000, weight },
      policy: options.name,
      retryAfterMs,
    })
  }
}

/** What `resilientFetch` and the interceptor share: the engine's judgement, and how to repeat. */
import { breakerGate, type CircuitBreaker } from '../breaker/index.js'
import { RetryBudget } from '../budget.js'
import { packedVerdict } from '../classify.js'
import { type Clock, systemClock } from '../clock.js'
import { DEADLINE_HEADER, deadlineHeader } from '../deadline.js'
import { policyEngine } from '../engine/policies/index.js'
import type { SeawallError } from '../errors.js'
import { call, report } from '../events.js'
import type { Gate } from '../gate.js'
import { BreakerRegistry } from '../registry.js'
import { judged, type RetryHooks, repeat } from '../retry.js'
import type { RetryOptions } from '../retry-options.js'
import type { HttpFailure, HttpOptions, HttpRetryOptions } from './options.js'

/** `Request` of `core/src/http/request.rs`. */
export const KEY = 1
const GUARDED = 2
export const REPLAYABLE = 4
const OWN = 8
const IDEMPOTENT = 16
const ONLY_ONCE = 32
const PATCH = 64
const ABORTED = 128
const MISTAKE = 256

const OUTCOME = 3
const REPEAT = 4

const DISABLED = { mode: 'disabled' } as const

/** How one attempt ended, in the form that a retry and the classification of errors understand. */
export class Try implements HttpFailure {
  readonly attempt: number
  readonly method: string
  readonly url: string
  readonly status: number
  readonly error: unknown
  /** Whether the request may be sent again. */
  repeat = false
  /** Whether another instance can be asked at once: what this one says of waiting is its own affair. */
  failover = false
  readonly #headers: unknown
  /** Lets go of the answer. */
  discard: () => void = () => {}

  constructor(
    at: { attempt: number; method: string; url: string },
    status: number,
    headers: unknown,
    error: unknown,
  ) {
    this.attempt = at.attempt
    this.method = at.method
    this.url = at.url
    this.status = status
    this.error = error
    this.#headers = headers
  }

  get headers(): unknown {
    return this.failover ? undefined : this.#headers
  }

  get cause(): unknown {
    return this.failover ? undefined : this.error
  }
}

/** What is known of one request whatever becomes of it. */
export interface Asked {
  readonly method: string
  /** `Request` of the core, but for what only the end of an attempt tells. */
  readonly flags: number
  readonly signal: AbortSignal | undefined
  readonly deadline: number
}

/** A breaker that has let an attempt through. */
export interface Entered {
  readonly gate: Gate
  readonly ticket: number
  readonly started: number
}

/** The options, checked, and the breakers. */
export class Rules {
  readonly clock: Clock
  readonly breakers: BreakerRegistry
  readonly keyHeader: string
  readonly #options: HttpOptions
  readonly #retry: HttpRetryOptions | undefined
  readonly #budget: RetryBudget | undefined
  readonly #ownsBudget: boolean
  readonly #gates = new WeakMap<CircuitBreaker, Gate>()

  /** @throws OptionError */
  constructor(options: HttpOptions, onEvict?: (origin: string) => void) {
    const { retry, breaker, clock = systemClock } = options
    this.#options = options
    this.clock = clock
    this.keyHeader = (options.idempotencyHeader ?? 'Idempotency-Key').toLowerCase()
    this.#retry = retry === false ? undefined : { delayMs: 100, onRefusal: 'stop', ...retry }
    if (typeof this.#retry?.backoff === 'object') delete this.#retry.delayMs
    if (this.#retry) {
      const { shouldRetry: _, onRetry: __, ...numbers } = this.#retry
      const problem = judged({ ...numbers, seed: options.seed })
      if (problem) throw problem
    }
    const { budget } = options
    this.#ownsBudget = budget !== undefined && !(budget instanceof RetryBudget)
    this.#budget =
      budget && (budget instanceof RetryBudget ? budget : new RetryBudget({ clock, ...budget }))
    const made =
      typeof breaker === 'function'
        ? (origin: string) => ({ clock, ...breaker(origin) })
        : breaker === false
          ? DISABLED
          : { clock, ...breaker }
    this.breakers = new BreakerRegistry({
      max: options.maxOrigins ?? 1000,
      idleMs: options.idleMs,
      breaker: made,
      onEvict,
    })
  }

  /** Lets an attempt through, or answers why not. */
  enter(origin: string): Entered | SeawallError {
    const breaker = this.breakers.get(origin)
    let gate = this.#gates.get(breaker)
    if (!gate) {
      gate = breakerGate(breaker)
      this.#gates.set(breaker, gate)
    }
    // A breaker's gate never makes a call wait.
    const ticket = gate.enter(undefined) as number | SeawallError
    return typeof ticket === 'number' ? { gate, ticket, started: this.clock.now() } : ticket
  }

  /** The flags of a request. */
  flags(
    origin: string,
    idempotent: boolean | undefined,
    header: (name: string) => string | null | undefined,
    replayable: boolean,
  ): number {
    const { ownService, patchIsIdempotent } = this.#options
    let own = ownService === true
    if (typeof ownService === 'function') {
      call(() => {
        own = Boolean(ownService(origin))
      }, 'resilientFetch: `ownService`')
    }
    const guarded = Boolean(header('if-match')) || header('if-none-match')?.trim() === '*'
    return (
      (header(this.keyHeader) ? KEY : 0) |
      (guarded ? GUARDED : 0) |
      (replayable ? REPLAYABLE : 0) |
      (own ? OWN : 0) |
      (idempotent === true ? IDEMPOTENT : 0) |
      (idempotent === false ? ONLY_ONCE : 0) |
      (patchIsIdempotent ? PATCH : 0)
    )
  }

  /** A key for a request that has none and is better off with one, or nothing. */
  keyFor(method: string, url: string): string | undefined {
    const { idempotencyKey } = this.#options
    if (!idempotencyKey || policyEngine().httpIsIdempotent(method)) return undefined
    if (typeof idempotencyKey === 'function') return idempotencyKey({ method, url })
    return crypto.randomUUID()
  }

  /** Ends an attempt: tells the breaker, and notes whether the request may be sent again. */
  end(entered: Entered, asked: Asked, end: Try, detail: unknown): number {
    const { status, error } = end
    const flags =
      asked.flags |
      (asked.signal?.aborted ? ABORTED : 0) |
      (error instanceof TypeError && error.cause === undefined ? MISTAKE : 0)
    const packed = status !== 0 && status < 400 ? -1 : packedVerdict(end)
    const code = policyEngine().httpJudge(asked.method, status, packed, flags)
    const outcome = code & OUTCOME
    entered.gate.leave(entered.ticket, outcome, detail, entered.started)
    const allowed = (code & REPEAT) !== 0
    const isFailure = status === 0 || status >= 400
    const open = isFailure && this.#retry !== undefined && !asked.signal?.aborted
    end.repeat = open && (flags & REPLAYABLE) !== 0 && this.#wanted(end, allowed)
    return outcome
  }

  #wanted(end: Try, allowed: boolean): boolean {
    const shouldRetry = this.#retry?.shouldRetry
    if (!shouldRetry) return allowed
    let wanted = allowed
    try {
      wanted = Boolean(shouldRetry(end, allowed))
    } catch (error) {
      report(error, 'resilientFetch: `shouldRetry`')
    }
    return wanted
  }

  /** The header that tells the server of `deadline`, if there is to be one. */
  deadlineHeader(deadline: number): [name: string, value: string] | undefined {
    const name = this.#options.deadlineHeader
    if (name === undefined || deadline === Number.POSITIVE_INFINITY) return undefined
    const value =
      name.toLowerCase() === DEADLINE_HEADER
        ? deadlineHeader(deadline, this.clock)
        : String(Math.max(0, Math.floor(deadline - this.clock.now())))
    return [name, value ?? '']
  }

  /** All attempts; answers the last. */
  async run<T extends Try>(asked: Asked, attempt: (number: number) => Promise<T>): Promise<T> {
    const budget = this.#retry && this.#budget
    if (budget === undefined) return this.#attempts(asked, attempt, undefined)
    budget.began()
    try {
      return await this.#attempts(asked, attempt, {
        allow: () => budget.allow(),
        ended: () => budget.retryEnded(),
        waiting: () => {},
      })
    } finally {
      budget.ended()
    }
  }

  async #attempts<T extends Try>(
    asked: Asked,
    attempt: (number: number) => Promise<T>,
    hooks: RetryHooks | undefined,
  ): Promise<T> {
    const retry = this.#retry
    const started = this.clock.now()
    let first: { ok: true; value: T } | { ok: false; error: unknown }
    try {
      first = { ok: true, value: await attempt(1) }
    } catch (error) {
      if (retry?.onRefusal !== 'wait') throw error
      first = { ok: false, error }
    }
    if (!retry || (first.ok && !first.value.repeat)) return settled(first)
    const { shouldRetry: _, onRetry, ...numbers } = retry
    const options: RetryOptions = {
      ...numbers,
      clock: this.clock,
      seed: this.#options.seed,
      signal: asked.signal,
      deadline: asked.deadline === Number.POSITIVE_INFINITY ? undefined : asked.deadline,
      retryResult: end => (end as Try).repeat,
      delayFor: end => (end instanceof Try && end.failover ? 0 : undefined),
      onRetry: (_, end) => {
        if (!(end instanceof Try)) return
        end.discard()
        if (onRetry) call(() => onRetry(end), 'resilientFetch: `onRetry`')
      },
    }
    return repeat(attempt, options, started, first, hooks)
  }

  [Symbol.dispose](): void {
    this.breakers[Symbol.dispose]()
    if (this.#ownsBudget) this.#budget?.[Symbol.dispose]()
  }
}

function settled<T>(end: { ok: true; value: T } | { ok: false; error: unknown }): T {
  if (end.ok) return end.value
  throw end.error
}

import type { OptionProblem } from './engine/contract/options.js'

/**
 * Every error of this package has a `code` that stays the same; go by it, or by `instanceof`,
 * never by the message.
 *
 * | code | class | when |
 * |---|---|---|
 * | `DB_CONNECTION_FAILED` | {@link CircuitBreakerError} | a circuit breaker refused the call |
 * | `SEAWALL_INVALID_OPTION` | {@link OptionError} | an option is unknown, of the wrong type or out of range |
 * | `SEAWALL_BULKHEAD_FULL` | {@link RejectedError} | a bulkhead and its queue are full, the wait was too long, or calls of its priority are shed |
 * | `SEAWALL_RATE_LIMITED` | {@link RejectedError} | a rate limiter refused the call |
 * | `SEAWALL_OVERLOADED` | {@link RejectedError} | an adaptive limiter shed the call |
 * | `SEAWALL_UNDER_PRESSURE` | {@link RejectedError} | the process is under pressure or in maintenance, and sheds the request |
 * | `SEAWALL_THROTTLED` | {@link RejectedError} | a client throttle refused the call |
 * | `SEAWALL_STORE_FAILED` | {@link SeawallError} | a store answered something other than yes or no |
 * | `SEAWALL_VALUE_TOO_LARGE` | {@link SeawallError} | a store does not take a value for its size |
 * | `SEAWALL_TIMEOUT` | {@link TimeoutError} | a call took longer than it was given |
 * | `SEAWALL_DEADLINE` | {@link RejectedError} | too little time is left until the deadline to begin |
 * | `SEAWALL_OVERTAKEN` | {@link SeawallError} | the reason of a hedge's signal: another try was faster |
 * | `SEAWALL_DISPOSED` | {@link SeawallError} | something was used after it was disposed |
 * | `SEAWALL_LISTEN` | {@link SeawallError} | a server cannot listen where it was told to |
 * | `SEAWALL_DISCONNECTED` | {@link SeawallError} | a reconnecting client has no connection at present |
 * | `SEAWALL_NO_WORKER` | {@link SeawallError} | every worker died again and again, or none became ready in time |
 * | `SEAWALL_RELOAD`, `SEAWALL_STOPPED` | {@link SeawallError} | workers could not be replaced; the server was stopped while it started |
 * | `SEAWALL_FRAMEWORK`, `SEAWALL_NO_FRAMEWORK` | {@link SeawallError} | an application owns its sockets; no framework is installed |
 * | `SEAWALL_RECORDING` | {@link SeawallError} | a file is no recording of the flight recorder |
 * | `SEAWALL_ENGINE` | {@link SeawallError} | the engine asked for by `SEAWALL_ENGINE` cannot be loaded, or a mode needs the addon |
 * | `SEAWALL_RUNTIME` | {@link SeawallError} | this runtime has no place for an entry; the message says what to use instead |
 */
export class SeawallError extends Error {
  static {
    // biome-ignore lint/complexity/noThisInStatic: its own name would make the bundler rename the class
    this.prototype.name = 'SeawallError'
  }
  /** What happened, in a word that stays the same. */
  readonly code: string
  /** The name of the policy, where it has one. */
  declare readonly policy?: string
  /** After how many milliseconds it is worth trying again, where that is known. */
  declare readonly retryAfterMs?: number

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** An option is unknown, of the wrong type or out of range. */
export class OptionError extends TypeError {
  static {
    // biome-ignore lint/complexity/noThisInStatic: its own name would make the bundler rename the class
    this.prototype.name = 'OptionError'
  }
  readonly code = 'SEAWALL_INVALID_OPTION'
  /** The option, with its parents: `halfOpen.permits`. */
  readonly option: string

  constructor(message: string, option: string) {
    super(message)
    this.option = option
  }
}

/** What a refusal says of its reasons. */
export interface Rejection {
  /** Which rule of the policy refused, in a word that stays the same. */
  rule: string
  /** The counts the rule went by. */
  counts: Readonly<Record<string, number>>
  /** The name of the policy, if it has one. */
  policy?: string | undefined
  /** After how many milliseconds the answer may be another, where that is known. */
  retryAfterMs?: number | undefined
}

/** A policy refused a call; the function was not called. Without stack frames, for speed. */
export class RejectedError extends SeawallError {
  static {
    // biome-ignore lint/complexity/noThisInStatic: its own name would make the bundler rename the class
    this.prototype.name = 'RejectedError'
  }
  readonly rule: string
  readonly counts: Readonly<Record<string, number>>
  declare readonly policy?: string
  declare readonly retryAfterMs?: number

  constructor(code: string, message: string, { rule, counts, policy, retryAfterMs }: Rejection) {
    super(code, message)
    this.rule = rule
    this.counts = counts
    if (policy !== undefined) this.policy = policy
    if (retryAfterMs !== undefined) this.retryAfterMs = retryAfterMs
  }
}

/** A {@link RejectedError} without stack frames. @internal */
export function rejected(code: string, message: string, rejection: Rejection): RejectedError {
  return stackless(() => new RejectedError(code, message, rejection), `RejectedError: ${message}`)
}

/** A call took longer than it was given. The function may still be running; its signal is aborted. */
export class TimeoutError extends SeawallError {
  static {
    // biome-ignore lint/complexity/noThisInStatic: its own name would make the bundler rename the class
    this.prototype.name = 'TimeoutError'
  }
  /** How long it was given, in ms. */
  readonly timeoutMs: number
  /**
   * For how long, in ms, the event loop was blocked when the time was up. Set only if that was too
   * long for the other side to be blamed: such a time-out counts as neither success nor failure.
   */
  declare readonly blockedMs?: number
  declare readonly policy?: string

  constructor(
    message: string,
    timeoutMs: number,
    policy?: string,
    blockedMs?: number,
    options?: ErrorOptions,
  ) {
    super('SEAWALL_TIMEOUT', message, options)
    this.timeoutMs = timeoutMs
    if (policy !== undefined) this.policy = policy
    if (blockedMs !== undefined) this.blockedMs = blockedMs
  }
}

/** Whether an error is this process's own doing, and so says nothing of the other side. @internal */
export function isSelfInflicted(error: unknown): boolean {
  return isA(error, TimeoutError) && error.blockedMs !== undefined
}

/** `instanceof`, which throws for a proxy that was revoked: what is thrown may be anything. @internal */
export function isA<T>(error: unknown, type: abstract new (...args: never[]) => T): error is T {
  try {
    return error instanceof type
  } catch {
    return false
  }
}

/** The error class that `@kysera/infra`'s errors stand on. */
export class DatabaseError extends SeawallError {
  static {
    // biome-ignore lint/complexity/noThisInStatic: its own name would make the bundler rename the class
    this.prototype.name = 'DatabaseError'
  }
  readonly detail: string | undefined

  constructor(message: string, code: string, detail?: string) {
    super(code, message)
    this.detail = detail
  }

  /** The parts worth logging. */
  toJSON(): { name: string; message: string; code: string; detail: string | undefined } {
    return { name: this.name, message: this.message, code: this.code, detail: this.detail }
  }
}

/** Why a circuit breaker refused a call. */
export type RejectionReason = 'open' | 'probing' | 'recovering' | 'isolated'

/** What stands behind a refusal of a circuit breaker. */
export interface Because {
  /** The rule that opened the breaker, such as `'failure rate'`; else the state that refused. */
  rule: string
  /** What the rule counted at that moment. */
  counts: { calls: number; failures: number; slow: number }
  /** Raised by one with each change of the breaker's state. */
  generation: number
  /** What failed lately, by the code or name of the errors, the latest first. */
  causes: { cause: string; count: number }[]
}

/** A breaker, as far as its errors ask it. */
interface Explaining {
  explain(): {
    opened: { by: string; calls: number; failures: number; slow: number } | undefined
    generation: number
    causes: { cause: string; count: number }[]
    calls: number
    failures: number
    slow: number
  }
}

function reasonOf(now: ReturnType<Explaining['explain']>, reason: RejectionReason): Because {
  const { opened, generation, causes, calls, failures, slow } = now
  return {
    rule: opened?.by ?? reason,
    counts: {
      calls: opened?.calls ?? calls,
      failures: opened?.failures ?? failures,
      slow: opened?.slow ?? slow,
    },
    generation,
    causes: causes.map(({ cause, count }) => ({ cause, count })),
  }
}

/**
 * A circuit breaker refused a call; the function was not called.
 *
 * It has no stack frames unless the breaker was made with `stack: true`: taking them costs more
 * than the rest of the refusal, at the very moment when there are many.
 */
export class CircuitBreakerError extends DatabaseError {
  static {
    // biome-ignore lint/complexity/noThisInStatic: its own name would make the bundler rename the class
    this.prototype.name = 'CircuitBreakerError'
  }
  /** Which state of the breaker refused. */
  readonly reason: RejectionReason
  declare readonly policy?: string
  declare readonly retryAfterMs?: number
  #breaker: Explaining | undefined
  #because: Because | undefined

  /**
   * Why: the rule that opened the breaker with its counts, what failed lately, and the generation of
   * the breaker, as they are when this is first read. `undefined` for an error that no breaker made, or whose breaker
   * was disposed of before.
   */
  get because(): Because | undefined {
    const breaker = this.#breaker
    this.#breaker = undefined
    try {
      if (breaker) this.#because = reasonOf(breaker.explain(), this.reason)
    } catch {
      // The breaker was disposed of meanwhile; nobody reads errors to get another.
    }
    return this.#because
  }

  constructor(
    message = 'Circuit breaker is open',
    reason: RejectionReason = 'open',
    policy?: string,
    retryAfterMs?: number,
    breaker?: Explaining,
  ) {
    super(message, 'DB_CONNECTION_FAILED')
    this.reason = reason
    this.#breaker = breaker
    if (policy !== undefined) this.policy = policy
    if (retryAfterMs !== undefined) this.retryAfterMs = retryAfterMs
  }
}

const limits: { stackTraceLimit?: number | undefined } = Error
let limitIsFixed = false

/** Makes an error whose stack is its headline alone. */
export function stackless<E extends Error>(make: () => E, headline: string): E {
  if (limitIsFixed) return make()
  const limit = limits.stackTraceLimit
  try {
    limits.stackTraceLimit = undefined
  } catch {
    // Under --frozen-intrinsics the limit is nobody's to change.
    limitIsFixed = true
    return make()
  }
  try {
    const error = make()
    error.stack = headline
    return error
  } finally {
    limits.stackTraceLimit = limit
  }
}

/** The last refusal of the engine, in words. */
export function optionProblem(where: string, options: object, engine: OptionProblem): OptionError {
  const option = engine.problemField()
  const got = describe(read(options, option))
  const must = rules[engine.problemRule()]?.(engine.problemLimit(), engine.problemOther())
  return new OptionError(`${where}: \`${option}\` ${must ?? 'is not valid'}, got ${got}`, option)
}

/** What an option must be, by the number of the rule in `core/src/options.rs`. */
const rules: Record<number, (limit: number, other: string) => string> = {
  1: limit => `must be a whole number of at least ${limit}`,
  2: limit => `must be a number of at least ${limit}`,
  3: limit => `must be a number above ${limit}`,
  4: limit => `must be at most ${limit}`,
  5: () => 'must be above 0 and at most 1',
  6: () => 'must be from 0 to 1',
  7: (_, other) => `must not be less than \`${other}\``,
  8: (_, other) => `must not be set together with \`${other}\``,
  9: (_, other) => `may be set only together with \`${other}\``,
  10: () => 'must not be empty',
  11: () => 'must grow from entry to entry',
  12: () => 'must be one of the documented values',
  13: () => 'is in use with other options; one name is one breaker with one set of options',
  14: (_, other) => `must stand outside \`${other}\` in \`order\``,
  15: () => 'must be addresses, or ranges of them such as "10.0.0.0/8"',
}

function read(options: object, path: string): unknown {
  let value: unknown = options
  for (const key of path.split('.')) value = (value as Record<string, unknown> | undefined)?.[key]
  return value
}

/** A value in an error message: short, and never throwing. */
export function describe(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value))
    return value.length > 8 ? `an array of ${value.length}` : `[${value.map(describe).join(', ')}]`
  if (typeof value === 'object' && value !== null) return 'an object'
  return String(value)
}

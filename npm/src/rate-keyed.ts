import type { CallContext } from './context.js'
import { call, Listeners } from './events.js'
import type { Gate } from './gate.js'
import { rejecting } from './gate.js'
import { updated } from './options.js'
import { failed, type Outcome, succeeded } from './outcome.js'
import { type AcquireOptions, learnFrom, limited, waited } from './rate-limiter.js'
import {
  Line,
  NOBODY,
  type RateDecision,
  type RateExplanation,
  RateGroup,
  type RateLimiterEvents,
} from './rate-line.js'
import {
  checkRate,
  type RateCallOptions,
  type RateLimiterOptions,
  weightOf,
} from './rate-options.js'

/** What each key is allowed, and how many keys are kept. */
export interface KeyedRateLimiterOptions extends RateLimiterOptions {
  /** The most keys it keeps. Default 10,000. */
  max?: number | undefined
  /** A key nobody used for this long goes as others come. In milliseconds, default 600,000. */
  idleMs?: number | undefined
  /** Called with each key that was let go. */
  onEvict?: ((key: string) => void) | undefined
}

let lineOf: (limiter: KeyedRateLimiter, key: string) => Line

/** The limit of one key as part of a pipeline; every call takes one permit. @internal */
export function keyedRateLimiterGate(limiter: KeyedRateLimiter, key: string): Gate {
  return {
    enter: call => lineOf(limiter, key).enter(1, limiter.maxWaitMs ?? 0, call),
    leave: () => {},
  }
}

const KEYED = { max: 'number', idleMs: 'number', onEvict: 'function' } as const

/**
 * A rate limiter for each key (a user, a host, a tenant), as many as there is room for.
 *
 * When there is no room for a new key, one that was not used lately is let go; one that has all its
 * permits before one that has not. A million keys seen stay within `max`, and nothing needs a timer.
 *
 * @example
 * ```ts
 * import { KeyedRateLimiter } from 'seawall'
 *
 * const users = new KeyedRateLimiter({ limit: 5, perMs: 1000, max: 50_000 })
 * const decision = users.tryAcquire('alice')
 * if (!decision.ok) console.log(`alice: come back in ${decision.retryAfterMs} ms`)
 * console.log(await users.execute('bob', async () => 'an answer'), users.size)
 * ```
 */
export class KeyedRateLimiter implements Disposable {
  static {
    lineOf = (limiter, key) => limiter.#line(key)
  }

  readonly #group: RateGroup
  readonly #lines = new Map<string, Line>()
  readonly #keys = new Map<number, string>()
  readonly #onEvict: ((key: string) => void) | undefined

  /** @throws OptionError for an option that is unknown, of a wrong type or out of range. */
  constructor(options: KeyedRateLimiterOptions) {
    checkRate('KeyedRateLimiter', options, KEYED)
    const { max = 10_000, idleMs = 600_000, onEvict, ...rest } = options
    this.#onEvict = onEvict
    this.#group = new RateGroup('KeyedRateLimiter', this, rest, max, idleMs)
  }

  /** The longest wait in line, if it was given. */
  get maxWaitMs(): number | undefined {
    return this.#group.options.maxWaitMs
  }

  /** {@link RateLimiter.execute} of `key`. */
  execute<T>(
    key: string,
    fn: (context: CallContext) => PromiseLike<T> | T,
    options?: RateCallOptions,
  ): Promise<T> {
    return this.#group.handle < 0
      ? rejecting(this.#group.disposed())
      : limited(this.#group, this.#line(key), fn, options)
  }

  /** {@link RateLimiter.tryExecute} of `key`. */
  tryExecute<T>(
    key: string,
    fn: (context: CallContext) => PromiseLike<T> | T,
    options?: RateCallOptions,
  ): Promise<Outcome<T>> {
    return this.execute(key, fn, options).then<Outcome<T>, Outcome<T>>(succeeded, failed)
  }

  /** {@link RateLimiter.tryAcquire} of `key`. */
  tryAcquire(key: string, weight?: number): RateDecision {
    return this.#line(key).decide(weightOf(weight))
  }

  /** {@link RateLimiter.acquire} of `key`. */
  acquire(key: string, weight?: number, options?: AcquireOptions): Promise<void> {
    return this.#group.handle < 0
      ? rejecting(this.#group.disposed())
      : waited(this.#group, this.#line(key), weight, options)
  }

  /** {@link RateLimiter.hold} of `key`. */
  hold(key: string, untilMs: number): void {
    if (untilMs > 0) this.#line(key).hold(untilMs)
  }

  /** {@link RateLimiter.release} of `key`. */
  release(key: string): void {
    this.#lines.get(key)?.hold(0)
  }

  /** {@link RateLimiter.learn} of `key`. */
  learn(key: string, failure: unknown): boolean {
    return learnFrom(this.#group, this.#line(key), failure)
  }

  /** {@link RateLimiter.explain} of `key`; `undefined` where it is not known. */
  explain(key: string): RateExplanation | undefined {
    return this.#lines.get(key)?.explain()
  }

  /** {@link RateLimiter.update} of all keys, those to come included. */
  update(options: Partial<Omit<RateLimiterOptions, 'clock'>>): void {
    checkRate('KeyedRateLimiter', options as RateLimiterOptions)
    this.#group.update(updated(this.#group.options, options))
    for (const line of this.#lines.values()) line.wake()
  }

  /** Whether `key` is known. */
  has(key: string): boolean {
    return this.#lines.has(key)
  }

  /** Lets `key` go; whether it was known. Those in its line are refused. */
  delete(key: string): boolean {
    const line = this.#lines.get(key)
    if (line === undefined) return false
    this.#group.engine.rateRemove(this.#group.live, line.id)
    this.#forget(key, line)
    return true
  }

  /** How many keys there are. */
  get size(): number {
    return this.#lines.size
  }

  /** The keys. */
  keys(): IterableIterator<string> {
    return this.#lines.keys()
  }

  /** Calls `listener` at each such event of any key until the function returned is called. */
  on<E extends keyof RateLimiterEvents>(
    event: E,
    listener: (detail: RateLimiterEvents[E]) => void,
  ): () => void {
    this.#group.listeners ??= new Listeners('KeyedRateLimiter')
    return this.#group.listeners.add(event, listener)
  }

  /** Lets all keys go; those in line are refused. Using it afterwards is an error. */
  [Symbol.dispose](): void {
    if (this.#group.handle < 0) return
    this.#group.free(this)
    for (const line of this.#lines.values()) line.end(() => this.#group.disposed())
    this.#lines.clear()
    this.#keys.clear()
  }

  #line(key: string): Line {
    return this.#lines.get(key) ?? this.#make(key)
  }

  #make(key: string): Line {
    const { engine, live, clock } = this.#group
    const id = engine.rateAdd(live, clock.now())
    // All is in its place before anybody hears of it: who hears may ask for a key himself.
    const evicted: [key: string, line: Line][] = []
    for (let gone = engine.rateGone(live); gone >= 0; gone = engine.rateGone(live)) {
      const old = this.#keys.get(gone)
      const line = old === undefined ? undefined : this.#lines.get(old)
      if (old === undefined || line === undefined) continue
      this.#remove(old, line)
      evicted.push([old, line])
    }
    const line = new Line(this.#group, id, key)
    this.#lines.set(key, line)
    this.#keys.set(id, key)
    const onEvict = this.#onEvict
    for (const [old, gone] of evicted) {
      gone.evict()
      if (onEvict) call(() => onEvict(old), 'KeyedRateLimiter: `onEvict`')
    }
    return line
  }

  #forget(key: string, line: Line): void {
    this.#remove(key, line)
    line.evict()
  }

  #remove(key: string, line: Line): void {
    this.#lines.delete(key)
    this.#keys.delete(line.id)
    line.id = NOBODY
  }
}

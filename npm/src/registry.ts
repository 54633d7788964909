import type { ExecuteOptions } from './breaker/events.js'
import { breakerHandle, CircuitBreaker } from './breaker/index.js'
import type { CircuitBreakerOptions } from './breaker/options.js'
import { Handles } from './engine/handles.js'
import { policyEngine } from './engine/policies/index.js'
import { optionProblem, SeawallError } from './errors.js'
import { call } from './events.js'
import { check } from './options.js'

/** How many breakers a registry keeps, and what they are like. */
export interface BreakerRegistryOptions {
  /** The most breakers it keeps. Default 10,000. */
  max?: number | undefined
  /** A breaker nobody used for this long goes as others come. In milliseconds, default 600,000. */
  idleMs?: number | undefined
  /**
   * What each breaker is made with, or a function of its key that answers that. With a `name`, each
   * is known to the whole process as `name:key`.
   */
  breaker?: CircuitBreakerOptions | ((key: string) => CircuitBreakerOptions) | undefined
  /** Called with the key of each breaker that was let go. */
  onEvict?: ((key: string) => void) | undefined
}

const handles = new Handles(handle => policyEngine().registryFree(handle))

/**
 * A breaker for each key (a host, a route, a tenant), as many as there is room for.
 *
 * When there is no room for a new key, one that was not used lately is let go, a closed one before
 * any that is not. A million keys seen stay within `max`, and nothing needs a timer.
 *
 * @example
 * ```ts
 * import { BreakerRegistry } from 'seawall'
 *
 * const hosts = new BreakerRegistry({ max: 1000, breaker: { threshold: 3, resetTimeMs: 5000 } })
 * const answer = await hosts.execute('db-1.internal', async () => 'an answer')
 * console.log(answer, hosts.size)
 * ```
 */
export class BreakerRegistry implements Disposable {
  readonly #breakers = new Map<string, CircuitBreaker>()
  readonly #keys = new Map<number, string>()
  readonly #options: BreakerRegistryOptions
  #handle: number

  /** @throws OptionError for an option that is unknown, of a wrong type or out of range. */
  constructor(options: BreakerRegistryOptions = {}) {
    check('BreakerRegistry', options, {
      max: 'number',
      idleMs: 'number',
      breaker: 'any',
      onEvict: 'function',
    })
    const e = policyEngine()
    this.#options = options
    this.#handle = e.registryNew(options.max ?? 10_000, options.idleMs ?? 600_000)
    if (this.#handle < 0) throw optionProblem('BreakerRegistry', options, e)
    handles.watch(this, this.#handle)
    // Bad options of the breakers are found here rather than at the first call.
    if (typeof options.breaker === 'object')
      new CircuitBreaker({ ...options.breaker, name: undefined })[Symbol.dispose]()
  }

  /** The breaker of `key`, made if there is none. It stays usable after it was let go. */
  get(key: string): CircuitBreaker {
    return this.#breakers.get(key) ?? this.#make(key)
  }

  /** {@link CircuitBreaker.execute} of the breaker of `key`. */
  execute<T>(key: string, fn: () => PromiseLike<T> | T, options?: ExecuteOptions): Promise<T> {
    return this.get(key).execute(fn, options)
  }

  /** Whether there is a breaker of `key`. */
  has(key: string): boolean {
    return this.#breakers.has(key)
  }

  /** Lets the breaker of `key` go; whether there was one. */
  delete(key: string): boolean {
    const breaker = this.#breakers.get(key)
    if (breaker === undefined) return false
    const handle = breakerHandle(breaker)
    this.#breakers.delete(key)
    this.#keys.delete(handle)
    policyEngine().registryRemove(this.#handle, handle)
    return true
  }

  /** How many breakers there are. */
  get size(): number {
    return this.#breakers.size
  }

  /** The keys and their breakers. */
  [Symbol.iterator](): IterableIterator<[string, CircuitBreaker]> {
    return this.#breakers.entries()
  }

  /** Lets all breakers go. Using the registry afterwards is an error. */
  [Symbol.dispose](): void {
    if (this.#handle < 0) return
    handles.release(this, this.#handle)
    this.#handle = -1
    this.#breakers.clear()
    this.#keys.clear()
  }

  #make(key: string): CircuitBreaker {
    if (this.#handle < 0) {
      throw new SeawallError('SEAWALL_DISPOSED', 'BreakerRegistry: used after it was disposed')
    }
    const { breaker: given, onEvict } = this.#options
    const options = typeof given === 'function' ? given(key) : given
    const breaker = new CircuitBreaker(
      options?.name === undefined ? options : { ...options, name: `${options.name}:${key}` },
    )
    const handle = breakerHandle(breaker)
    this.#breakers.set(key, breaker)
    this.#keys.set(handle, key)
    for (const gone of Array.from(
      policyEngine().registryAdd(this.#handle, handle, performance.now()),
    )) {
      const old = this.#keys.get(gone)
      if (old === undefined) continue
      this.#keys.delete(gone)
      this.#breakers.delete(old)
      if (onEvict) call(() => onEvict(old), 'BreakerRegistry: `onEvict`')
    }
    return breaker
  }
}

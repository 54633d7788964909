import type { LRUCache } from 'lru-cache'
import { lru } from '#lru'
import { type Clock, systemClock } from './clock.js'
import type { CallContext } from './context.js'
import { policyEngine } from './engine/policies/index.js'
import { optionProblem, SeawallError } from './errors.js'
import { call } from './events.js'
import { rejecting } from './gate.js'
import { check } from './options.js'
import { countCalls, Policy, retirePolicy } from './policy.js'
import type { PolicyOptions } from './policy-options.js'
import type { PolicyCall } from './policy-run.js'

/** How many policies a registry keeps, and what they are made of. */
export interface PolicyRegistryOptions {
  /**
   * What each policy is made of, or a function of its key that answers that. A part given as an
   * object (a budget, a limiter) is shared by all keys.
   */
  policy: PolicyOptions | ((key: string) => PolicyOptions)
  /** The most policies it keeps; a whole number from 1. Default 10,000. */
  max?: number | undefined
  /** A policy nobody used for this long is let go. In ms, above 0; `Infinity` keeps all. Default 600,000. */
  idleMs?: number | undefined
  /** Called with the key of each policy that was let go for want of room or use. */
  onEvict?: ((key: string) => void) | undefined
  /** Where the time for `idleMs` comes from, and that of policies without a clock. Default the runtime's. */
  clock?: Clock | undefined
}

/**
 * A policy for each key (a host, a route, a tenant), as many as there is room for. The one used
 * longest ago goes when a new one needs its place; nothing needs a timer.
 *
 * @example
 * ```ts
 * import { PolicyRegistry } from 'seawall'
 *
 * const hosts = new PolicyRegistry({
 *   max: 1000,
 *   policy: { breaker: { threshold: 5 }, bulkhead: { maxConcurrent: 20 } },
 * })
 * const answer = await hosts.execute('db-1.internal', async () => 'an answer')
 * console.log(answer, hosts.size)
 * ```
 */
export class PolicyRegistry implements Disposable {
  readonly #options: PolicyRegistryOptions
  readonly #policies: LRUCache<string, Policy>
  #disposed = false

  /** @throws OptionError for an option that is unknown, of a wrong type or out of range. */
  constructor(options: PolicyRegistryOptions) {
    check('PolicyRegistry', options, {
      policy: 'any',
      max: 'integer',
      idleMs: 'number',
      onEvict: 'function',
      clock: 'object',
    })
    const { max = 10_000, idleMs = 600_000, policy, onEvict, clock = systemClock } = options
    const e = policyEngine()
    const allowed = e.registryNew(max, idleMs)
    if (allowed < 0) throw optionProblem('PolicyRegistry', options, e)
    e.registryFree(allowed)
    this.#options = options
    this.#policies = new (lru())({
      // Not `max`, for which the library takes all memory at once.
      maxSize: max,
      sizeCalculation: () => 1,
      // In whole ms, and 0 for no end.
      ttl: idleMs === Number.POSITIVE_INFINITY ? 0 : Math.ceil(idleMs),
      updateAgeOnGet: true,
      // Not 0, which to the library is no time.
      ttlResolution: 0,
      perf: { now: () => clock.now() + 1 },
      dispose: (gone, key, reason) => {
        const evicted = reason === 'evict' || reason === 'expire'
        // Calls under way may have repetitions before them, or wait in a queue.
        if (evicted) retirePolicy(gone)
        else gone[Symbol.dispose]()
        if (evicted && onEvict) call(() => onEvict(key), 'PolicyRegistry: `onEvict`')
      },
    })
    // Bad options of the policies are found here rather than at the first call.
    if (typeof policy !== 'function') new Policy(unnamed(policy))[Symbol.dispose]()
  }

  /**
   * The policy of `key`, made if there is none. Once it is let go and its calls have ended, it is
   * disposed of.
   */
  get(key: string): Policy {
    return this.#policies.get(key) ?? this.#make(key)
  }

  /** {@link Policy.execute} of the policy of `key`. */
  execute<T>(
    key: string,
    fn: (context: CallContext) => PromiseLike<T> | T,
    options?: PolicyCall,
  ): Promise<T> {
    let found: Policy
    try {
      found = this.get(key)
    } catch (error) {
      return rejecting(error)
    }
    return found.execute(fn, options)
  }

  /** Whether there is a policy of `key`. */
  has(key: string): boolean {
    return this.#policies.has(key)
  }

  /** Lets the policy of `key` go; whether there was one. */
  delete(key: string): boolean {
    return this.#policies.delete(key)
  }

  /** How many policies there are, those included that are idle for too long and not yet let go. */
  get size(): number {
    return this.#policies.size
  }

  /** The keys and their policies, the one used last first. */
  [Symbol.iterator](): IterableIterator<[string, Policy]> {
    return this.#policies.entries()
  }

  /** Lets all policies go. Using the registry afterwards is an error. */
  [Symbol.dispose](): void {
    this.#disposed = true
    this.#policies.clear()
  }

  #make(key: string): Policy {
    if (this.#disposed) {
      throw new SeawallError('SEAWALL_DISPOSED', 'PolicyRegistry: used after it was disposed')
    }
    const { policy, clock } = this.#options
    const options = typeof policy === 'function' ? policy(key) : policy
    const made = new Policy({ ...(clock && { clock }), ...named(options, key) })
    countCalls(made)
    this.#policies.set(key, made)
    return made
  }
}

/** Options whose breaker has a name of its own: one for each key. */
function named(options: PolicyOptions, key: string): PolicyOptions {
  const { breaker } = options
  if (breaker?.name === undefined || 'execute' in breaker) return options
  return { ...options, breaker: { ...breaker, name: `${breaker.name}:${key}` } }
}

function unnamed(options: PolicyOptions): PolicyOptions {
  const { breaker } = options
  if (breaker === undefined || 'execute' in breaker) return options
  return { ...options, breaker: { ...breaker, name: undefined } }
}

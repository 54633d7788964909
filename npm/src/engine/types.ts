import type { AdaptiveEngine } from './contract/adaptive.js'
import type { BackoffEngine } from './contract/backoff.js'
import type { BreakerEngine } from './contract/breaker.js'
import type { BudgetEngine } from './contract/budget.js'
import type { BulkheadEngine } from './contract/bulkhead.js'
import type { CacheEngine } from './contract/cache.js'
import type { CauseEngine } from './contract/causes.js'
import type { ChaosEngine } from './contract/chaos.js'
import type { ClassifyEngine } from './contract/classify.js'
import type { HedgeEngine } from './contract/hedge.js'
import type { HttpEngine } from './contract/http.js'
import type { IdempotencyEngine } from './contract/idempotency.js'
import type { OptionProblem } from './contract/options.js'
import type { PeriodicEngine } from './contract/periodic.js'
import type { PolicyEngine } from './contract/policy.js'
import type { PoolEngine } from './contract/pool.js'
import type { PriorityEngine } from './contract/priority.js'
import type { RateEngine } from './contract/rate.js'
import type { RegistryEngine } from './contract/registry.js'
import type { RetryEngine } from './contract/retry.js'
import type { ThrottleEngine } from './contract/throttle.js'
import type { TimeoutEngine } from './contract/timeout.js'

/**
 * What every engine can do: the functions of `node-binding` and `wasm-binding`, under the same
 * names, each described beside the policy it serves. Numbers cross, sentences do not. What is about
 * a process and not about a call stands in `process/types.ts`.
 */
export interface Engine
  extends OptionProblem,
    BreakerEngine,
    RegistryEngine,
    CacheEngine,
    CauseEngine,
    AdaptiveEngine,
    BackoffEngine,
    RetryEngine,
    RateEngine,
    ThrottleEngine,
    BudgetEngine,
    PeriodicEngine,
    ChaosEngine,
    ClassifyEngine,
    HttpEngine,
    IdempotencyEngine,
    PoolEngine,
    PolicyEngine,
    TimeoutEngine,
    HedgeEngine,
    BulkheadEngine,
    PriorityEngine {
  /** Which build decides. */
  readonly kind: 'native' | 'wasm'
  /** Why that one; in runtimes that load no addons there is no other. */
  readonly reason?: string
}

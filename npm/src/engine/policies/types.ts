import type { AdaptiveEngine } from '../contract/adaptive.js'
import type { BudgetEngine } from '../contract/budget.js'
import type { BulkheadEngine } from '../contract/bulkhead.js'
import type { CacheEngine } from '../contract/cache.js'
import type { ChaosEngine } from '../contract/chaos.js'
import type { CoalesceEngine } from '../contract/coalesce.js'
import type { HedgeEngine } from '../contract/hedge.js'
import type { HttpEngine } from '../contract/http.js'
import type { IdempotencyEngine } from '../contract/idempotency.js'
import type { OptionProblem } from '../contract/options.js'
import type { PeriodicEngine } from '../contract/periodic.js'
import type { PolicyEngine } from '../contract/policy.js'
import type { PoolEngine } from '../contract/pool.js'
import type { PriorityEngine } from '../contract/priority.js'
import type { RateEngine } from '../contract/rate.js'
import type { RegistryEngine } from '../contract/registry.js'
import type { ThrottleEngine } from '../contract/throttle.js'
import type { TimeoutEngine } from '../contract/timeout.js'

/**
 * The part of the engine with what there is beside breakers, schedules and repetition. In WASM it is a file of
 * its own that works on the memory, and with the functions, of the first; the addon is one for all.
 */
export interface PoliciesEngine
  extends OptionProblem,
    AdaptiveEngine,
    BudgetEngine,
    BulkheadEngine,
    CacheEngine,
    ChaosEngine,
    CoalesceEngine,
    HedgeEngine,
    HttpEngine,
    IdempotencyEngine,
    PeriodicEngine,
    PolicyEngine,
    PoolEngine,
    PriorityEngine,
    RateEngine,
    RegistryEngine,
    ThrottleEngine,
    TimeoutEngine {
  /** Which build decides. */
  readonly kind: 'native' | 'wasm'
}

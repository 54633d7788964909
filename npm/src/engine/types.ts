import type { AdaptiveEngine } from './contract/adaptive.js'
import type { BackoffEngine } from './contract/backoff.js'
import type { BalanceEngine } from './contract/balance.js'
import type { BreakerEngine } from './contract/breaker.js'
import type { BudgetEngine } from './contract/budget.js'
import type { BulkheadEngine } from './contract/bulkhead.js'
import type { CacheEngine } from './contract/cache.js'
import type { CauseEngine } from './contract/causes.js'
import type { ChaosEngine } from './contract/chaos.js'
import type { ClassifyEngine } from './contract/classify.js'
import type { DrainEngine } from './contract/drain.js'
import type { HealthEngine } from './contract/health.js'
import type { HedgeEngine } from './contract/hedge.js'
import type { HttpEngine } from './contract/http.js'
import type { IdempotencyEngine } from './contract/idempotency.js'
import type { LifecycleEngine } from './contract/lifecycle.js'
import type { OptionProblem } from './contract/options.js'
import type { PeriodicEngine } from './contract/periodic.js'
import type { PolicyEngine } from './contract/policy.js'
import type { PoolEngine } from './contract/pool.js'
import type { PressureEngine } from './contract/pressure.js'
import type { PriorityEngine } from './contract/priority.js'
import type { ProbeEngine } from './contract/probes.js'
import type { RateEngine } from './contract/rate.js'
import type { ReconnectEngine } from './contract/reconnect.js'
import type { RegistryEngine } from './contract/registry.js'
import type { RetryEngine } from './contract/retry.js'
import type { SamplerEngine } from './contract/sampler.js'
import type { ThrottleEngine } from './contract/throttle.js'
import type { TimeoutEngine } from './contract/timeout.js'

/**
 * What every engine can do: the functions of `node-binding` and `wasm-binding`, under the same
 * names, each described beside the policy it serves. Numbers cross, sentences do not.
 */
export interface Engine
  extends OptionProblem,
    BreakerEngine,
    ReconnectEngine,
    RegistryEngine,
    CacheEngine,
    CauseEngine,
    AdaptiveEngine,
    BackoffEngine,
    RetryEngine,
    RateEngine,
    ThrottleEngine,
    BalanceEngine,
    BudgetEngine,
    PeriodicEngine,
    ChaosEngine,
    ClassifyEngine,
    DrainEngine,
    HealthEngine,
    HttpEngine,
    IdempotencyEngine,
    LifecycleEngine,
    PoolEngine,
    PolicyEngine,
    ProbeEngine,
    PressureEngine,
    TimeoutEngine,
    HedgeEngine,
    BulkheadEngine,
    PriorityEngine,
    SamplerEngine {
  /** Which build decides. */
  readonly kind: 'native' | 'wasm'
}

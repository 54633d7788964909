import type { BackoffEngine } from './contract/backoff.js'
import type { BreakerEngine } from './contract/breaker.js'
import type { CauseEngine } from './contract/causes.js'
import type { ChaosEngine } from './contract/chaos.js'
import type { ClassifyEngine } from './contract/classify.js'
import type { HealthEngine } from './contract/health.js'
import type { HttpEngine } from './contract/http.js'
import type { IdempotencyEngine } from './contract/idempotency.js'
import type { OptionProblem } from './contract/options.js'
import type { PeriodicEngine } from './contract/periodic.js'
import type { PolicyEngine } from './contract/policy.js'
import type { PoolEngine } from './contract/pool.js'
import type { RegistryEngine } from './contract/registry.js'
import type { RetryEngine } from './contract/retry.js'

/**
 * What every engine can do: the functions of `node-binding` and `wasm-binding`, under the same
 * names, each described beside the policy it serves. Numbers cross, sentences do not.
 */
export interface Engine
  extends OptionProblem,
    BreakerEngine,
    RegistryEngine,
    CauseEngine,
    BackoffEngine,
    RetryEngine,
    PeriodicEngine,
    ChaosEngine,
    ClassifyEngine,
    HealthEngine,
    HttpEngine,
    IdempotencyEngine,
    PoolEngine,
    PolicyEngine {
  /** Which build decides. */
  readonly kind: 'native' | 'wasm'
}

import type { BalanceEngine } from '../contract/balance.js'
import type { DrainEngine } from '../contract/drain.js'
import type { HealthEngine } from '../contract/health.js'
import type { HttpFrontEngine } from '../contract/http-front.js'
import type { LifecycleEngine } from '../contract/lifecycle.js'
import type { OptionProblem } from '../contract/options.js'
import type { PressureEngine } from '../contract/pressure.js'
import type { ProbeEngine } from '../contract/probes.js'
import type { ReconnectEngine } from '../contract/reconnect.js'
import type { RefusalEngine } from '../contract/refusals.js'
import type { RelayEngine } from '../contract/relay.js'
import type { SamplerEngine } from '../contract/sampler.js'

/**
 * The part of the engine that is about a process and not about a call. In WASM it is a file of its
 * own, with refused options and handles of its own; the addon is one for both parts.
 */
export interface ProcessEngine
  extends OptionProblem,
    BalanceEngine,
    DrainEngine,
    HealthEngine,
    LifecycleEngine,
    PressureEngine,
    ProbeEngine,
    ReconnectEngine,
    RefusalEngine,
    RelayEngine,
    HttpFrontEngine,
    SamplerEngine {
  /** Which build decides. */
  readonly kind: 'native' | 'wasm'
}

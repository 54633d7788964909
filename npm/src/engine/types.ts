import type { BackoffEngine } from './contract/backoff.js'
import type { BreakerEngine } from './contract/breaker.js'
import type { CauseEngine } from './contract/causes.js'
import type { OptionProblem } from './contract/options.js'
import type { RetryEngine } from './contract/retry.js'

/**
 * What every engine can do: the functions of `node-binding` and `wasm-binding`, under the same
 * names, each described beside the policy it serves. Numbers cross, sentences do not. These are the
 * breakers, the schedules and repetition; see also `policies/types.ts` and `process/types.ts`.
 */
export interface Engine
  extends OptionProblem,
    BreakerEngine,
    CauseEngine,
    BackoffEngine,
    RetryEngine {
  /** Which build decides. */
  readonly kind: 'native' | 'wasm'
  /** Why that one; in runtimes that load no addons there is no other. */
  readonly reason?: string
}

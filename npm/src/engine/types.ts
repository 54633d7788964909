import type { BreakerEngine } from './contract/breaker.js'
import type { CauseEngine } from './contract/causes.js'
import type { OptionProblem } from './contract/options.js'

/**
 * What every engine can do: the functions of `node-binding` and `wasm-binding`, under the same
 * names, each described beside the policy it serves. Numbers cross, sentences do not.
 */
export interface Engine extends OptionProblem, BreakerEngine, CauseEngine {
  /** Which build decides. */
  readonly kind: 'native' | 'wasm'
}

import type { Classification } from './contract/classify.js'
import type { OptionProblem } from './contract/options.js'

/**
 * What every engine can do: the functions of `node-binding` and `wasm-binding`, under the same
 * names, each described beside the policy it serves. Numbers cross, sentences do not.
 */
export interface Engine extends Classification, OptionProblem {
  /** Which build decides. */
  readonly kind: 'native' | 'wasm'
}

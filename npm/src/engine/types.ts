import type { OptionProblem } from './contract/options.js'

/**
 * What every engine can do: the functions of `node-binding` and `wasm-binding`, under the same
 * names, each described beside the policy it serves. Numbers cross, sentences do not.
 */
export interface Engine extends OptionProblem {
  /** Which build decides. */
  readonly kind: 'native' | 'wasm'
}

import type { ClassifyEngine } from '../contract/classify.js'

/**
 * The part of the engine that knows what failures mean. In WASM it is a file of its own, loaded when
 * the first failure is to be understood; the addon is one for all parts.
 */
export interface Classifier extends ClassifyEngine {
  /** Which build decides. */
  readonly kind: 'native' | 'wasm'
}

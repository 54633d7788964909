import type { Classifier } from './types.js'
import * as glue from './wasm-glue.js'

/** As `instantiate` of the engine's first part, of another file. */
export function instantiate(module: WebAssembly.Module): Classifier {
  glue.initSync({ module })
  return Object.assign({ kind: 'wasm' as const }, glue as unknown as Omit<Classifier, 'kind'>)
}

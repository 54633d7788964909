import { chooseBundled } from '../bundled-parts.js'
import type { Classifier } from './types.js'
import { instantiate } from './wasm.js'
import { bytes } from './wasm-bytes.js'

/** As `load` of the engine's first part. */
export function load(): Classifier {
  return chooseBundled(() => instantiate(new WebAssembly.Module(bytes() as BufferSource)))
}

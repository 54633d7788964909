import { chooseBundled } from '../bundled-parts.js'
import type { ProcessEngine } from './types.js'
import { instantiate } from './wasm.js'
import { bytes } from './wasm-bytes.js'

/** As `load` of the engine's other part. */
export function load(): ProcessEngine {
  return chooseBundled(() => instantiate(new WebAssembly.Module(bytes() as BufferSource)))
}

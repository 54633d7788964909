import { chooseBundled } from '../bundled-parts.js'
import type { PoliciesEngine } from './types.js'
import { instantiate } from './wasm.js'
import { bytes } from './wasm-bytes.js'

/** As `load` of the engine's first part. */
export function load(): PoliciesEngine {
  return chooseBundled(() => instantiate(new WebAssembly.Module(bytes() as BufferSource)))
}

import { chooseBundled } from './bundled-parts.js'
import type { Engine } from './types.js'
import { instantiate } from './wasm.js'
import { bytes } from './wasm-bytes.js'

/**
 * For programs of Node that were bundled into one file: nothing of this package lies beside that, so
 * the WASM build comes with it, and the addon is taken where it is installed.
 */
export function load(): Engine {
  return chooseBundled(() => instantiate(new WebAssembly.Module(bytes() as BufferSource)))
}

import type { PoliciesEngine } from './types.js'
import { instantiate } from './wasm.js'
import { bytes } from './wasm-bytes.js'

/** For browsers and any other runtime: the WASM build carried inside the package. */
export function load(): PoliciesEngine {
  return instantiate(new WebAssembly.Module(bytes() as BufferSource))
}

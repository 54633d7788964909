// Plain JavaScript: how a `.wasm` file is imported is the bundler's word, not TypeScript's.
// In Workers the import is a compiled module; compiling one in a handler is refused there.
import module from '../../policies.wasm'
import { instantiate } from './wasm.js'

export function load() {
  return instantiate(module)
}

// Plain JavaScript: how a `.wasm` file is imported is the bundler's word, not TypeScript's.
// For Vercel's edge, and Next's, the import is a compiled module where the word is `?module` alone;
// compiling one there is refused.
import module from '../../policies.wasm?module'
import { instantiate } from './wasm.js'

export function load() {
  return instantiate(module)
}

// Plain JavaScript: TypeScript does not parse source phase imports.
// A source import asks for no permission, unlike reading the file.
import source module from '../../policies.wasm'
import { instantiate } from './wasm.js'

export function load() {
  return instantiate(module)
}

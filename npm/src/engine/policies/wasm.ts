import { exportsOfEngine } from '../wasm.js'
import type { PoliciesEngine } from './types.js'
import { glue } from './wasm-glue.js'

/** As `instantiate` of the engine's first part, which has been started before and which this one needs. */
export function instantiate(module: WebAssembly.Module): PoliciesEngine {
  const engine = exportsOfEngine()
  const { exports } = new WebAssembly.Instance(module, { engine })
  const { use, ...functions } = glue()
  use({ ...engine, ...exports })
  return Object.assign(
    { kind: 'wasm' as const },
    functions as unknown as Omit<PoliciesEngine, 'kind'>,
  )
}

import { initSync } from '../wasm-glue.js'
import type { PoliciesEngine } from './types.js'
import * as glue from './wasm-glue.js'

/** As `instantiate` of the engine's first part, which has been started before and which this one needs. */
export function instantiate(module: WebAssembly.Module): PoliciesEngine {
  const engine = initSync()
  const { exports } = new WebAssembly.Instance(module, { engine })
  glue.use({ ...engine, ...exports })
  const functions = glue as unknown as Omit<PoliciesEngine, 'kind'>
  return Object.assign({ kind: 'wasm' as const }, functions)
}

import type { ProcessEngine } from './types.js'
import * as glue from './wasm-glue.js'

/** As `instantiate` of the engine's other part, of another file. */
export function instantiate(module: WebAssembly.Module): ProcessEngine {
  const { memory } = glue.initSync({ module })
  const functions = glue as unknown as Omit<ProcessEngine, 'kind' | 'pressureMemory'>
  return Object.assign({ kind: 'wasm' as const, pressureMemory: () => memory }, functions)
}

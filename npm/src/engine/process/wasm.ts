import type { ProcessEngine } from './types.js'
import { glue } from './wasm-glue.js'

let made: ReturnType<typeof glue> | undefined

/** As `instantiate` of the engine's other part, of another file. */
export function instantiate(module: WebAssembly.Module): ProcessEngine {
  made ??= glue()
  const { initSync, ...rest } = made
  const { memory } = initSync({ module })
  const functions = rest as unknown as Omit<ProcessEngine, 'kind' | 'pressureMemory'>
  return Object.assign({ kind: 'wasm' as const, pressureMemory: () => memory }, functions)
}

import type { Engine } from './types.js'
import * as glue from './wasm-glue.js'

/** The engine of a compiled module; synchronous, so that `require('seawall')` works. */
export function instantiate(module: WebAssembly.Module): Engine {
  const { memory } = glue.initSync({ module })
  const functions = glue as unknown as Omit<Engine, 'kind' | 'breakerMemory'>
  // What JavaScript reads lies in the one memory, which the engine need not hand back.
  return Object.assign({ kind: 'wasm' as const, breakerMemory: () => memory }, functions)
}

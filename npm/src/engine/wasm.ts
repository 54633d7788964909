import type { Engine } from './types.js'
import { glue } from './wasm-glue.js'

let made: ReturnType<typeof glue> | undefined

/** The engine of a compiled module; synchronous, so that `require('seawall')` works. */
export function instantiate(module: WebAssembly.Module): Engine {
  made ??= glue()
  const { initSync, ...rest } = made
  const { memory } = initSync({ module })
  const functions = rest as unknown as Omit<Engine, 'kind' | 'breakerMemory'>
  // What JavaScript reads lies in the one memory, which the engine need not hand back.
  return Object.assign({ kind: 'wasm' as const, breakerMemory: () => memory }, functions)
}

/** What the engine exports, which has been started before. */
export function exportsOfEngine(): WebAssembly.Exports {
  return made?.initSync() ?? {}
}

import type { Classifier } from './types.js'
import { glue } from './wasm-glue.js'

let made: ReturnType<typeof glue> | undefined

/** As `instantiate` of the engine's first part, of another file. */
export function instantiate(module: WebAssembly.Module): Classifier {
  made ??= glue()
  const { initSync, ...functions } = made
  initSync({ module })
  return Object.assign({ kind: 'wasm' as const }, functions as unknown as Omit<Classifier, 'kind'>)
}

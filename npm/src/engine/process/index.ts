import { load } from '#process'
import type { ProcessEngine } from './types.js'

let loaded: ProcessEngine | undefined

/** The engine's part about the process, loaded at the first use: most programs never need it. */
export function processEngine(): ProcessEngine {
  loaded ??= load()
  return loaded
}

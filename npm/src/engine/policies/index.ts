import { load } from '#policies'
import { engine } from '../index.js'
import type { PoliciesEngine } from './types.js'

let loaded: PoliciesEngine | undefined

/** The engine's part beside breakers, schedules and repetition, loaded at the first use. */
export function policyEngine(): PoliciesEngine {
  if (loaded === undefined) {
    // In WASM the one lives in the memory of the other.
    engine()
    loaded = load()
  }
  return loaded
}

import { load } from '#engine'
import type { Engine } from './types.js'

let loaded: Engine | undefined

/** The engine of this runtime, loaded at the first use so that an import costs nothing. */
export function engine(): Engine {
  loaded ??= load()
  return loaded
}

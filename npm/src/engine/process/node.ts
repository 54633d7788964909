import { choose } from '../node.js'
import type { ProcessEngine } from './types.js'

/** From the build that {@link choose} chooses. */
export function load(): ProcessEngine {
  return choose('process')
}

import { choose } from '../node.js'
import type { PoliciesEngine } from './types.js'

/** From the build that {@link choose} chooses. */
export function load(): PoliciesEngine {
  return choose('policies')
}

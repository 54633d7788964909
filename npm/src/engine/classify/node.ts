import { choose } from '../node.js'
import type { Classifier } from './types.js'

/** From the build that {@link choose} chooses. */
export function load(): Classifier {
  return choose('classify')
}

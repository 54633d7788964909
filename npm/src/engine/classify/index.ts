import { load } from '#classify'
import type { Classifier } from './types.js'

let loaded: Classifier | undefined

/** The engine's part that knows what failures mean, loaded at the first use. */
export function classifier(): Classifier {
  loaded ??= load()
  return loaded
}

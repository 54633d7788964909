// The policies whose decision vectors are replayed by `replay` of `tools.mjs`, by their folders.
import { World as adaptive } from './adaptive.mjs'
import { World as budget } from './budget.mjs'
import { World as bulkhead } from './bulkhead.mjs'
import { World as cache } from './cache.mjs'
import { World as hedge } from './hedge.mjs'
import { World as policy } from './policy.mjs'
import { World as pressure } from './pressure.mjs'
import { World as rate } from './rate.mjs'
import { World as retry } from './retry.mjs'
import { World as throttle } from './throttle.mjs'
import { World as timeout } from './timeout.mjs'

export const WORLDS = {
  adaptive,
  budget,
  bulkhead,
  cache,
  hedge,
  policy,
  pressure,
  rate,
  retry,
  throttle,
  timeout,
}
export { replay } from './tools.mjs'

import type { Buffer } from 'node:buffer'
import { SeawallError } from '../errors.js'

/**
 * The class of what clients of Redis and memcached take and give. Looked up when it is needed: an
 * import would keep the other stores out of runtimes without it.
 *
 * @internal
 */
export function buffers(): typeof Buffer {
  const found = globalThis.Buffer ?? globalThis.process?.getBuiltinModule?.('node:buffer')?.Buffer
  if (found !== undefined) return found
  const message =
    'redisStore and memcachedStore of seawall/stores need the `Buffer` of Node (in Workers the flag `nodejs_compat`); a `Store` of your own, or `memoryStore`, does not'
  throw new SeawallError('SEAWALL_RUNTIME', message)
}

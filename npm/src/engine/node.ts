import { createRequire } from 'node:module'
import { SeawallError } from '../errors.js'
import type { Engine } from './types.js'

// The build puts this file into `dist/node/shared.js` as well: paths must hold from any folder of `dist`.

/**
 * The native addon where one fits the platform, else the WASM build.
 * `SEAWALL_ENGINE=native` and `SEAWALL_ENGINE=wasm` force one.
 *
 * Both are required when they are needed: the glue of the WASM build alone would double what an
 * import of the package costs.
 */
export function load(): Engine {
  const wanted = process.env.SEAWALL_ENGINE
  const require = createRequire(import.meta.url)
  const { loadNative } = require('../engine/native.js') as typeof import('./native.js')
  if (wanted === 'native') {
    try {
      return loadNative(require)
    } catch (cause) {
      const message = 'SEAWALL_ENGINE is "native", but no addon for this platform can be loaded'
      throw new SeawallError('SEAWALL_ENGINE', message, { cause })
    }
  }
  if (wanted === 'wasm') return loadWasm(require)
  if (wanted) {
    const message = `SEAWALL_ENGINE must be "native" or "wasm", got "${wanted}"`
    throw new SeawallError('SEAWALL_ENGINE', message)
  }
  try {
    return loadNative(require)
  } catch {
    return loadWasm(require)
  }
}

function loadWasm(require: NodeJS.Require): Engine {
  const { readFileSync } = require('node:fs') as typeof import('node:fs')
  const { instantiate } = require('../engine/wasm.js') as typeof import('./wasm.js')
  return instantiate(
    new WebAssembly.Module(readFileSync(new URL('../engine.wasm', import.meta.url))),
  )
}

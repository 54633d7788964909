import { createRequire } from 'node:module'
import { SeawallError } from '../errors.js'
import type { ProcessEngine } from './process/types.js'
import type { Engine } from './types.js'

// The build puts this file into `dist/node/shared.js` as well: paths must hold from any folder of `dist`.

/** The parts of the engine: the addon has both, in WASM each is a file. */
interface Parts {
  engine: Engine
  process: ProcessEngine
}

/** What starts the WASM of a part. */
const GLUE = { engine: 'wasm.js', process: 'process/wasm.js' }

/** What decides about calls. */
export function load(): Engine {
  return choose('engine')
}

/**
 * A part of the engine: of the native addon where one fits the platform, else the WASM build.
 * `SEAWALL_ENGINE=native` and `SEAWALL_ENGINE=wasm` force one.
 *
 * Both are required when they are needed: the glue of the WASM build alone would double what an
 * import of the package costs.
 */
export function choose<P extends keyof Parts>(part: P): Parts[P] {
  const wanted = process.env.SEAWALL_ENGINE
  const require = createRequire(import.meta.url)
  if (wanted === 'wasm') return loadWasm(require, part, 'SEAWALL_ENGINE is "wasm"')
  if (wanted && wanted !== 'native') {
    const message = `SEAWALL_ENGINE must be "native" or "wasm", got "${wanted}"`
    throw new SeawallError('SEAWALL_ENGINE', message)
  }
  const { loadNative } = require('../engine/native.js') as typeof import('./native.js')
  try {
    return loadNative(require)
  } catch (error) {
    const { message, cause = error } = error as Error
    if (wanted !== 'native') return loadWasm(require, part, message)
    throw new SeawallError('SEAWALL_ENGINE', `SEAWALL_ENGINE is "native", but ${message}`, {
      cause,
    })
  }
}

function loadWasm<P extends keyof Parts>(
  require: NodeJS.Require,
  part: P,
  reason: string,
): Parts[P] {
  const { readFileSync } = require('node:fs') as typeof import('node:fs')
  const { instantiate } = require(`../engine/${GLUE[part]}`) as {
    instantiate(module: WebAssembly.Module): Parts[P]
  }
  const bytes = readFileSync(new URL(`../${part}.wasm`, import.meta.url))
  return Object.assign(instantiate(new WebAssembly.Module(bytes)), { reason })
}

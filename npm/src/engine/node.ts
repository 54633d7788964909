import { createRequire } from 'node:module'
import { prefer } from './choice.js'
import type { Classifier } from './classify/types.js'
import type { PoliciesEngine } from './policies/types.js'
import type { ProcessEngine } from './process/types.js'
import type { Engine } from './types.js'

// The build puts this file into `dist/node/shared.js` as well: paths must hold from any folder of `dist`.

/** The parts of the engine: the addon has all, in WASM each is a file. */
interface Parts {
  engine: Engine
  policies: PoliciesEngine
  classify: Classifier
  process: ProcessEngine
}

/** What starts the WASM of a part. */
const GLUE = {
  engine: 'wasm.js',
  policies: 'policies/wasm.js',
  classify: 'classify/wasm.js',
  process: 'process/wasm.js',
}

/** Breakers, schedules and repetition. */
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
  const require = createRequire(import.meta.url)
  const native = () => {
    const { loadNative } = require('../engine/native.js') as typeof import('./native.js')
    return loadNative(require)
  }
  return prefer(native, reason => loadWasm(require, part, reason))
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

import { readFileSync } from 'node:fs'
import { loadNative } from './native.js'
import type { Engine } from './types.js'
import { instantiate } from './wasm.js'

/**
 * The native addon where one fits the platform, else the WASM build.
 * `SEAWALL_ENGINE=native` and `SEAWALL_ENGINE=wasm` force one.
 */
export function load(): Engine {
  const wanted = process.env.SEAWALL_ENGINE
  if (wanted === 'native') return loadNative()
  if (wanted === 'wasm') return loadWasm()
  if (wanted) throw new TypeError(`SEAWALL_ENGINE must be "native" or "wasm", got "${wanted}"`)
  try {
    return loadNative()
  } catch {
    return loadWasm()
  }
}

function loadWasm(): Engine {
  return instantiate(new WebAssembly.Module(readFileSync(new URL('../engine.wasm', import.meta.url))))
}

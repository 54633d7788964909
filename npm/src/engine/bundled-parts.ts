import { createRequire } from 'node:module'
import { refusedEngine, unknownEngine } from './forced.js'
import { loadNative } from './native.js'

/** The addon, where the program finds it among its packages, else what `wasm` makes. */
export function chooseBundled<P>(wasm: () => P): P | ReturnType<typeof loadNative> {
  const wanted = process.env.SEAWALL_ENGINE
  if (wanted === 'wasm') return wasm()
  if (wanted && wanted !== 'native') throw unknownEngine(wanted)
  try {
    // A bundle in CommonJS has no URL.
    const place = import.meta.url ?? globalThis.process.argv[1] ?? `${process.cwd()}/`
    return loadNative(createRequire(place))
  } catch (cause) {
    if (wanted === 'native') throw refusedEngine(cause)
    return wasm()
  }
}

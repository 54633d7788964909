import { createRequire } from 'node:module'
import { prefer } from './choice.js'
import { loadNative } from './native.js'

/** The addon, where the program finds it among its packages, else what `wasm` makes. */
export function chooseBundled<P extends object>(wasm: () => P): P | ReturnType<typeof loadNative> {
  // A bundle in CommonJS has no URL.
  const place = import.meta.url ?? globalThis.process.argv[1] ?? `${process.cwd()}/`
  return prefer(
    () => loadNative(createRequire(place)),
    reason => Object.assign(wasm(), { reason }),
  )
}

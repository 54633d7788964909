import { prefer } from './choice.js'
import { loadNative } from './native.js'

/** Another place may have it, or this is none. */
const ELSEWHERE = ['MODULE_NOT_FOUND', 'ERR_INVALID_ARG_VALUE']

/** The addon, where the program finds it among its packages, else what `wasm` makes. */
export function chooseBundled<P extends object>(wasm: () => P): P | ReturnType<typeof loadNative> {
  return prefer(
    () => loadNative(requireBeside as NodeJS.Require),
    reason => Object.assign(wasm(), { reason }),
  )
}

/**
 * `require` from where the bundle lies. One in CommonJS has no URL, and in those of webpack it says
 * where this file was when they were made; then the program that was started is as near as can be told.
 */
function requireBeside(id: string): unknown {
  // The place in a checkout: relative to another directory it would be anybody's.
  if (id.startsWith('.')) throw Object.assign(new Error(`no ${id}`), { code: 'MODULE_NOT_FOUND' })
  // Not imported: webpack takes the calls of what it knows for `createRequire` out of the code.
  const { createRequire } = process.getBuiltinModule('node:module')
  let failed: unknown
  for (const place of [import.meta.url, process.argv[1] ?? `${process.cwd()}/`]) {
    if (!place) continue
    try {
      return createRequire(place)(id)
    } catch (error) {
      if (!ELSEWHERE.includes((error as { code?: string }).code ?? '')) throw error
      failed ??= error
    }
  }
  throw failed
}

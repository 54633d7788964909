import { engine } from './engine/index.js'

/** Which build of the engine decides: the native addon, or WASM. */
export type EngineKind = 'native' | 'wasm'

/** What the engine of this isolate holds. */
export interface EngineStats {
  kind: EngineKind
  /**
   * Why that one, for people: which addon fits, or what keeps it from being loaded and how to mend it.
   * Its wording may change.
   */
  reason: string
  /** Circuit breakers that have not been collected yet, disposed of or not. */
  breakers: number
}

/** Which build of the engine this isolate runs on. Loads it, if nothing has yet. */
export function engineKind(): EngineKind {
  return engine().kind
}

/**
 * Which build of the engine decides and why, and what it holds, to find leaks with. Loads it, if
 * nothing has yet.
 *
 * @example
 * ```ts
 * import { engineStats } from 'seawall'
 *
 * const { kind, reason } = engineStats()
 * if (kind === 'wasm') console.warn(`seawall runs without its addon: ${reason}`)
 * ```
 */
export function engineStats(): EngineStats {
  const { kind, reason = 'this runtime loads no addons' } = engine()
  return { kind, reason, breakers: engine().breakerCount() }
}

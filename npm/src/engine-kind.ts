import { engine } from './engine/index.js'

/** Which build of the engine decides: the native addon, or WASM. */
export type EngineKind = 'native' | 'wasm'

/** What the engine of this isolate holds. */
export interface EngineStats {
  kind: EngineKind
  /** Circuit breakers that have not been collected yet, disposed of or not. */
  breakers: number
}

/** Which build of the engine this isolate runs on. Loads it, if nothing has yet. */
export function engineKind(): EngineKind {
  return engine().kind
}

/** What the engine of this isolate holds, to find leaks with. Loads it, if nothing has yet. */
export function engineStats(): EngineStats {
  return { kind: engine().kind, breakers: engine().breakerCount() }
}

/** The process, as far as a runtime has one. */
export interface Host {
  getBuiltinModule?(name: string): unknown
  memoryUsage?(): { heapUsed: number; rss: number }
  cpuUsage?(): { user: number; system: number }
  threadCpuUsage?(): { user: number; system: number }
  resourceUsage?(): { involuntaryContextSwitches: number }
  constrainedMemory?(): number
  readonly execArgv?: readonly string[]
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly versions?: Readonly<Record<string, string | undefined>>
}

/** The process of this runtime, empty where there is none. */
export function host(): Host {
  return (globalThis.process ?? {}) as Host
}

/** A module of the runtime's own, asked for when needed: an import would not load elsewhere. */
export function builtin<T>(name: string): T | undefined {
  try {
    return host().getBuiltinModule?.(name) as T | undefined
  } catch {
    return undefined
  }
}

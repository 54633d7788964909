/**
 * What all copies of this package in a process share. Two libraries that each bring their own would
 * otherwise each end the process when they are done, and cut the other one off.
 *
 * Small, and without the engine: what only has to join in imports this and nothing else.
 */

/** Something to shut down that does not go through the shared lifecycle's own methods. */
export interface Member {
  readonly name: string
  readonly phase: 'http' | 'workers' | 'queues' | 'db' | 'logs'
  readonly timeoutMs?: number | undefined
  /** Shuts it down; every call after the first answers with the same promise. */
  run(reason: string): Promise<unknown>
}

/** What is shared, as one copy of the package finds what another has put there. */
export interface Shared {
  /** The lifecycle of the process, of whichever copy made it. */
  lifecycle?: unknown
  /** Whether the lifecycle has been started, and so is who ends the process. */
  started: boolean
  /** Begins the shutdown of a lifecycle that was started; nothing if it has begun. */
  shutdown?: ((reason: string) => void) | undefined
  readonly members: Set<Member>
  /** Shutdowns under way without a lifecycle: the process ends with the last, 1 if any failed. */
  leaving: number
  failed: boolean
}

const KEY = Symbol.for('seawall.lifecycle')

/** The one of this process (of this worker, in a worker). */
export function sharedRegistry(): Shared {
  const global = globalThis as { [KEY]?: Shared }
  let shared = global[KEY]
  if (!shared) {
    shared = { started: false, members: new Set(), leaving: 0, failed: false }
    Object.defineProperty(global, KEY, { value: shared, configurable: true })
  }
  return shared
}

/** What happens to workers, for who wants to know. */
import { Listeners } from '../events.js'

/** The events of a server on several workers, in its primary. */
export interface ServerEvents {
  /** A process was started for a worker. */
  workerStarted: { index: number; pid: number | undefined }
  /** It takes connections. */
  workerReady: { index: number; pid: number | undefined }
  /** It has ended; `expected`: because it was told to. */
  workerExited: {
    index: number
    pid: number | undefined
    code: number | null
    signal: string | null
    expected: boolean
  }
  /** It has died too often, and is not started again. */
  workerGivenUp: { index: number }
  /** Every worker was replaced by a new one. */
  reloaded: { workers: number }
}

/** @internal */
export const listeners: Listeners<ServerEvents> = /* @__PURE__ */ new Listeners('startServer')

/**
 * Calls `listener` for each `event` from now on; the function returned ends that. What a listener
 * throws is reported and changes nothing.
 *
 * @example
 * ```ts
 * import { onServer } from 'seawall/express'
 *
 * const off = onServer('workerExited', ({ index, code, expected }) => {
 *   if (!expected) console.error(`worker ${index} died with ${code}`)
 * })
 * off()
 * ```
 */
export function onServer<E extends keyof ServerEvents>(
  event: E,
  listener: (detail: ServerEvents[E]) => void,
): () => void {
  return listeners.add(event, listener)
}

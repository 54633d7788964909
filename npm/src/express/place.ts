/** One worker's place, kept through deaths and replacements. */
import type { Worker as ClusterWorker } from 'node:cluster'
import { STOP, type StopMessage } from './messages.js'

/** A place and the processes in it. */
export interface Place {
  readonly index: number
  /** The handle of its deaths. */
  readonly respawn: number
  /** What it is called at the front, where the old and the new one have different numbers. */
  slot: number
  worker: ClusterWorker | undefined
  ready: boolean
  /** The one that is to take over. */
  next: ClusterWorker | undefined
  /** Called with whether that one is ready; false where it died. */
  onNext: ((ready: boolean) => void) | undefined
  /** How many processes there have been. */
  starts: number
  timer: NodeJS.Timeout | undefined
  given: boolean
}

/** How a worker is ended. */
interface Ending {
  /** Whether it finishes what is under way. */
  graceful: boolean
  /** After how long it is killed. */
  ms: number
  /** Whether a signal tells it, too. */
  signals: boolean
  /** Whether another one has taken its place. */
  replaced?: boolean
}

/** Ends a worker, and answers when it has ended: by itself within `ms`, else it is killed. */
export async function endWorker(
  worker: ClusterWorker,
  { graceful, ms, signals, replaced = false }: Ending,
): Promise<void> {
  if (worker.isDead()) return
  // Not `once` of node:events: it rejects where a message of the program could not be sent.
  const exit = new Promise(resolve => worker.process.once('exit', resolve))
  if (!graceful) worker.process.kill('SIGKILL')
  else {
    const stop: StopMessage = { type: STOP, replaced }
    if (worker.isConnected()) worker.send(stop, undefined, {}, () => {})
    // Without a handler of ours a signal would end it at once.
    if (signals) worker.process.kill('SIGTERM')
  }
  const late = setTimeout(() => worker.process.kill('SIGKILL'), ms)
  await exit
  clearTimeout(late)
}

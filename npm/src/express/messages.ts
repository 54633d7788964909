/** What workers tell the primary; whatever else comes is not for it. */
import type { WorkerRuntimeStats } from './types.js'

/** A word of a worker. */
export interface WorkerMessage {
  type: 'defuss:worker-ready' | 'defuss:worker-stats' | 'defuss:worker-stopping'
  workerIndex: number
  port: number
  pid: number
  stats?: WorkerRuntimeStats
}

const TYPES: readonly unknown[] = [
  'defuss:worker-ready',
  'defuss:worker-stats',
  'defuss:worker-stopping',
]

export function isWorkerMessage(message: unknown): message is WorkerMessage {
  return TYPES.includes((message as WorkerMessage | undefined)?.type)
}

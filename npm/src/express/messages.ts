/** What workers tell the primary; whatever else comes is not for it. */
import type { WorkerRuntimeStats } from './types.js'

/** A word of a worker. */
export interface WorkerMessage {
  type: 'defuss:worker-ready' | 'defuss:worker-stats' | 'defuss:worker-stopping'
  workerIndex: number
  port: number
  pid: number
  stats?: WorkerRuntimeStats
  /** Where it listens, with its first word to a front that connects to it: a path or `host:port`. */
  address?: string
  /** Whether it is to be told who its clients are. */
  introduced?: boolean
}

/** Told to a worker that is to end, which then serves what is under way. */
export const STOP = 'seawall:worker-stop'
/** The word itself. */
export interface StopMessage {
  type: typeof STOP
  /** Whether another one has taken its place. */
  replaced: boolean
}

/** Told by a worker that could not listen. */
export const FAILED = 'seawall:worker-failed'

/** Why a worker could not listen. */
export interface WorkerFailure {
  type: typeof FAILED
  code: string | undefined
  message: string
}

export function isWorkerFailure(message: unknown): message is WorkerFailure {
  return (message as WorkerFailure | undefined)?.type === FAILED
}

const TYPES: readonly unknown[] = [
  'defuss:worker-ready',
  'defuss:worker-stats',
  'defuss:worker-stopping',
]

export function isWorkerMessage(message: unknown): message is WorkerMessage {
  return TYPES.includes((message as WorkerMessage | undefined)?.type)
}

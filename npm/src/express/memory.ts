/** The limit of workers' heaps. */
import cluster from 'node:cluster'
import { totalmem } from 'node:os'
import { processEngine } from '../engine/process/index.js'
import type { ResolvedServerConfig } from './config.js'

const SET = /--max[-_](old[-_]space|heap)[-_]size/

/** The flag workers are to be started with; nothing where somebody has set a limit, or none is needed. */
export function heapFlag(config: ResolvedServerConfig): string | undefined {
  const { workers, workerEnv, workerHeapMb } = config
  if (workerHeapMb !== undefined) return `--max-old-space-size=${workerHeapMb}`
  const { NODE_OPTIONS = '' } = { ...process.env, ...workerEnv }
  const flags = [...process.execArgv, ...(cluster.settings.execArgv ?? []), NODE_OPTIONS]
  if (flags.some(flag => SET.test(flag))) return undefined
  const limit = process.constrainedMemory?.() ?? 0
  const mebibytes = processEngine().balanceHeap(limit, totalmem(), workers)
  return mebibytes > 0 ? `--max-old-space-size=${mebibytes}` : undefined
}
